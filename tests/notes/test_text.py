"""Text of unknown encoding."""

from __future__ import annotations

import pytest

from pipeline_lib.notes.text import decoded

WESTERN = [
    *("Fuß", "Mädchen", "Größe", "Über allen Gipfeln", "café de la gare", "Élégie", "À l'été"),
    *("Peña", "¿Dónde está?", "Øyá", "Smörgåsbord", "Ännchen von Tharau", "Don’t", "Coração", "Ö"),
]
JAPANESE = ["荒城の月", "さくら", "赤とんぼ", "ソーラン節", "故郷 (Furusato)", "の"]
CHINESE = ["茉莉花", "月亮代表我的心", "康定情歌 (Sichuan)", "二泉映月"]


@pytest.mark.parametrize("title", [*WESTERN, *JAPANESE, *CHINESE, "plain"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode(title: str, encoding: str) -> None:
    assert decoded(title.encode(encoding)) == title


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark(encoding: str) -> None:
    assert decoded("X:1\nT:Für\nK:C\n".encode(encoding)) == "X:1\nT:Für\nK:C\n"


@pytest.mark.parametrize("title", WESTERN)
def test_western(title: str) -> None:
    assert decoded(title.encode("cp1252")) == title


@pytest.mark.parametrize("title", JAPANESE)
def test_japanese(title: str) -> None:
    assert decoded(title.encode("cp932")) == title


@pytest.mark.parametrize("title", CHINESE)
def test_chinese(title: str) -> None:
    assert decoded(title.encode("gbk")) == title


@pytest.mark.parametrize("title", [*JAPANESE[:5], *CHINESE, *WESTERN])
def test_a_whole_score(title: str) -> None:
    encoding = "cp932" if title in JAPANESE else "gbk" if title in CHINESE else "cp1252"
    score = f"X:1\nT:{title}\nM:4/4\nK:C\nCDEF|\n"
    assert decoded(score.encode(encoding)) == score


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\xff", b"\xff\xfe", b"\xff\xfea", b"\x81", b"\0\0\0a"]
)
def test_no_bytes_are_an_error(data: bytes) -> None:
    assert isinstance(decoded(data), str)
