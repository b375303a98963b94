"""Finding a trained network again, and what it was trained on, from its artifact's lineage."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from flows.journal import TRAIN_LABEL, Journal, require_journal
from pipeline_lib.artifacts import Artifact, ArtifactStore, read_manifest
from pipeline_lib.config import ComposerKind, RunConfig, SelectConfig
from pipeline_lib.errors import ArtifactError
from pipeline_lib.stores.composers import RunModels
from pipeline_lib.stores.tokens import read_tokeniser, read_tokens
from pipeline_lib.tokens.corpus import TokenCorpus
from pipeline_lib.tokens.tokenisers.base import Tokeniser
from tasks.fit_baselines import fit_baselines
from tasks.fit_memory import fit_memory
from tasks.stages import Stage

LATEST = "latest"

_MOST_NAMES = 3


@dataclass(frozen=True)
class FinishedRun:
    """A trained network and what it was trained on.

    Parameters
    ----------
    name : str
    store : ArtifactStore
    models : RunModels
        The network, in this store, and what else there is that it can compose with.
    corpus : TokenCorpus
    tokeniser : Tokeniser
    selection : SelectConfig
        How the corpus was tokenised, and which notes were chosen for it.
    """

    name: str
    store: ArtifactStore
    models: RunModels
    corpus: TokenCorpus
    tokeniser: Tokeniser
    selection: SelectConfig

    def composer(self, wanted: ComposerKind | None) -> ComposerKind:
        """What writes music: the mixture if nothing else is wanted, or the network alone where there is no memory.

        Raises
        ------
        ArtifactError
            It was asked for by name, and the run lacks a model that it needs.
        """
        has_memory = self.models.memory is not None
        if wanted is None:
            return "mixture" if has_memory else "network"
        lacks_memory = wanted == "mixture" and not has_memory
        if lacks_memory or (wanted == "ngram" and self.models.baselines is None):
            missing = "memory of the piece" if lacks_memory else "n-gram model"
            raise ArtifactError(
                f"{self.name} cannot compose as {wanted}: there is no {missing} for it",
                path=self.store.path(self.models.run),
                remedy="leave --composer out, or run `music-pipeline run` again, with a larger "
                "report.n_detailed if it has a limit: runs shown in detail get one",
            )
        return wanted


def find_run(run: str, artifacts: Path) -> FinishedRun:
    """A finished run.

    Parameters
    ----------
    run : str
        Its name, such as "lstm3x128-L50-lr0.004-s0"; the path of its artifact's folder; or "latest": of the
        last experiment's runs the one that predicts test notes best.
    artifacts : Path
        Folder that results are kept in.

    Raises
    ------
    ArtifactError
        There is none of that name, or it is damaged.
    """
    folder = Path(run).expanduser()
    if not run or not folder.is_dir():
        folder = artifacts / _relpath(run, artifacts)
    store = ArtifactStore(folder.parent.parent)
    manifest = read_manifest(folder)
    if manifest["artifact"]["kind"] != "runs":
        raise ArtifactError(
            f"{run} is no run, but of the kind {manifest['artifact']['kind']!r}",
            path=folder,
            remedy="name a folder under runs/, or a run by its name",
        )
    tokens = _parent(manifest, "tokens")
    artifact = Artifact(**manifest["artifact"])
    store.verify(artifact)
    store.verify(tokens)
    of_tokens = store.manifest(tokens)
    of_lines = store.manifest(_parent(of_tokens, "lines"))
    return FinishedRun(
        RunConfig.model_validate(_parameters(manifest)["config"]).name,
        store,
        _models(store, artifact, tokens),
        read_tokens(store, tokens),
        read_tokeniser(store, tokens),
        SelectConfig.model_validate(_parameters(of_lines)["selection"]),
    )


def _models(store: ArtifactStore, run: Artifact, tokens: Artifact) -> RunModels:
    """A run, its memory and the n-gram models that this was fitted with; without one, those of the same tokens."""
    memory = _newest_child(store, fit_memory, run)
    if memory is None:
        return RunModels(run, _newest_child(store, fit_baselines, tokens))
    return RunModels(run, _parent(store.manifest(memory), "baselines"), memory)


def _newest_child(store: ArtifactStore, stage: Stage[Any], parent: Artifact) -> Artifact | None:
    """The last artifact that a stage made of another one: whole, and as this version writes it."""
    found: list[tuple[str, Artifact]] = []
    for folder in (store.root / stage.kind).glob("*"):
        with suppress(ArtifactError):
            manifest = read_manifest(folder)
            artifact = Artifact(**manifest["artifact"])
            parents = [Artifact(**each) for each in manifest["parent_artifacts"]]
            if parent in parents and artifact.schema_version == stage.schema_version:
                for needed in (artifact, *parents):
                    store.verify(needed)
                found.append((manifest["written_at"], artifact))
    return max(found)[1] if found else None


def _relpath(run: str, artifacts: Path) -> str:
    journal = require_journal(ArtifactStore(artifacts))
    name = _best(journal) if run == LATEST else run
    relpath = journal.known.get(TRAIN_LABEL + name)
    if relpath is None:
        raise ArtifactError(
            f"there is no run {run!r}", path=artifacts, remedy=_others(run, journal)
        )
    return relpath


def _others(run: str, journal: Journal) -> str:
    """The runs whose names are most like this one."""
    known = [
        label.removeprefix(TRAIN_LABEL) for label in journal.known if label.startswith(TRAIN_LABEL)
    ]
    if not known:
        return "there is no run yet: run `music-pipeline run` first"
    shown = get_close_matches(run, known, n=_MOST_NAMES, cutoff=0)
    n_more = len(known) - len(shown)
    more = f" … and {n_more} more: `music-pipeline status --json`" if n_more else ""
    return f"name a folder, {LATEST!r}, or one of: {', '.join(shown)}{more}"


def _best(journal: Journal) -> str:
    """The run of the last experiment with the lowest test perplexity; the last trained, if none was scored."""
    trained = [entry.stage for entry in journal.stages if entry.stage.startswith(TRAIN_LABEL)]
    names = [label.removeprefix(TRAIN_LABEL) for label in trained]
    scored = [result for result in journal.results if result["name"] in names]
    if scored:
        return str(min(scored, key=lambda result: float(result["test_perplexity"]))["name"])
    return names[-1] if names else LATEST


def _parent(manifest: Mapping[str, Any], kind: str) -> Artifact:
    return next(Artifact(**p) for p in manifest["parent_artifacts"] if p["kind"] == kind)


def _parameters(manifest: Mapping[str, Any]) -> dict[str, Any]:
    parameters: dict[str, Any] = manifest["provenance"]["parameters"]
    return parameters
