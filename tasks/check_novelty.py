"""Look for what was copied: generated music beside held-out music, both against the training pieces."""

from __future__ import annotations

import math

import pandas as pd

from pipeline_lib.artifacts import Artifact, Draft
from pipeline_lib.evaluation.novelty import (
    copy_baseline,
    copy_rates_by_set,
    measure_novelty,
    novelty_table,
)
from pipeline_lib.evaluation.sets import GENERATED, HELD_OUT, stretches
from pipeline_lib.evaluation.top_lines import join_lines, lines_of_corpus
from pipeline_lib.notes.table import Split
from pipeline_lib.stores.measures import Copies, write_copies
from pipeline_lib.stores.samples import read_samples
from pipeline_lib.stores.tokens import read_tokeniser, read_tokens
from tasks.stages import stage


@stage(kind="novelty", schema_version=1)
def check_novelty(draft: Draft, tokens: Artifact, samples: Artifact, length: int) -> None:
    """Write ``novelty.parquet`` (a row per piece), ``copied.parquet`` (copy rates of each set) and ``baseline.json``.

    Of samples counts only what was added to the prompts; of valid and test pieces the same stretch, ``length`` tokens
    after as many as the prompts have. Training pieces are searched whole.
    """
    corpus = read_tokens(draft.store, tokens)
    tokeniser = read_tokeniser(draft.store, tokens)
    made = read_samples(draft.store, samples)
    generated = {s.name: s.prompt.continuation(s.tokens, tokeniser) for s in made}
    n_given = len(made[0].prompt.tokens)
    held_out = {
        piece_id: notes
        for split in (Split.VALID, Split.TEST)
        for piece_id, notes in stretches(corpus, split, n_given, length, tokeniser).items()
    }
    novelty = measure_novelty(
        join_lines(generated | held_out),
        lines_of_corpus(corpus, corpus.rows(Split.TRAIN), tokeniser),
    )
    labels = pd.DataFrame(
        {
            "set": [GENERATED] * len(generated) + [HELD_OUT] * len(held_out),
            "temperature": [s.temperature for s in made] + [math.nan] * len(held_out),
        }
    )
    baseline = copy_baseline(novelty, (labels["set"] == HELD_OUT).to_numpy())
    copies = Copies(
        novelty_table(novelty, labels, baseline), copy_rates_by_set(novelty, labels), baseline
    )
    write_copies(draft, copies)
