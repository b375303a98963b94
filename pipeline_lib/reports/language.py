"""The languages of the report, and their texts.

Every text is in ``locale/<language>.toml``. A page holds all languages at once, each in elements that carry
its ``lang``; the style sheet shows one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from markupsafe import Markup

LANGUAGES = {"en": "en", "zh": "zh-CN"}
"""Name of the locale file to the value of HTML's ``lang``."""

_FOLDER = Path(__file__).parent / "locale"


class Texts:
    """The texts of one language.

    Parameters
    ----------
    language : str
        A key of `LANGUAGES`.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self.sections: dict[str, dict[str, str]] = tomllib.loads(
            (_FOLDER / f"{language}.toml").read_text(encoding="utf-8").replace(" %", "\u00a0%")
        )

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key such as "results.model", with its {names} filled in; no line ends before a % sign."""
        section, name = key.split(".")
        return self.sections[section][name].format(**values)

    def listed(self, items: Sequence[str]) -> str:
        """Items one after another, the last joined as the language does it."""
        if len(items) < 2:
            return "".join(items)
        others = self("finding.separator").join(items[:-1])
        return self("finding.last_separator").join([others, items[-1]])


@cache
def texts_in(language: str) -> Texts:
    """The texts of a language, read once."""
    return Texts(language)


def in_all_languages(write: Callable[[Texts], str]) -> Markup:
    """What ``write`` says in each language, in elements of which the page shows one.

    Plain strings are escaped, `Markup` is kept.
    """
    return Markup("").join(
        Markup('<span lang="{}">{}</span>').format(html_lang, write(texts_in(language)))
        for language, html_lang in LANGUAGES.items()
    )


def translated(key: str, **values: object) -> Markup:
    """The text of a key in all languages."""
    return in_all_languages(lambda texts: texts(key, **values))
