"""Every stage of the job in order: a folder of music becomes trained models, new music and a report.

`experiment` is the diagram. It is written once; the executor it is given either runs each call or only plans it.
"""

from __future__ import annotations

from collections.abc import Mapping

from flows.execution import Executor
from pipeline_lib.artifacts import Artifact
from pipeline_lib.config import GenerateConfig, PipelineConfig
from pipeline_lib.notes.corpus.snapshot import CorpusSnapshot
from pipeline_lib.scores.audio import available_backend
from pipeline_lib.stores.composers import RunModels
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
from tasks.tokenise import tokenise
from tasks.train import train
from tasks.write_report import Models, Music, write_report


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
    baselines, models_of, models = train_models(run, tokens, config)
    music = compose_music(run, tokens, baselines, models_of, given, config)
    claims = None
    if config.report.claims:
        claims = run(judge_claims.call([*models.runs.values()], [*music.metrics.values()]))
    return run(write_report.call(snapshot.name, pieces, tokens, models, music, claims, config))


def read_corpus(
    run: Executor, snapshot: CorpusSnapshot, config: PipelineConfig
) -> tuple[Artifact, dict[str, Artifact]]:
    """From files to the table of pieces, and the notes in shards by their names.

    Parameters
    ----------
    run, snapshot, config
        As for `experiment`.
    """
    steps_per_quarter, limit = config.tokens.steps_per_quarter, config.ingest.max_rejected_fraction
    buckets = {f"{b.index:02x}": b for b in snapshot.buckets(config.ingest.n_shards)}

    files = run(scan.call(snapshot))
    shards = run.each(
        {n: ingest.call(b, config.parse).reading(len(b.files)) for n, b in buckets.items()}
    )
    selections = run.each(
        {n: select.call(shard, config.select, steps_per_quarter) for n, shard in shards.items()}
    )
    of_shards = [*shards.values()], [*selections.values()]
    return run(catalogue.call(files, *of_shards, config.duplicates, limit)), shards


def encode_corpus(
    run: Executor, catalogued: Artifact, shards: Mapping[str, Artifact], config: PipelineConfig
) -> tuple[Artifact, Artifact]:
    """Divide the pieces before anything is counted, and write their notes as tokens: pieces and tokens."""
    pieces = run(split.call(catalogued, config.split))
    lines = run.each(
        {
            n: tokenise.call(shard, config.select, config.tokens.tokeniser)
            for n, shard in shards.items()
        }
    )
    return pieces, run(encode.call(pieces, [*lines.values()], config.tokens))


def train_models(
    run: Executor, tokens: Artifact, config: PipelineConfig
) -> tuple[Artifact, dict[str, RunModels], Models]:
    """Fit the n-gram models and train every network; all are asked for the same held-out notes.

    Returns the n-gram models; what each run can compose with, by its name; and how well all of them predict.
    """
    lengths, stride = config.windows.seq_lengths, config.windows.stride
    # The same notes: those that even the longest window can predict.
    n_context, memory_targets = max(lengths), config.baselines.memory_targets
    observed = config.checkpoints, config.telemetry

    windows: Mapping[str, Artifact] = {}
    if config.train.regime == "windows":
        windows = run.each({f"L{n}": index_windows.call(tokens, n, stride) for n in lengths})
    baselines = run(fit_baselines.call(tokens, n_context, config.baselines))
    baseline_scores = run(
        score_baselines.call(tokens, baselines, n_context).labelled("score/baselines")
    )
    runs = run.each(
        {
            point.name: train.call(tokens, windows.get(f"L{point.seq_length}"), point, *observed)
            for point in config.runs
        }
    )
    memories = run.each(
        {
            name: fit_memory.call(tokens, runs[name], baselines, memory_targets)
            for name in config.detailed_runs
        }
    )
    scores = run.each(
        {
            name: score.call(tokens, trained, baselines, memories.get(name), n_context)
            for name, trained in runs.items()
        }
    )
    models_of = {
        name: RunModels(trained, baselines, memories.get(name)) for name, trained in runs.items()
    }
    return baselines, models_of, Models(runs, scores, baseline_scores)


def compose_music(
    run: Executor,
    tokens: Artifact,
    baselines: Artifact,
    models_of: Mapping[str, RunModels],
    given: Given | None,
    config: PipelineConfig,
) -> Music:
    """Continue the same prompts with every run's models and the best n-gram model, and measure what comes out."""
    generation, detailed, backend = config.generate, config.detailed_runs, available_backend()
    settings_of = {name: _generation_of(name, config) for name in models_of}

    prompts = run(choose_prompts.call(tokens, given, generation.n_samples, config.prompts))
    samples = run.each(
        {
            name: generate.call(
                tokens, models_of[name].needed_by(settings.composer), prompts, settings, backend
            )
            for name, settings in settings_of.items()
        }
    )
    control = run(
        generate_baseline.call(tokens, baselines, prompts, generation).labelled("generate/ngram")
    )
    metrics = run.each(
        {
            name: evaluate.call(tokens, made, generation.length, config.evaluate)
            for name, made in {**samples, "ngram": control}.items()
        }
    )
    of_control = metrics.pop("ngram")
    distances = run.each(
        {name: measure_distance.call(metrics[name], of_control) for name in detailed}
    )
    novelty = run.each(
        {name: check_novelty.call(tokens, samples[name], generation.length) for name in detailed}
    )
    return Music(samples, metrics, distances, novelty)


def _generation_of(name: str, config: PipelineConfig) -> GenerateConfig:
    """Settings of a run's samples: without a memory its network writes alone; what is not shown is not rendered."""
    if name in config.detailed_runs:
        return config.generate
    changes: dict[str, object] = {"n_rendered": 0}
    if config.generate.composer == "mixture":
        changes["composer"] = "network"
    return config.generate.model_copy(update=changes)
