"""Every stage of the job in order: a folder of music becomes trained models, new music and a report.

`experiment` is the diagram. It is written once; the executor it is given either runs each call or only plans it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flows.execution import Executor
from flows.journal import TRAIN_LABEL
from pipeline_lib.artifacts import Artifact
from pipeline_lib.config import PipelineConfig
from pipeline_lib.notes.corpus.snapshot import CorpusSnapshot
from pipeline_lib.scores.audio import available_backend
from pipeline_lib.tokens.constraints import check_length
from pipeline_lib.tokens.prompt_sources import Given, read_prompt
from pipeline_lib.tokens.tokenisers import make_tokeniser
from tasks.catalogue import catalogue
from tasks.check_novelty import check_novelty
from tasks.choose_prompts import choose_prompts
from tasks.encode import encode
from tasks.evaluate import evaluate
from tasks.fit_baselines import fit_baselines
from tasks.fit_memory import fit_memory
from tasks.generate import generate
from tasks.generate_baseline import generate_baseline
from tasks.index_windows import index_windows
from tasks.ingest import ingest
from tasks.judge_claims import judge_claims
from tasks.measure_distance import measure_distance
from tasks.scan import scan
from tasks.score import score, score_baselines
from tasks.select import select
from tasks.split import split
from tasks.stages import Call
from tasks.tokenise import tokenise
from tasks.train import train
from tasks.write_report import write_report


@dataclass(frozen=True)
class Models:
    """What was fitted and how well it predicts; networks by the names of their runs."""

    baselines: Artifact
    baseline_scores: Artifact
    runs: dict[str, Artifact]
    scores: dict[str, Artifact]


@dataclass(frozen=True)
class Music:
    """What the networks wrote and how it measures, by the names of their runs."""

    samples: dict[str, Artifact]
    metrics: dict[str, Artifact]
    distances: dict[str, Artifact]
    novelty: dict[str, Artifact]


def experiment(run: Executor, snapshot: CorpusSnapshot, config: PipelineConfig) -> Artifact:
    """Every stage in order; returns the report.

    Parameters
    ----------
    run : Executor
        What turns calls into artifacts.
    snapshot : CorpusSnapshot
        The files to learn from.
    config : PipelineConfig
    """
    tokeniser = make_tokeniser(config.tokens)
    check_length(config.generate, tokeniser)
    given = read_prompt(config.prompts, config.parse, config.select, tokeniser)
    catalogued, shards = read_corpus(run, snapshot, config)
    pieces, tokens = encode_corpus(run, catalogued, shards, config)
    models = train_models(run, tokens, config)
    music = compose_music(run, tokens, models, given, config)
    claims = None
    if config.report.claims:
        of_runs = [list(artifacts.values()) for artifacts in (models.runs, music.metrics)]
        claims = run(judge_claims.call("judge_claims", *of_runs))
    return run(
        write_report.call(
            "write_report",
            snapshot.name,
            pieces,
            tokens,
            models.baseline_scores,
            models.runs,
            models.scores,
            music.samples,
            music.metrics,
            music.distances,
            music.novelty,
            claims,
            config,
        )
    )


def read_corpus(
    run: Executor, snapshot: CorpusSnapshot, config: PipelineConfig
) -> tuple[Artifact, dict[str, Artifact]]:
    """From files to the table of pieces, and the notes in shards by their names.

    Parameters
    ----------
    run, snapshot, config
        As for `experiment`.
    """
    files = run(scan.call("scan", snapshot))
    buckets = {f"{b.index:02x}": b for b in snapshot.buckets(config.ingest.n_shards)}
    shards = _by_name(
        run,
        {
            name: ingest.call(f"ingest/{name}", bucket, config.parse).reading(len(bucket.files))
            for name, bucket in buckets.items()
        },
    )
    selections = _by_name(
        run,
        {
            name: select.call(
                f"select/{name}", shard, config.select, config.tokens.steps_per_quarter
            )
            for name, shard in shards.items()
        },
    )
    pieces = run(
        catalogue.call(
            "catalogue",
            files,
            list(shards.values()),
            list(selections.values()),
            config.duplicates,
            config.ingest.max_rejected_fraction,
        )
    )
    return pieces, shards


def encode_corpus(
    run: Executor, catalogued: Artifact, shards: Mapping[str, Artifact], config: PipelineConfig
) -> tuple[Artifact, Artifact]:
    """Divide the pieces before anything is counted, and write their notes as tokens: pieces and tokens."""
    pieces = run(split.call("split", catalogued, config.split))
    lines = _by_name(
        run,
        {
            name: tokenise.call(
                f"tokenise/{name}",
                shard,
                config.select,
                config.tokens.tokeniser,
            )
            for name, shard in shards.items()
        },
    )
    return pieces, run(encode.call("encode", pieces, list(lines.values()), config.tokens))


def train_models(run: Executor, tokens: Artifact, config: PipelineConfig) -> Models:
    """Fit the n-gram models and train every network; all are asked for the same held-out notes."""
    lengths = config.windows.seq_lengths
    windows: dict[int, Artifact | None] = dict.fromkeys(lengths)
    if config.train.regime == "windows":
        stride = config.windows.stride
        calls = [index_windows.call(f"index_windows/L{n}", tokens, n, stride) for n in lengths]
        windows |= zip(lengths, run.all(calls), strict=True)

    # The same notes: those that even the longest window can predict.
    n_context = max(lengths)
    baselines = run(fit_baselines.call("fit_baselines", tokens, n_context, config.baselines))
    baseline_scores = run(score_baselines.call("score/baselines", tokens, baselines, n_context))

    runs = _by_name(
        run,
        {
            point.name: train.call(
                TRAIN_LABEL + point.name,
                tokens,
                windows[point.seq_length],
                point,
                config.checkpoints,
                config.telemetry,
            )
            for point in config.runs
        },
    )
    memories = _by_name(
        run,
        {
            name: fit_memory.call(
                f"fit_memory/{name}",
                tokens,
                runs[name],
                baselines,
                n_context,
                config.baselines.memory_targets,
            )
            for name in config.detailed_runs
        },
    )
    scores = _by_name(
        run,
        {
            name: score.call(
                f"score/{name}", tokens, trained, baselines, memories.get(name), n_context
            )
            for name, trained in runs.items()
        },
    )
    return Models(baselines, baseline_scores, runs, scores)


def compose_music(
    run: Executor,
    tokens: Artifact,
    models: Models,
    given: Given | None,
    config: PipelineConfig,
) -> Music:
    """Continue the same prompts with every network and the best n-gram model, and measure what comes out."""
    generation = config.generate
    detailed = config.detailed_runs
    prompts = run(
        choose_prompts.call("choose_prompts", tokens, given, generation.n_samples, config.prompts)
    )
    backend = available_backend()
    only_measured = generation.model_copy(update={"n_rendered": 0})
    samples = _by_name(
        run,
        {
            name: generate.call(
                f"generate/{name}",
                tokens,
                trained,
                prompts,
                generation if name in detailed else only_measured,
                backend,
            )
            for name, trained in models.runs.items()
        },
    )
    control = run(
        generate_baseline.call("generate/ngram", tokens, models.baselines, prompts, generation)
    )
    metrics = _by_name(
        run,
        {
            name: evaluate.call(
                f"evaluate/{name}",
                tokens,
                made,
                generation.length,
                config.evaluate,
            )
            for name, made in {**samples, "ngram": control}.items()
        },
    )
    of_control = metrics.pop("ngram")
    distances = _by_name(
        run,
        {
            name: measure_distance.call(f"measure_distance/{name}", metrics[name], of_control)
            for name in detailed
        },
    )
    novelty = _by_name(
        run,
        {
            name: check_novelty.call(
                f"check_novelty/{name}",
                tokens,
                samples[name],
                generation.length,
            )
            for name in detailed
        },
    )
    return Music(samples, metrics, distances, novelty)


def _by_name(run: Executor, calls: Mapping[str, Call]) -> dict[str, Artifact]:
    """The artifacts of calls that do not depend on each other, by the same names."""
    return dict(zip(calls, run.all(list(calls.values())), strict=True))
