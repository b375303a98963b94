"""Find the corpus that is asked for, and write the bundled one on its first use.

Not a stage: it makes inputs, which are never cached.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline_lib.errors import CorpusError, did_you_mean, listed
from pipeline_lib.notes.corpus.bundled import BUNDLED_CORPORA, DATA_FOLDER, prepare_bundled_corpus


def prepare(corpus: str, progress: Callable[[int, int], None] | None = None) -> Path:
    """The folder of a corpus.

    Parameters
    ----------
    corpus : str
        The name of a bundled corpus, or the path of any folder.
    progress : callable, optional
        Called with (tunes done, tunes in all) while a bundled corpus is written.

    Raises
    ------
    CorpusError
        There is neither.
    """
    if corpus not in BUNDLED_CORPORA:
        return _given_folder(corpus)
    folder = DATA_FOLDER / "raw" / corpus
    prepare_bundled_corpus(corpus, folder, progress=progress)
    return folder


def _given_folder(corpus: str) -> Path:
    folder = Path(corpus).expanduser()
    if folder.exists():
        return folder
    raise CorpusError(
        f"there is no such corpus folder, nor a bundled corpus {corpus!r}",
        path=folder,
        remedy=f"{did_you_mean(corpus, BUNDLED_CORPORA)}name a folder of MIDI or score files, or a bundled corpus: {listed(BUNDLED_CORPORA)}",
    )
