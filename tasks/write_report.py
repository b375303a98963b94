"""Bring everything together in one page, with the tables behind its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pipeline_lib.artifacts import Artifact, ArtifactStore, Draft
from pipeline_lib.config import PipelineConfig
from pipeline_lib.notes.corpus.bundled import BUNDLED_CORPORA
from pipeline_lib.packages import package_versions
from pipeline_lib.presets import as_command
from pipeline_lib.reports.builders.copying import build_copying
from pipeline_lib.reports.builders.corpus import build_corpus
from pipeline_lib.reports.builders.measures import build_measures
from pipeline_lib.reports.builders.results import build_results
from pipeline_lib.reports.builders.samples import build_sample
from pipeline_lib.reports.content import ReportContent
from pipeline_lib.reports.page import render_page
from pipeline_lib.reports.tables import figure_tables, result_table
from pipeline_lib.stores.claims import read_curves, read_judgements
from pipeline_lib.stores.measures import read_copies, read_distances, read_metrics
from pipeline_lib.stores.pieces import read_pieces
from pipeline_lib.stores.reports import write_excerpts, write_page, write_results
from pipeline_lib.stores.runs import read_run
from pipeline_lib.stores.samples import read_rendered, read_samples
from pipeline_lib.stores.scores import WITH_MEMORY, read_ngram_orders, read_scores
from pipeline_lib.stores.tokens import read_tokeniser, read_tokens
from pipeline_lib.studies.lab_report.claims import CLAIMS
from tasks.stages import stage

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class Models:
    """Trained networks, and how well they and the n-gram models predict; networks by the names of their runs."""

    runs: Mapping[str, Artifact]
    scores: Mapping[str, Artifact]
    baseline_scores: Artifact


@dataclass(frozen=True)
class Music:
    """What the networks wrote and how it measures, by the names of their runs.

    Only the runs that the report shows in detail have distances and novelty.
    """

    samples: Mapping[str, Artifact]
    metrics: Mapping[str, Artifact]
    distances: Mapping[str, Artifact]
    novelty: Mapping[str, Artifact]


@stage(kind="reports", schema_version=3)
def write_report(
    draft: Draft,
    corpus_name: str,
    pieces: Artifact,
    tokens: Artifact,
    models: Models,
    music: Music,
    claims: Artifact | None,
    config: PipelineConfig,
) -> None:
    """Write ``report.html``, ``results.parquet``, and the other tables behind its figures."""
    store, detailed = draft.store, tuple(music.distances)
    tokeniser = read_tokeniser(store, tokens)
    piece_table, corpus = read_pieces(store, pieces), read_tokens(store, tokens)
    baseline_scores = read_scores(store, models.baseline_scores)
    shown = {name: music.samples[name] for name in detailed}
    samples = _each(read_samples, store, shown)
    results = build_results(
        _each(read_run, store, models.runs),
        _each(read_scores, store, models.scores),
        read_ngram_orders(store, models.baseline_scores),
        baseline_scores,
        detailed,
    )
    measures = build_measures(
        _each(read_metrics, store, {name: music.metrics[name] for name in detailed}),
        _each(read_distances, store, music.distances),
    )
    unknown_share = baseline_scores.summaries[WITH_MEMORY]["unknown_share"]
    copies = _each(read_copies, store, music.novelty)
    content = ReportContent(
        corpus=build_corpus(corpus_name, piece_table, len(corpus.vocabulary), unknown_share),
        detailed=detailed,
        **vars(results),
        **vars(measures),
        copying=build_copying(copies, samples, corpus, piece_table, tokeniser),
        samples=tuple(
            build_sample(name, made, read_rendered(store, shown[name], made.name), tokeniser)
            for name in detailed
            for made in samples[name]
            if made.number < config.generate.n_rendered
        ),
        parameters=config.model_dump(mode="json"),
        packages=package_versions(),
        lineage=tuple((a.kind, a.relpath) for a in _ancestors(pieces, tokens, models, music)),
        command=as_command(_as_argument(corpus_name), config),
        **(_judged(store, claims) if claims else {}),
    )
    write_page(draft, render_page(content))
    write_results(draft, result_table(content), figure_tables(content))
    if content.copying.longest:
        both = content.copying.longest
        write_excerpts(draft, both.sample.musicxml, both.source.musicxml)


def _each(
    read: Callable[[ArtifactStore, Artifact], _Read],
    store: ArtifactStore,
    artifacts: Mapping[str, Artifact],
) -> dict[str, _Read]:
    """What several artifacts of one kind hold, by the same names."""
    return {name: read(store, artifact) for name, artifact in artifacts.items()}


def _judged(store: ArtifactStore, claims: Artifact) -> dict[str, Any]:
    """The fields of `ReportContent` for the lab report's claims."""
    judgements = read_judgements(store, claims, CLAIMS)
    return {"claims": tuple(judgements), "curves": read_curves(store, claims)}


def _ancestors(
    pieces: Artifact, tokens: Artifact, models: Models, music: Music
) -> Iterator[Artifact]:
    """What the report is made from, in the order of the stages."""
    yield from (pieces, tokens, *models.runs.values(), *models.scores.values())
    yield models.baseline_scores
    for artifacts in vars(music).values():
        yield from artifacts.values()


def _as_argument(corpus_name: str) -> str:
    """What to give as ``--corpus``; where another's folder lies is not for a report to say."""
    return corpus_name if corpus_name in BUNDLED_CORPORA else f"path/to/{corpus_name}"
