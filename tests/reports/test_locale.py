"""Both languages say everything, and the embedded font can draw it."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from pipeline_lib.evaluation.metrics import METRICS
from pipeline_lib.notes.table import RejectReason
from pipeline_lib.reports import page
from pipeline_lib.reports.fonts.subset import FONT_PATH, characters_needed
from pipeline_lib.reports.language import LANGUAGES, Texts


def texts_by_key(language: str) -> dict[str, str]:
    return {
        f"{section}.{name}": text
        for section, texts in Texts(language).sections.items()
        for name, text in texts.items()
    }


def placeholders(text: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_languages_have_the_same_keys_and_placeholders() -> None:
    english, chinese = (texts_by_key(language) for language in LANGUAGES)
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert placeholders(text) == placeholders(chinese[key]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_reasons_metrics_and_units_are_translated(language: str) -> None:
    sections = Texts(language).sections
    assert sections["reason"].keys() == {reason.value for reason in RejectReason}
    assert sections["metric"].keys() == METRICS.keys()
    assert sections["explanation"].keys() == METRICS.keys()
    assert sections["unit"].keys() == {metric.unit for metric in METRICS.values()}


def test_every_text_is_used() -> None:
    """A key is in the sources as it is, or its section is looked up by name."""
    folder = Path(page.__file__).parent
    sources = "".join(
        path.read_text(encoding="utf-8")
        for pattern in ("*.py", "templates/*.j2")
        for path in folder.glob(pattern)
    )
    looked_up = set(re.findall(r"""["'](\w+)\.(?:" ~|\{)""", sources))
    unused = {
        key
        for key in texts_by_key("en")
        if f'"{key}"' not in sources and key.split(".")[0] not in looked_up
    }
    assert not unused


def test_font_has_every_chinese_character() -> None:
    with TTFont(FONT_PATH) as font:
        missing = set(map(ord, characters_needed())) - font.getBestCmap().keys()
    assert not missing
