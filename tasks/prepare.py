"""Find the corpus that is asked for, and write the bundled one on its first use.

Not a stage: it makes inputs, which are never cached.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline_lib.notes.bundled import BUNDLED_CORPORA, DATA_FOLDER, prepare_bundled_corpus


def prepare(corpus: str, progress: Callable[[int, int], None] | None = None) -> Path:
    """The folder of a corpus.

    Parameters
    ----------
    corpus : str
        The name of a bundled corpus, or the path of any folder.
    progress : callable, optional
        Called with (tunes done, tunes in all) while a bundled corpus is written.
    """
    if corpus not in BUNDLED_CORPORA:
        return Path(corpus).expanduser()
    folder = DATA_FOLDER / "raw" / corpus
    prepare_bundled_corpus(corpus, folder, progress=progress)
    return folder
