"""When a cached result is still valid: what ties our stages to Prefect's cache.

Prefect asks two questions, and its own answers are not ours:

*Is there a result for this key?* The key is `StageKey.digest`, computed before the task is submitted; see
`tasks.staleness`. Prefect's policies would count paths instead of contents, miss changed helpers and hold the
id of the flow run.

*Is that result good?* What Prefect stores is a reference of a few hundred bytes, under
``artifacts/.cache/``. Reading it back verifies the bytes of the artifact that it refers to. `loads` raises
where they are missing or changed; Prefect takes that for a miss and runs the task again. So a deleted or
corrupted artifact heals itself.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from prefect import Task, task
from prefect.cache_policies import CachePolicy
from prefect.context import TaskRunContext
from prefect.filesystems import LocalFileSystem
from prefect.results import ResultStore
from prefect.serializers import Serializer

from pipeline_lib.artifacts import Artifact, ArtifactStore
from pipeline_lib.errors import ArtifactError
from tasks.stages import Stage
from tasks.staleness import StageKey

RECORDS_FOLDER = ".cache"


class VerifiedArtifact(Serializer):
    """Stores a reference; gives it back only if the artifact is still what was written."""

    type: Literal["music-pipeline-artifact"] = "music-pipeline-artifact"
    root: str

    def dumps(self, obj: Artifact) -> bytes:
        """The reference as JSON."""
        return json.dumps(asdict(obj)).encode()

    def loads(self, blob: bytes) -> Artifact:
        """The reference, after its artifact has been verified.

        Raises
        ------
        ArtifactError
            The artifact is missing or damaged.
        """
        artifact = Artifact(**json.loads(blob))
        ArtifactStore(Path(self.root)).verify(artifact)
        return artifact


class ContentKey(CachePolicy):
    """The key that the stage has computed for this call."""

    def compute_key(
        self,
        task_ctx: TaskRunContext,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **kwargs: Any,
    ) -> str:
        """The digest of the call's `StageKey`."""
        key: StageKey = inputs["key"]
        return key.digest


def as_prefect_task(stage: Stage[Any], label: str, store: ArtifactStore) -> Task[..., Artifact]:
    """A Prefect task that runs one call of a stage, or finds its cached result.

    Its parameters are ``inputs`` and ``key``.
    """
    root = store.root.resolve()

    @task(
        name=stage.name,
        task_run_name=label.replace("/", " "),
        description=stage.body.__doc__,
        cache_policy=ContentKey(),
        persist_result=True,
        result_storage=root / RECORDS_FOLDER,
        result_serializer=VerifiedArtifact(root=str(root)),
    )
    def compute(inputs: dict[str, Any], key: StageKey) -> Artifact:
        return stage.compute(ArtifactStore(root), inputs, key)

    return compute


def has_record(store: ArtifactStore, key: StageKey) -> bool:
    """Whether a result for this key was ever recorded, valid or not."""
    return (store.root / RECORDS_FOLDER / key.digest).is_file()


def find_cached(store: ArtifactStore, key: StageKey) -> Artifact | None:
    """The valid result for a key, as Prefect would find it; None where there never was one.

    Raises
    ------
    ArtifactError
        There was one, but its artifact is missing or damaged.
    """
    root = store.root.resolve()
    if not has_record(store, key):
        return None
    results = ResultStore(
        result_storage=LocalFileSystem(basepath=str(root / RECORDS_FOLDER)),
        serializer=VerifiedArtifact(root=str(root)),
    )
    try:
        found: Artifact = results.read(key.digest).result
    except ArtifactError:
        raise
    except Exception as error:  # whatever a damaged record makes Prefect raise, it is a miss
        raise ArtifactError(
            f"its cache record is unreadable ({error})",
            path=root / RECORDS_FOLDER / key.digest,
            remedy="run `music-pipeline run` again: it is recomputed",
        ) from error
    return found
