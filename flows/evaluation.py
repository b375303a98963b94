"""Music from anywhere, measured as the pipeline measures its own: what ``music-pipeline evaluate`` does.

No run is needed, nor Prefect. Drums are left out, and all tracks of a piece are measured together.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from flows.running import LOG_NAME
from flows.terminal import ProgressDisplay, quiet_output
from pipeline_lib.artifacts import ArtifactStore
from pipeline_lib.config import EvaluateConfig, NoteEventConfig, ParseConfig
from pipeline_lib.errors import CorpusError
from pipeline_lib.evaluation.comparison import compare, holm
from pipeline_lib.evaluation.distances import discrepancy, set_distances
from pipeline_lib.evaluation.metrics import METRICS, build_reference, measure_set
from pipeline_lib.evaluation.novelty import Novelty, measure_novelty
from pipeline_lib.evaluation.statistics import bootstrap_interval, mean
from pipeline_lib.evaluation.top_lines import join_lines
from pipeline_lib.notes.corpus.catalogue import piece_path
from pipeline_lib.notes.corpus.snapshot import CorpusSnapshot
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.quantising import quantise_notes
from pipeline_lib.notes.table import Status
from pipeline_lib.stores.notes import read_shard_notes, read_shard_pieces
from tasks.ingest import ingest
from tasks.scan import take_snapshot

_SEED = 0
_MOST_MATCHES = 3

_PREFERRED_SUFFIXES = (".mid", ".midi", ".musicxml", ".mxl", ".xml", ".krn", ".abc")
"""One piece is often kept in several formats side by side: it is measured once, from the most exact of them."""


@dataclass(frozen=True)
class MeasuredMetric:
    """One metric of a folder's pieces; where it is compared with another folder, of those too.

    Parameters
    ----------
    metric, unit : str
    mean, low, high : float or None
        With its 95 % bootstrap interval; None where no piece is long enough.
    n : int
        Pieces that the mean is over.
    against_mean, against_low, against_high : float or None
    against_n : int
    overlapped_area : float or None
        1 if both sets are alike; None where the metric does not vary.
    delta : float or None
        Cliff's delta.
    p_holm : float or None
        p-value of the hypothesis that the means are equal: permutation, corrected for all metrics.
    """

    metric: str
    unit: str
    mean: float | None
    low: float | None
    high: float | None
    n: int
    against_mean: float | None = None
    against_low: float | None = None
    against_high: float | None = None
    against_n: int = 0
    overlapped_area: float | None = None
    delta: float | None = None
    p_holm: float | None = None


@dataclass(frozen=True)
class Match:
    """The longest passage that a piece shares with one of the other folder, in any key."""

    path: str
    n_notes: int
    source: str
    semitones: int


@dataclass(frozen=True)
class Folder:
    """A folder of music, and how many of its files and pieces were read."""

    path: str
    n_pieces: int
    n_rejected: int
    n_other_formats: int


@dataclass(frozen=True)
class Evaluation:
    """Figures of a folder of music and, where there is a second, how far apart the two are.

    Parameters
    ----------
    folder, against : Folder
        The second is None where nothing was compared.
    metrics : list of MeasuredMetric
    mmd_squared, mmd_p : float or None
        Distance of the folders over all metrics, and its p by permutation.
    copy_rate : float or None
        Mean share of a piece's 8-grams that the other folder has.
    matches : list of Match
        The longest ones.
    """

    folder: Folder
    against: Folder | None
    metrics: list[MeasuredMetric]
    mmd_squared: float | None = None
    mmd_p: float | None = None
    copy_rate: float | None = None
    matches: Sequence[Match] = ()


@dataclass(frozen=True, eq=False)
class _Music:
    folder: Folder
    pieces: Mapping[str, GridNotes]


def evaluate_music(path: Path, against: Path | None, log_folder: Path) -> Evaluation:
    """Measure the pieces of a folder, alone or against those of another.

    Parameters
    ----------
    path, against : Path
        Folders of MIDI or scores.
    log_folder : Path
        All that libraries print goes to a log in it.

    Raises
    ------
    CorpusError
        There is no such folder, or no piece in it that can be read.
    """
    with quiet_output(log_folder / LOG_NAME) as console, ProgressDisplay(console) as display:
        music = _read(path)
        other = _read(against) if against is not None else None
        with display.waiting("measure"):
            return _alone(music) if other is None else _against(music, other)


def _read(path: Path) -> _Music:
    with tempfile.TemporaryDirectory(prefix="music-pipeline-") as scratch:
        store = ArtifactStore(Path(scratch))
        snapshot = take_snapshot(store, path, keep_index=False)
        chosen = _one_format_each(snapshot)
        path_of = {file.sha256: file.shown_path for file in reversed(chosen.files)}
        pieces: dict[str, GridNotes] = {}
        n_rejected = sum(file.sha256 is None for file in chosen.files)
        for bucket in chosen.buckets(1):
            shard = ingest(store, bucket, ParseConfig())
            rows = read_shard_pieces(store, shard).to_pylist()
            n_rejected += sum(row["status"] == Status.REJECTED for row in rows)
            of_piece = {row["piece_id"]: row for row in rows}
            for piece_id, notes, _ in read_shard_notes(store, shard):
                row = of_piece[piece_id]
                row["path"] = path_of[row["sha256"]]
                pieces[piece_path(row)] = quantise_notes(
                    notes.take(~notes.is_drum),
                    NoteEventConfig().steps_per_quarter,
                    time_signature=row["time_signature"],
                    tempo_qpm=row["tempo_qpm"],
                    key_signature=row["key_signature"],
                )
    if not pieces:
        raise CorpusError(
            f"no piece can be read: all {n_rejected} are rejected",
            path=path,
            remedy=f"`music-pipeline ingest {path}` says why",
        )
    n_other = len(snapshot.files) - len(chosen.files)
    return _Music(Folder(str(path), len(pieces), n_rejected, n_other), pieces)


def _one_format_each(snapshot: CorpusSnapshot) -> CorpusSnapshot:
    """Leave out files that differ from another one in nothing but the suffix."""
    by_stem: dict[str, list[Any]] = {}
    for file in snapshot.files:
        by_stem.setdefault(str(PurePosixPath(file.path).with_suffix("")), []).append(file)
    return replace(snapshot, files=tuple(min(same, key=_preference) for same in by_stem.values()))


def _preference(file: Any) -> int:
    known = file.suffix in _PREFERRED_SUFFIXES
    return _PREFERRED_SUFFIXES.index(file.suffix) if known else len(_PREFERRED_SUFFIXES)


def _alone(music: _Music) -> Evaluation:
    pieces = list(music.pieces.values())
    figures = measure_set(pieces, EvaluateConfig(), build_reference(pieces))
    return Evaluation(music.folder, None, [_of_metric(name, figures) for name in METRICS])


def _against(music: _Music, other: _Music) -> Evaluation:
    here, there = list(music.pieces.values()), list(other.pieces.values())
    # Of both sides: a piece is more like a histogram that it is part of itself.
    reference, config = build_reference([*here, *there]), EvaluateConfig()
    figures, of_other = (measure_set(pieces, config, reference) for pieces in (here, there))
    compared = {name: compare(figures[name], of_other[name], _SEED) for name in METRICS}
    p_holm = holm([comparison.p for comparison in compared.values()])
    areas = set_distances(figures, of_other, _SEED).set_index("metric")["overlapped_area"]
    measured = [
        replace(
            _of_metric(name, figures),
            **_prefixed(_of_metric(name, of_other)),
            overlapped_area=_known(areas[name]),
            delta=_known(comparison.delta),
            p_holm=_known(p),
        )
        for (name, comparison), p in zip(compared.items(), p_holm, strict=True)
    ]
    apart = discrepancy(figures, of_other, _SEED)
    novelty = measure_novelty(join_lines(music.pieces), join_lines(other.pieces))
    return Evaluation(
        music.folder,
        other.folder,
        measured,
        mmd_squared=_known(apart.mmd_squared),
        mmd_p=_known(apart.p),
        copy_rate=_known(mean(novelty.copy_rate)),
        matches=_longest(novelty),
    )


def _of_metric(name: str, figures: pd.DataFrame) -> MeasuredMetric:
    values = figures[name]
    low, high = bootstrap_interval(values, _SEED)
    return MeasuredMetric(
        name,
        METRICS[name].unit,
        mean=_known(mean(values)),
        low=_known(low),
        high=_known(high),
        n=int(values.count()),
    )


def _prefixed(measured: MeasuredMetric) -> dict[str, Any]:
    return {f"against_{n}": asdict(measured)[n] for n in ("mean", "low", "high", "n")}


def _longest(novelty: Novelty) -> list[Match]:
    found = novelty.transposed
    order = np.argsort(-found.n_notes, kind="stable")[:_MOST_MATCHES]
    return [
        Match(
            novelty.lines.names[piece],
            int(found.n_notes[piece]),
            novelty.train.names[found.source[piece]],
            int(found.semitones[piece]),
        )
        for piece in order
        if found.n_notes[piece]
    ]


def _known(value: float) -> float | None:
    """A figure for JSON, which has no NaN."""
    return None if math.isnan(value) else float(value)
