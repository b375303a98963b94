"""What a study finds out about its claims: the kind ``claims``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.evaluation.claims import Judgement, finding_table, judgements_from_table
from pipeline_lib.stores import file_names
from pipeline_lib.stores.frames import read_frame, write_frame


def write_claims(draft: Draft, judgements: Sequence[Judgement], curves: pd.DataFrame) -> None:
    """Write the judgements, and the training losses that they rest on."""
    draft.write_table(file_names.FINDINGS, finding_table(judgements))
    write_frame(draft, file_names.CURVES, curves)


def read_judgements(
    store: ArtifactStore, claims: Artifact, numbers: Iterable[int]
) -> list[Judgement]:
    """The judgement of each claim of these numbers, also where nothing was compared."""
    return judgements_from_table(numbers, store.read_table(claims, file_names.FINDINGS))


def read_curves(store: ArtifactStore, claims: Artifact) -> pd.DataFrame:
    """The training losses that the judgements rest on."""
    return read_frame(store, claims, file_names.CURVES)
