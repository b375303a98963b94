"""The lab report's conclusions, put as claims that comparisons between the runs of an experiment can go against.

There are seven claims (`CLAIMS`):

1. The high learning rate's loss falls faster than the low one's, and levels off near 1,000 iterations.
2. ``seq_length`` 100 converges faster than 50.
3. Music from the high rate is closer to the source style.
4. ``seq_length`` 100 gives a calmer rhythm than 50.
5. Short windows: more diverse, less connected; long ones: more coherent, more repetitive.
6. A low temperature: stable and repetitive; a high one: diverse, with leaps.
7. Lower rates (1e-3 to 1e-4) train more smoothly.

`evaluation.claims` says how comparisons decide a claim. Losses are those of training, in nats per token; music is
sampled at temperature 1, unless temperatures are compared. All runs continue the same prompts, so that their samples
are pairs. The unit of every comparison is a training: all blocks of its curve, or all its samples, together make one
difference (`comparison`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pipeline_lib.config import RunConfig
from pipeline_lib.evaluation.claims import Finding, Judgement, Outcome, judge
from pipeline_lib.evaluation.closeness import compare_closeness
from pipeline_lib.evaluation.comparison import Comparison, compare_paired
from pipeline_lib.evaluation.loss_curves import (
    BLOCK_UPDATES,
    blocks,
    plateau_interval,
    plateau_update,
    roughness,
)
from pipeline_lib.evaluation.statistics import FloatArray
from pipeline_lib.studies.lab_report.settings import (
    CONVERGED_RATE,
    HIGH_RATE,
    LEARNING_RATES,
    LOW_RATE,
    TEMPERATURES,
)

CLAIMS = range(1, 8)
"""Numbers of the claims."""

CLAIMED_PLATEAU = 1_000
"""Update at which, by claim 1, the loss of v1 levels off."""
_NEAR = (500.0, 2_000.0)
"""Range of updates that counts as near `CLAIMED_PLATEAU`: from half of it to twice as much."""

_SMOOTH_RATES = (1e-3, 5e-4, 1e-4)
"""Learning rates that, by claim 7, train more smoothly than the high one."""
_PLAIN_TEMPERATURE = 1.0
"""Temperature of the music that is compared, unless temperatures are."""
_BLOCK_TOKENS = 80_000
"""Number of tokens read within a block, where runs are compared after as many notes."""


@dataclass(frozen=True, eq=False)
class LabRun:
    """One training of the experiment, and its music.

    Parameters
    ----------
    config : RunConfig
    losses : float64 array, shape (n_updates,)
        Training loss of every update, in nats per token.
    pieces : DataFrame
        One row per sample: ``temperature``, ``sample`` (its number), and a column per metric.
    """

    config: RunConfig
    losses: FloatArray
    pieces: pd.DataFrame


@dataclass(frozen=True, eq=False)
class _Side:
    """One side of a comparison: runs that differ in their seeds only."""

    name: str
    runs: Sequence[LabRun]

    @property
    def n_updates(self) -> int:
        return min(len(run.losses) for run in self.runs)


class _LabRuns:
    """The runs of the experiment, found by their settings."""

    def __init__(self, runs: Sequence[LabRun], corpus: pd.DataFrame, seed: int) -> None:
        self.corpus, self.seed = corpus, seed
        first = runs[0].config
        # The three runs had one layer; deeper networks are not part of any claim.
        self.runs = [run for run in runs if run.config.model == first.model]
        self.batch_sizes = sorted({run.config.n_windows for run in self.runs})

    @property
    def v1(self) -> _Side | None:
        return self._side("v1", 100, HIGH_RATE, self.batch_sizes[0])

    def side(self, seq_length: int, rate: float) -> _Side | None:
        """The runs of a length and a rate, with the larger batch size, which all runs but v1 have; None without any."""
        names = {(100, LOW_RATE): "v2", (50, LOW_RATE): "v3"}
        name = names.get((seq_length, rate), f"L{seq_length}, {rate:g}")
        return self._side(name, seq_length, rate, self.batch_sizes[-1])

    def lengths(self, rate: float) -> list[int]:
        return sorted({r.config.seq_length for r in self.runs if r.config.learning_rate == rate})

    def _side(self, name: str, seq_length: int, rate: float, batch_size: int) -> _Side | None:
        wanted = (seq_length, rate, batch_size)
        runs = [
            run
            for run in self.runs
            if (run.config.seq_length, run.config.learning_rate, run.config.n_windows) == wanted
        ]
        return _Side(name, runs) if runs else None


def judge_claims(runs: Sequence[LabRun], corpus: pd.DataFrame, seed: int) -> list[Judgement]:
    """Evaluate all seven claims.

    Parameters
    ----------
    runs : sequence of LabRun
        At least one run. If they have several kinds of networks, only those with the first run's kind are compared.
    corpus : DataFrame
        One row per held-out piece, a column per metric: the source style.
    seed : int
        Seed of all resampling.
    """
    experiment = _LabRuns(runs, corpus, seed)
    return judge(CLAIMS, [finding for look in _LOOKS for finding in look(experiment)])


def _plateau_outcome(c: Comparison, n_updates: int) -> Outcome:
    """Outcome of comparing the plateau with `CLAIMED_PLATEAU`: whether its 95 % interval lies within `_NEAR`."""
    if n_updates < _NEAR[1]:
        return "unfinished"  # the curve might have levelled off later
    earliest, latest = _NEAR
    if earliest <= c.mean_b + c.low and c.mean_b + c.high <= latest:
        return "as_claimed"
    is_away = c.mean_b + c.high < earliest or c.mean_b + c.low > latest
    return "opposite" if is_away else "unclear"


def _falls_faster(lab: _LabRuns) -> Iterator[Finding]:
    """Claim 1: the loss over the first 1,000 updates, and where it levels off."""
    low = lab.side(100, LOW_RATE)
    for high in (lab.v1, lab.side(100, HIGH_RATE)):
        if high and low:
            yield _of_curves(lab, 1, "loss_by_update", low, high, _early_means)
    if lab.v1:
        yield _of_plateau(lab, lab.v1)


def _converges_faster(lab: _LabRuns) -> Iterator[Finding]:
    """Claim 2: a lower loss after the same updates, and levelling off sooner; for information, after the same notes.

    A longer window has a lower loss for two other reasons: it reads more notes in each update, and more of its targets
    have a long context. So a lower loss alone does not decide.
    """
    for rate in (LOW_RATE, CONVERGED_RATE):
        short, long = lab.side(50, rate), lab.side(100, rate)
        if short and long:
            yield _of_curves(lab, 2, "loss_by_update", short, long, _means)
            yield _of_curves(lab, 2, "level_update", short, long, _plateau)
            by_notes = _of_curves(lab, 2, "loss_by_notes", short, long, _means_by_notes)
            yield replace(by_notes, decides=False)


def _is_closer(lab: _LabRuns) -> Iterator[Finding]:
    """Claim 3: the distance from held-out music, of v1 and of the same rate with v2's batch size."""
    low = lab.side(100, LOW_RATE)
    for high in (lab.v1, lab.side(100, HIGH_RATE)):
        if high and low:
            far, close = _pieces(low), _pieces(high)
            comparison = compare_closeness(
                far, close, lab.corpus, lab.seed, far["seed"], close["seed"]
            )
            yield Finding(3, "distance", low.name, high.name, True, comparison)


def _is_calmer(lab: _LabRuns) -> Iterator[Finding]:
    """Claim 4: a lower entropy of the times between onsets, and fewer notes per quarter."""
    for rate in (LOW_RATE, CONVERGED_RATE):
        short, long = lab.side(50, rate), lab.side(100, rate)
        if short and long:
            for metric in ("ioi_entropy", "note_density"):
                yield _of_metric(lab, 4, metric, short, long)


def _differ_in_form(lab: _LabRuns) -> Iterator[Finding]:
    """Claim 5: pitches more varied with the shortest windows; bars and phrases that come back with the longest."""
    for rate in (LOW_RATE, CONVERGED_RATE):
        lengths = lab.lengths(rate)
        short, long = (
            lab.side(n, rate) for n in (min(lengths, default=0), max(lengths, default=0))
        )
        if short and long and len(lengths) > 1:
            yield _of_metric(lab, 5, "pitch_entropy", short, long)
            yield _of_metric(lab, 5, "bar_self_similarity", long, short)
            yield _of_metric(lab, 5, "ngram_repetition_4", long, short)


def _differ_in_temperature(lab: _LabRuns) -> Iterator[Finding]:
    """Claim 6: the same prompts continued by v1, v2 and v3 at the lowest and the highest temperature."""
    sides = (lab.v1, lab.side(100, LOW_RATE), lab.side(50, LOW_RATE))
    runs = [run for side in sides if side for run in side.runs]
    if not runs:
        return
    cold, hot = (_at(runs, temperature) for temperature in (TEMPERATURES[0], TEMPERATURES[-1]))
    if not len(cold) or len(cold) != len(hot):
        return
    names = (f"T {TEMPERATURES[0]:g}", f"T {TEMPERATURES[-1]:g}")
    for metric, low_is_higher in (
        ("ngram_repetition_4", True),
        ("pitch_entropy", False),
        ("leap_rate", False),
    ):
        a, b = (cold, hot) if low_is_higher else (hot, cold)
        comparison = compare_paired(a[metric], b[metric], lab.seed, a["run"])
        spread = _spread(a[metric] - b[metric])
        yield Finding(
            6, metric, *(names if low_is_higher else names[::-1]), True, comparison, spread
        )


def _is_smoother(lab: _LabRuns) -> Iterator[Finding]:
    """Claim 7: a loss curve that is less rough with lower learning rates."""
    high = lab.side(100, HIGH_RATE)
    for rate in _SMOOTH_RATES:
        low = lab.side(100, rate)
        if high and low:
            yield _of_curves(lab, 7, "roughness", high, low, _roughness)


_LOOKS: tuple[Callable[[_LabRuns], Iterator[Finding]], ...] = (
    _falls_faster,
    _converges_faster,
    _is_closer,
    _is_calmer,
    _differ_in_form,
    _differ_in_temperature,
    _is_smoother,
)


def _of_curves(
    lab: _LabRuns,
    claim: int,
    measure: str,
    a: _Side,
    b: _Side,
    values_of: Callable[[LabRun], FloatArray],
) -> Finding:
    """Compare curves of the same seed, block by block, after as many updates or as many notes."""
    pairs, seeds = [np.empty((0, 2))], []
    for one in a.runs:
        for other in b.runs:
            if one.config.seed == other.config.seed:
                both = zip(values_of(one), values_of(other), strict=False)
                pairs.append(np.array(list(both)).reshape(-1, 2))
                seeds += [one.config.seed] * len(pairs[-1])
    in_a, in_b = np.concatenate(pairs).T
    # Losses fall, so their standard deviation along the curve does not say what is negligible.
    comparison = compare_paired(in_a, in_b, lab.seed, seeds)
    return Finding(claim, measure, a.name, b.name, True, comparison)


def _of_plateau(lab: _LabRuns, side: _Side) -> Finding:
    """Compare the update at which curves level off with the one that is claimed."""
    curves = [run.losses[: side.n_updates] for run in side.runs]
    mean_update = float(np.mean([plateau_update(curve) for curve in curves]))
    low, high = plateau_interval(curves, lab.seed)
    comparison = Comparison(
        mean_a=mean_update,
        mean_b=CLAIMED_PLATEAU,
        difference=mean_update - CLAIMED_PLATEAU,
        low=low - CLAIMED_PLATEAU,
        high=high - CLAIMED_PLATEAU,
        delta=float("nan"),
        p=float("nan"),
        n_a=len(curves),
        n_b=0,
        n_groups=len(curves),
    )
    outcome = _plateau_outcome(comparison, side.n_updates)
    return Finding(1, "plateau", side.name, "", True, comparison, outcome=outcome)


def _of_metric(lab: _LabRuns, claim: int, metric: str, a: _Side, b: _Side) -> Finding:
    """Compare a metric of continuations of the same prompts by trainings with the same seed."""
    which = ["seed", "sample"]
    in_a, in_b = (_pieces(side).set_index(which)[metric] for side in (a, b))
    in_a, in_b = in_a.align(in_b, join="inner")
    comparison = compare_paired(in_a, in_b, lab.seed, in_a.index.get_level_values("seed"))
    spread = _spread(in_a, in_b)
    return Finding(claim, metric, a.name, b.name, True, comparison, spread)


def _pieces(side: _Side) -> pd.DataFrame:
    """The pieces that a side's runs composed at the plain temperature."""
    return _at(side.runs, _PLAIN_TEMPERATURE)


def _at(runs: Sequence[LabRun], temperature: float) -> pd.DataFrame:
    """The pieces that runs composed at one temperature, with the ``seed`` and the ``run`` that each is from."""
    return pd.concat(
        [
            run.pieces[run.pieces["temperature"] == temperature].assign(
                seed=run.config.seed, run=run.config.name
            )
            for run in runs
        ],
        ignore_index=True,
    )


def _means(run: LabRun) -> FloatArray:
    means: FloatArray = blocks(run.losses).mean(axis=1)
    return means


def _early_means(run: LabRun) -> FloatArray:
    return _means(run)[: CLAIMED_PLATEAU // BLOCK_UPDATES]


def _plateau(run: LabRun) -> FloatArray:
    return np.array([plateau_update(run.losses)])


def _means_by_notes(run: LabRun) -> FloatArray:
    """Mean losses of blocks that each read `_BLOCK_TOKENS` tokens, however many an update reads."""
    n_updates = max(1, _BLOCK_TOKENS // (run.config.n_windows * run.config.seq_length))
    means: FloatArray = blocks(run.losses, n_updates).mean(axis=1)
    return means


def _roughness(run: LabRun) -> FloatArray:
    return roughness(run.losses)


def _spread(*sides: ArrayLike) -> float:
    """Standard deviation within the sides, pooled; NaN with fewer than two values."""
    known = [np.asarray(side, dtype=np.float64) for side in sides]
    known = [side[~np.isnan(side)] for side in known]
    freedom = sum(len(side) - 1 for side in known)
    squares = sum(float(((side - side.mean()) ** 2).sum()) for side in known if len(side))
    return float(np.sqrt(squares / freedom)) if freedom > 0 else float("nan")


def lab_curves(runs: Sequence[LabRun]) -> pd.DataFrame:
    """Tabulate the loss curves that the claims are about, as means of blocks, for plotting.

    Returns
    -------
    DataFrame
        One row per block: ``side`` (v1 to v3, and the sides that differ from v2 in the rate alone), ``seed``,
        ``update`` (the last of the block), ``loss`` (nats per token).
    """
    lab = _LabRuns(runs, pd.DataFrame(), seed=0)
    sides = [lab.v1, *(lab.side(100, rate) for rate in LEARNING_RATES), lab.side(50, LOW_RATE)]
    frames = [
        pd.DataFrame(
            {
                "side": side.name,
                "seed": run.config.seed,
                "update": BLOCK_UPDATES * np.arange(1, len(_means(run)) + 1),
                "loss": _means(run),
            }
        )
        for side in sides
        if side
        for run in side.runs
    ]
    nothing = pd.DataFrame({"side": [], "seed": [], "update": [], "loss": []})
    return pd.concat(frames, ignore_index=True) if frames else nothing
