"""The corpus for a first run: collections that music21 ships, written out once as MIDI files.

The pipeline starts from a folder of MIDI files like anyone's own. Such a folder is made here, as
``data/raw/<name>``, from Ryan's Mammoth Collection (1,059 fiddle tunes in ABC notation). A tune is read
and its repeats are played by `pipeline_lib.notes.notation`; its resolution holds every onset exactly, so nothing
is quantised.

The folder appears whole or not at all, and its bytes depend on music21's files and version only.
``prepared.json`` in it says what was written; ``data/corpora.toml`` what was expected.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import tempfile
import tomllib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from pipeline_lib.errors import CorpusError
from pipeline_lib.notes.corpus.scanning import scan_corpus
from pipeline_lib.notes.grid import GridNotes
from pipeline_lib.notes.midi.files import write_midi
from pipeline_lib.notes.notation.files import written_scores
from pipeline_lib.notes.notation.playing import play
from pipeline_lib.notes.piece import ParsedPiece, RejectedFile

BUNDLED_CORPORA = {"ryans-mammoth": "ryansMammoth"}
"""Corpora that can be prepared: our name of each, and music21's."""

PREPARED_NAME = "prepared.json"
DATA_FOLDER = Path(__file__).parents[3] / "data"
CORPORA_TOML = DATA_FOLDER / "corpora.toml"

_log = logging.getLogger(__name__)


def prepare_bundled_corpus(
    name: str,
    target: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a bundled corpus as MIDI files, unless it is there already.

    A warning is logged when the files differ from those that `CORPORA_TOML` records, which happens with
    other versions of music21. Tunes that cannot be written are left out and named in `PREPARED_NAME`.

    Parameters
    ----------
    name : str
        One of `BUNDLED_CORPORA`.
    target : Path
        The folder to make, such as ``data/raw/ryans-mammoth``.
    progress : callable, optional
        Called with (tunes done, tunes in all) after each tune.

    Raises
    ------
    CorpusError
        The name is unknown, or the target exists and is no prepared corpus.
    """
    if name not in BUNDLED_CORPORA:
        raise CorpusError(
            f"no corpus named {name!r} is bundled",
            remedy=f"choose one of: {', '.join(BUNDLED_CORPORA)}",
        )
    if (target / PREPARED_NAME).is_file():
        return
    if target.exists():
        raise CorpusError(
            f"this is in the way: it is no prepared corpus (it has no {PREPARED_NAME})",
            path=target,
            remedy="move it away, or remove it if it is not yours",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".preparing-", dir=target.parent) as scratch:
        folder = Path(scratch) / target.name
        folder.mkdir()
        _write_corpus(name, folder, progress)
        folder.rename(target)


def _write_corpus(name: str, folder: Path, progress: Callable[[int, int], None] | None) -> None:
    sources = sorted(_music21_corpus(BUNDLED_CORPORA[name]).iterdir())
    skipped: dict[str, str] = {}
    for done, source in enumerate(sources, start=1):
        problem = _write_tune(folder, source)
        if problem is not None:
            skipped[source.name] = problem
        if progress is not None:
            progress(done, len(sources))
    _write_record(name, folder, skipped)


def _music21_corpus(name: str) -> Path:
    """Folder of one of music21's collections; it is found without the seconds that importing music21 takes."""
    package = importlib.util.find_spec("music21")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "corpus" / name


def _write_tune(folder: Path, source: Path) -> str | None:
    """Convert one tune; returns why it was left out, or None."""
    try:
        score = next(written_scores(source.read_bytes(), source.suffix))
        if isinstance(score, RejectedFile):
            return str(score)
        piece = play(score, "play")
    except Exception as error:  # one odd tune must not cost the others
        return f"{type(error).__name__}: {error}"
    if not len(piece):
        return "no notes"
    path = folder / f"{source.stem}.mid"
    write_midi(_as_grid(piece), path, track_name=score.title or source.stem)
    return None


def _as_grid(piece: ParsedPiece) -> GridNotes:
    return GridNotes(
        onset_step=piece.onset_tick.astype(np.int64),
        duration_step=piece.duration_tick.astype(np.int64),
        pitch=piece.pitch.astype(np.int64),
        steps_per_quarter=piece.ticks_per_quarter,
        time_signature=piece.time_signature,
        tempo_qpm=piece.tempo_qpm,
        key_signature=piece.key_signature,
    )


def _write_record(name: str, folder: Path, skipped: dict[str, str]) -> None:
    snapshot = scan_corpus(folder)
    expected = _recorded_sha256(name)
    if snapshot.sha256 != expected:
        _log.warning(
            "the prepared corpus %s (checksum %s) differs from the recorded one (%s); "
            "figures in the documentation may differ slightly",
            name,
            snapshot.sha256,
            expected,
        )
    record: dict[str, Any] = {
        "corpus": name,
        "music21": metadata.version("music21"),
        "files": len(snapshot.files),
        "snapshot_sha256": snapshot.sha256,
        "as_recorded": snapshot.sha256 == expected,
        "skipped": skipped,
    }
    text = json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False)
    (folder / PREPARED_NAME).write_text(text + "\n", encoding="utf-8")


def _recorded_sha256(name: str) -> str | None:
    """The checksum in `CORPORA_TOML`; None outside a checkout, where there is no such file."""
    if not CORPORA_TOML.is_file():
        return None
    recorded = tomllib.loads(CORPORA_TOML.read_text(encoding="utf-8"))[name]["snapshot_sha256"]
    return str(recorded)
