"""What the numbers of a report say, in sentences, and what they do not say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from pipeline_lib.evaluation.calibration import chance_ece
from pipeline_lib.evaluation.sets import CONTROL, HELD_OUT, TRAIN
from pipeline_lib.reports.content import (
    BaselineResult,
    MemoryResult,
    ReportContent,
    Result,
    RunResult,
)
from pipeline_lib.reports.digits import written
from pipeline_lib.reports.language import Texts
from pipeline_lib.reports.verdicts import verdict_counts

SMALL_DIFFERENCE_PERCENT = 2.0
"""A rule of thumb, not a test: gaps in perplexity that chance readily makes between two seeds."""

NOTEWORTHY_SHARE = 0.05
"""A rule of thumb: what is missing beyond this share of the data bears on what the figures mean."""


def findings(content: ReportContent, texts: Texts) -> Iterator[str]:
    """The paragraphs of the summary, in one language."""
    if content.claims:
        yield verdict_counts(content.claims, texts)
    yield texts("finding.between_sentences").join(
        [_network_against_ngram(content, texts), _perplexity_explained(content, texts)]
    )
    if content.with_memory:
        yield texts("finding.between_sentences").join(_what_memory_adds(content, texts))
    yield texts("finding.between_sentences").join(_effect_of_seq_length(content, texts))
    yield from _nearer_than_ngrams(content, texts)
    yield from _musical_differences(content, texts)
    yield from _flagged(content, texts)


def results_note(content: ReportContent, texts: Texts) -> str:
    """What one has to know to read the table of results, in one language."""
    n_targets = content.runs[0].n_targets
    sentences = [texts("results.note", n=f"{n_targets:,}")]
    if content.corpus.unknown_share > 0:
        sentences.append(texts("results.unknown", percent=_unknown_percent(content)))
    n_pieces = [run.n_train_pieces for run in content.runs]
    fewest, most = min(n_pieces), max(n_pieces)
    if most - fewest > NOTEWORTHY_SHARE * most:
        sentences.append(texts("results.fewer_pieces", fewest=f"{fewest:,}", most=f"{most:,}"))
    return texts("finding.between_sentences").join(sentences)


def prediction_note(content: ReportContent, texts: Texts) -> str:
    """What one has to know to read how well models predict, in one language."""
    chance_percent = 100 * chance_ece(content.runs[0].n_targets)
    return texts("prediction.note", percent=f"{chance_percent:.1f}")


def detailed_note(content: ReportContent, texts: Texts) -> Iterator[str]:
    """Which runs are shown in detail and why, in one language; nothing where all are."""
    n = len(content.detailed_runs)
    if n < len(content.runs):
        yield texts("results.detailed", n=n, total=len(content.runs))


def results_cautions(content: ReportContent, texts: Texts) -> Iterator[str]:
    """Why the figures of the table do not mean what they seem to mean, in one language; mostly nothing."""
    n_targets = {result.n_targets for result in all_results(content)}
    if len(n_targets) > 1:
        yield texts("results.unequal", fewest=f"{min(n_targets):,}", most=f"{max(n_targets):,}")
    if content.corpus.unknown_share > NOTEWORTHY_SHARE:
        yield texts("results.many_unknown", percent=_unknown_percent(content))


def all_results(content: ReportContent) -> list[Result]:
    """Every model of the table of results."""
    return [*content.runs, *content.baselines, *content.with_memory]


def best_run(runs: Sequence[RunResult]) -> RunResult:
    """The network with the lowest test loss; the first of equals."""
    return min(runs, key=lambda run: run.test_loss)


def best_baseline(content: ReportContent) -> BaselineResult | None:
    """The n-gram model with the lowest test loss, if there is one."""
    return min(content.baselines, key=lambda baseline: baseline.test_loss, default=None)


def best_of_each_kind(content: ReportContent) -> list[Result]:
    """The best network, n-gram model and model with memory, as far as there are any; the first of equals."""
    kinds: tuple[Sequence[Result], ...] = (content.runs, content.baselines, content.with_memory)
    return [min(kind, key=lambda result: result.test_loss) for kind in kinds if kind]


def is_apart(low: float, high: float, other_low: float, other_high: float) -> bool:
    """Whether two intervals do not overlap; not so where one is unknown."""
    return high < other_low or other_high < low


def _unknown_percent(content: ReportContent) -> str:
    percent = 100 * content.corpus.unknown_share
    return f"{percent:.1f}" if percent >= 0.1 else "< 0.1"


def _network_against_ngram(content: ReportContent, texts: Texts) -> str:
    run, baseline = best_run(content.runs), best_baseline(content)
    values = {
        "run": run.name,
        "network": f"{run.test_perplexity:.2f}",
        "n": f"{run.n_targets:,}",
    }
    if baseline is None:
        return texts("finding.no_baseline", **values)
    change_percent = 100 * (run.test_perplexity / baseline.test_perplexity - 1)
    return texts(
        "finding.beats" if change_percent < 0 else "finding.loses",
        ngram=f"{baseline.test_perplexity:.2f}",
        percent=f"{abs(change_percent):.1f}",
        **values,
    )


def _perplexity_explained(content: ReportContent, texts: Texts) -> str:
    """What a perplexity near that of the best network means."""
    rounded = max(2, round(best_run(content.runs).test_perplexity))
    return texts("finding.perplexity", rounded=rounded)


def model_name(result: Result, texts: Texts) -> str:
    """A network's name, or the n-gram model's in words; with or without memory."""
    if isinstance(result, MemoryResult):
        return texts("results.with_memory", model=model_name(result.base, texts))
    if isinstance(result, RunResult):
        return result.name
    return texts(f"results.{result.model}", order=result.order)


def _what_memory_adds(content: ReportContent, texts: Texts) -> Iterator[str]:
    """Compare the best network with a memory with the best n-gram model with one."""
    networks, ngrams = (
        sorted(
            (r for r in content.with_memory if isinstance(r.base, RunResult) == is_network),
            key=lambda result: result.test_loss,
        )
        for is_network in (True, False)
    )
    best = (networks or ngrams)[0]
    yield texts(
        "finding.memory",
        model=model_name(best.base, texts),
        alone=f"{best.base.test_perplexity:.2f}",
        memory=f"{best.test_perplexity:.2f}",
        accuracy_alone=f"{100 * best.base.test_accuracy:.1f}",
        accuracy=f"{100 * best.test_accuracy:.1f}",
    )
    if networks and ngrams:
        yield _memory_of_ngram(best, ngrams[0], texts)


def _memory_of_ngram(network: MemoryResult, ngram: MemoryResult, texts: Texts) -> str:
    change_percent = 100 * (ngram.test_perplexity / network.test_perplexity - 1)
    if abs(change_percent) < SMALL_DIFFERENCE_PERCENT:
        key = "finding.memory_alike"
    else:
        key = "finding.memory_ahead" if change_percent > 0 else "finding.memory_behind"
    return texts(key, ngram=f"{ngram.test_perplexity:.2f}", percent=f"{abs(change_percent):.1f}")


def _effect_of_seq_length(content: ReportContent, texts: Texts) -> Iterator[str]:
    """Compares sequence lengths at the settings (model, learning rate) of the best run."""
    best = best_run(content.runs)
    perplexities = pd.DataFrame(
        [
            (run.seq_length, run.test_perplexity)
            for run in content.runs
            if (run.model, run.learning_rate) == (best.model, best.learning_rate)
        ],
        columns=["seq_length", "perplexity"],
    ).groupby("seq_length")["perplexity"]
    perplexity = perplexities.mean()
    ranked = perplexity.sort_values()
    if len(ranked) == 1:
        yield texts("finding.one_length", best=ranked.index[0])
        return
    widest_percent = 100 * (ranked.iloc[-1] / ranked.iloc[0] - 1)
    yield texts(
        "finding.by_length",
        best=ranked.index[0],
        figures=texts("finding.separator").join(
            texts("finding.at_length", length=length, perplexity=f"{value:.2f}")
            for length, value in perplexity.items()
        ),
        percent=f"{widest_percent:.1f}",
    )
    if perplexities.size().max() == 1:
        is_small = widest_percent < SMALL_DIFFERENCE_PERCENT
        yield texts("finding.one_seed_small" if is_small else "finding.one_seed")
        return
    spread = (perplexities.max() - perplexities.min()).max()
    gap = ranked.iloc[1] - ranked.iloc[0]
    key = "finding.seeds_clear" if gap > spread else "finding.seeds_unclear"
    yield texts(key, spread=f"{spread:.2f}", gap=f"{gap:.2f}")


def _nearer_than_ngrams(content: ReportContent, texts: Texts) -> Iterator[str]:
    """Whether samples are nearer to real tunes than the control's at the temperature where theirs are nearest."""
    far = content.discrepancies.set_index("set")["mmd_squared"]
    run = best_run(content.detailed_runs).name
    if not {run, CONTROL, TRAIN} <= set(far.index):
        return
    figures = {
        "samples": far[[run]].min(),
        "control": far[[CONTROL]].min(),
        "train": far[[TRAIN]].min(),
    }
    nearer = figures["samples"] < figures["control"]
    key = "finding.music_nearer" if nearer else "finding.music_no_nearer"
    yield texts(key, run=run, **{name: written(value, 3) for name, value in figures.items()})


def _musical_differences(content: ReportContent, texts: Texts) -> Iterator[str]:
    run = best_run(content.detailed_runs).name
    rows = content.metrics[content.metrics["run"] == run]
    total = rows["metric"].nunique()
    apart = {
        f"{temperature:g}": _metrics_apart(at, texts)
        for temperature, at in rows.groupby("temperature", sort=False)
    }
    sentences = [*_best_in_detail(content, texts)]
    if len(apart) > 1:
        sentences += _by_temperature(run, total, apart, texts)
    for metrics in apart.values() if len(apart) == 1 else ():
        key = "finding.music_differs" if metrics else "finding.music_alike"
        values = {"n": len(metrics), "total": total, "run": run}
        sentences.append(texts(key, metrics=texts.listed(metrics), **values))
    if any(apart.values()):
        sentences.append(texts("finding.intervals"))
    yield texts("finding.between_sentences").join(sentences)


def _best_in_detail(content: ReportContent, texts: Texts) -> Iterator[str]:
    """Which network what follows is about, where it is not the best of all."""
    best, shown = best_run(content.runs), best_run(content.detailed_runs)
    if best is not shown:
        yield texts(
            "finding.best_in_detail",
            run=shown.name,
            perplexity=f"{shown.test_perplexity:.2f}",
            best=best.name,
        )


def _by_temperature(
    run: str, total: int, apart: dict[str, list[str]], texts: Texts
) -> Iterator[str]:
    counts = [
        texts("finding.at_temperature", temperature=temperature, n=len(metrics))
        for temperature, metrics in apart.items()
    ]
    yield texts("finding.music_by_temperature", total=total, run=run, counts=texts.listed(counts))
    fewest = min(apart, key=lambda temperature: len(apart[temperature]))
    if apart[fewest]:
        metrics = texts.listed(apart[fewest])
        yield texts("finding.music_fewest", temperature=fewest, metrics=metrics)


def _metrics_apart(rows: pd.DataFrame, texts: Texts) -> list[str]:
    """Names of the metrics whose intervals do not overlap the corpus's."""
    return [
        texts(f"metric.{row['metric']}").lower()
        for _, row in rows.iterrows()
        if is_apart(
            row["generated_low"], row["generated_high"], row["corpus_low"], row["corpus_high"]
        )
    ]


def _flagged(content: ReportContent, texts: Texts) -> Iterator[str]:
    """How many samples copy more than is usual: of the best run in detail, and of the one with most of them.

    The second is told only where it has more than the best run; nothing where no held-out piece says what is usual.
    """
    novelty = content.copying.novelty
    held_out = novelty[novelty["set"] == HELD_OUT]["is_flagged"]
    if not len(held_out):
        return
    of_runs = novelty.groupby("run", sort=False)["is_flagged"]
    n_flagged, best = of_runs.sum(), best_run(content.detailed_runs).name
    n, total = int(n_flagged[best]), int(of_runs.size()[best])
    usual = texts(
        "finding.copies_usual",
        n=n,
        total=total,
        held_out=int(held_out.sum()),
        held_out_total=len(held_out),
    )
    yield texts("finding.between_sentences").join([_copies(best, n, total, texts), usual])
    most = str(n_flagged.idxmax())
    if n_flagged[most] > n:
        yield _copies(most, int(n_flagged[most]), int(of_runs.size()[most]), texts)


def _copies(run: str, n: int, total: int, texts: Texts) -> str:
    return texts("finding.copies_some" if n else "finding.copies_none", run=run, n=n, total=total)
