"""The page as text, and in a browser without a network."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from pipeline_lib.evaluation.metrics import METRICS
from pipeline_lib.reports import music_plots
from pipeline_lib.reports.content import ReportContent
from pipeline_lib.reports.language import texts_in
from pipeline_lib.reports.music_plots import leap_distribution, overlapped_areas
from pipeline_lib.reports.page import render_page
from pipeline_lib.reports.plots import loss_curves
from pipeline_lib.reports.sample_rolls import piano_roll
from pipeline_lib.stores import file_names
from tests.reports.made_up import made_up_distances, made_up_leaps, made_up_metrics

SCREENSHOTS = Path(__file__).parents[2] / "test-output"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Chromium as found in distributions; none of these weakens what is tested.
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
]


@pytest.fixture(scope="session")
def html(content: ReportContent) -> str:
    return render_page(content)


@pytest.mark.slow
def test_same_content_same_bytes(content: ReportContent, html: str) -> None:
    assert render_page(content) == html


def test_nothing_is_loaded_from_elsewhere(html: str) -> None:
    assert "default-src 'none'" in html
    links = re.findall(r"""(?:\s(?:src|href)="|url\(["']?)([^"')]+)""", html)
    assert {link[:5] for link in links if not link.startswith("#")} == {"data:"}


def test_texts_from_files_are_escaped(html: str) -> None:
    assert "<script>alert(1)" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.mid" in html
    assert "Training piece <code>&lt;b&gt;folder&lt;/b&gt;/tune.mid</code>, from bar" in html


def test_ids_are_unique(html: str) -> None:
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_models_with_memory_have_rows_and_the_best_row_is_marked(html: str) -> None:
    rows = [re.sub(r"\s+", " ", row) for row in re.findall(r"<tr[^>]*>.*?</tr>", html, re.S)]
    (best,) = (row for row in rows if 'class="best"' in row)
    assert "lstm3x128, with memory" in best
    assert "lstm3x128，带记忆" in best
    assert ">3.00<" in best
    (ngram,) = (row for row in rows if "n-gram, order 6, Kneser-Ney, with memory" in row)
    assert ">3.32<" in ngram


@pytest.mark.usefixtures("no_plots")
def test_unequal_targets_are_pointed_out(content: ReportContent, html: str) -> None:
    warning = texts_in("en")("results.unequal", fewest="1", most="41,802")
    assert warning not in html
    first, *others = content.runs
    unequal = replace(content, runs=(replace(first, n_targets=1), *others), samples=())
    assert warning in render_page(unequal)


@pytest.mark.usefixtures("no_plots")
def test_many_unknown_tokens_are_pointed_out(content: ReportContent, html: str) -> None:
    assert 'class="warning"' not in html
    corpus = replace(content.corpus, unknown_share=0.123)
    (warning,) = re.findall(
        r'<p class="warning">(.+)</p>', render_page(replace(content, corpus=corpus, samples=()))
    )
    assert "12.3\u00a0% of the test tokens are not in the vocabulary" in warning
    assert "12.3% 不在词表之内" in warning


@pytest.mark.slow
def test_a_report_of_next_to_nothing(content: ReportContent) -> None:
    metrics = content.metrics.query(f"run == '{content.runs[0].name}'").copy()
    metrics.loc[:, "generated_low":"generated_high"] = np.nan

    def of_first(breakdown: pd.DataFrame) -> pd.DataFrame:
        return breakdown[breakdown["name"] == content.runs[0].name]

    sparse = replace(
        content,
        runs=content.runs[:1],
        baselines=(),
        with_memory=(),
        reliability=of_first(content.reliability),
        loss_by_place=of_first(content.loss_by_place),
        metrics=metrics,
        samples=(),
        corpus=replace(content.corpus, rejects=()),
    )
    html = render_page(sparse)
    assert "No file was rejected." in html
    assert "nan" not in re.sub(r"data:[^)\"]+", "", html).lower().split("<main>")[1]


@pytest.mark.usefixtures("no_plots")
def test_several_temperatures_are_columns_of_their_run(content: ReportContent, html: str) -> None:
    assert "colspan" not in html[html.index('<table class="metrics"') :].split("</thead>")[0]
    names = [run.name for run in content.runs]
    metrics = made_up_metrics(names, (0.5, 1.2))
    leaps = made_up_leaps(names, (0.5, 1.2))
    table = render_page(replace(content, metrics=metrics, leaps=leaps, samples=())).partition(
        '<table class="metrics"'
    )[2]
    header, _, body = table.partition("</thead>")
    assert header.count('colspan="2"') == len(names)
    temperatures = re.findall(r'<span lang="en">temperature ([\d.]+)</span>', header)
    assert temperatures == ["0.5", "1.2"] * len(names)
    first_row = body.partition("</tr>")[0]
    cells = re.findall(r"<b>([\d.]+)</b>", first_row)
    expected = metrics[metrics["metric"] == metrics["metric"].iloc[0]]["generated_mean"]
    # Made up: of about 2.6 bits, the narrowest interval is 0.04 of that wide, 0.10: two decimals.
    assert cells[1:] == [f"{mean:.2f}" for mean in expected]


def test_each_temperature_has_a_panel_of_leaps(content: ReportContent) -> None:
    names, texts = [run.name for run in content.runs], texts_in("en")
    svg = leap_distribution(made_up_leaps(names, (0.5, 1.0, 1.2)), texts)
    assert re.findall(r">temperature ([\d.]+)<", svg) == ["0.5", "1", "1.2"]
    assert "temperature" not in leap_distribution(content.leaps, texts)


def test_how_well_the_best_of_each_kind_predicts_is_shown(html: str) -> None:
    section = html.partition('<section id="prediction"')[2].partition("</section>")[0]
    body = section.partition("<tbody>")[2].partition("</tbody>")[0]
    names = re.findall(r'<th scope="row"><span lang="en">(.*?)</span>', body)
    assert names == [
        "lstm3x128-L50-lr0.002-s0",
        "n-gram, order 6, Kneser-Ney",
        "lstm3x128-L50-lr0.002-s0, with memory",
    ]
    # Made up: pitch is four fifths of the loss, 1.301 of the best network.
    cells = re.findall(r'<td class="n">([^<]+)</td>', body)
    assert cells[:4] == ["1.301", "1.041", "0.260", "3.1\u00a0%"]
    svg = section.partition("<svg")[2].partition("</svg>")[0]
    assert "tokens since the start of the piece" in svg
    assert all(f">{name}<" in svg for name in names)


def test_figures_and_tables_are_numbered_in_their_order(html: str) -> None:
    for kind in ("Figure", "Table"):
        numbers = re.findall(rf'<b><span lang="en">{kind} (\d+)\.</span>', html)
        assert numbers == [str(n) for n in range(1, len(numbers) + 1)]
        assert len(numbers) >= 5


def test_the_references_stand_beside_every_run(content: ReportContent, html: str) -> None:
    section = html.partition('<section id="closeness"')[2].partition("</section>")[0]
    names = re.findall(r'<th scope="row"><span lang="en">([^<]+)</span>', section)
    runs = [f"L{run.seq_length}, temperature 1" for run in content.runs]
    assert names == ["other real pieces (train)", *runs, "n-gram samples, temperature 1"]
    figures = re.findall(r'<td class="n">([^<]+)</td>', section)
    assert figures[:3] == ["−0.0004", "0.620", "104"]
    assert figures[-3:] == ["0.3120", "0.001", "32"]


@pytest.mark.slow
def test_areas_have_a_panel_for_each_metric_that_is_known(content: ReportContent) -> None:
    names, texts = [run.name for run in content.runs], texts_in("en")
    svg = overlapped_areas(made_up_distances(names, (0.5, 1.2)), texts)
    assert ">Leap rate<" in svg
    assert ">Polyphony<" not in svg
    assert svg.count(">temperature<") == -(-(len(METRICS) - 1) // 4)  # once a row of four panels
    assert "n-gram samples" in svg


def test_the_control_is_drawn_beside_the_runs_of_its_temperature(content: ReportContent) -> None:
    # Each line is as high as the marks of three runs, with half a place above and below.
    names, temperatures = [run.name for run in content.runs], (0.5, 1.2)
    distances = made_up_distances(names, temperatures)
    places = music_plots._Places(names, list(temperatures))
    axes = Figure().subplots()
    music_plots._area_panel(axes, distances[distances["metric"] == "leap_rate"], places)
    ends = [
        collection.get_segments()[0][:, 1].tolist()
        for collection in axes.collections
        if isinstance(collection, LineCollection)
    ]
    assert ends == [[-0.5, 2.5], [3.5, 6.5]]


@pytest.mark.slow
def test_where_no_distance_is_known_none_is_drawn(content: ReportContent) -> None:
    """As of a handful of pieces, or of pieces that are all alike."""
    unknown = content.distances.assign(overlapped_area=np.nan)
    html = render_page(replace(content, distances=unknown, samples=()))
    section = html.partition('<section id="closeness"')[2].partition("</section>")[0]
    assert "<svg" not in section
    assert "n-gram samples" in section


def test_plots_take_text_fonts_and_colours_from_the_page(content: ReportContent) -> None:
    svg = loss_curves(content.runs, texts_in("zh"))
    assert "训练轮次" in svg
    assert "var(--series-1)" in svg
    assert "font-family" not in svg
    assert loss_curves(content.runs, texts_in("zh")) == svg
    ET.fromstring(svg)


def test_a_silent_piano_roll(content: ReportContent) -> None:
    notes = content.samples[0].notes
    empty = np.empty(0, dtype=np.int64)
    silent = replace(notes, onset_step=empty, duration_step=empty, pitch=empty)
    ET.fromstring(piano_roll(silent, 0, "silent"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=BROWSER_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A tab without network; errors and requests are collected on ``tab.problems``."""
    context = browser.new_context(
        offline=True, locale="en-GB", viewport={"width": 1280, "height": 900}
    )
    tab = context.new_page()
    tab.problems = []
    tab.on("console", lambda message: tab.problems.append(message.text))
    tab.on("pageerror", lambda error: tab.problems.append(str(error)))
    tab.on(
        "request",
        lambda request: (
            request.url.startswith(("file:", "data:")) or tab.problems.append(request.url)
        ),
    )
    yield tab
    assert tab.problems == []
    context.close()


@pytest.fixture(scope="session")
def page_url(html: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / file_names.REPORT
    path.write_text(html, encoding="utf-8")
    return path.as_uri()


VISIBLE_TEXT = """language => [...document.querySelectorAll(`main [lang="${language}"]`)]
    .filter(element => element.checkVisibility()).length"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "shown", "hidden"), [("en", "en", "zh-CN"), ("zh", "zh-CN", "en")]
)
def test_one_language_is_shown_completely(
    tab: Any, page_url: str, query: str, shown: str, hidden: str
) -> None:
    tab.goto(f"{page_url}?lang={query}")
    assert tab.evaluate("document.documentElement.lang") == shown
    assert tab.evaluate(VISIBLE_TEXT, shown) > 100
    assert tab.evaluate(VISIBLE_TEXT, hidden) == 0
    SCREENSHOTS.mkdir(exist_ok=True)
    tab.screenshot(path=SCREENSHOTS / f"report-{query}.png", full_page=True)


@pytest.mark.slow
def test_chinese_page_has_no_english_sentence(tab: Any, page_url: str) -> None:
    tab.goto(f"{page_url}?lang=zh")
    # What is folded counts, too.
    tab.evaluate("document.querySelectorAll('details').forEach(folded => { folded.open = true; })")
    text = tab.evaluate("document.querySelector('main').innerText")
    english = re.findall(r"\b(?:the|of|and|is)\b", text)
    assert english == []


@pytest.mark.slow
def test_language_follows_the_browser_and_is_remembered(tab: Any, page_url: str) -> None:
    tab.goto(page_url)
    assert tab.evaluate("document.documentElement.lang") == "en"
    tab.get_by_role("button", name="中文").click()
    assert tab.evaluate(VISIBLE_TEXT, "en") == 0
    tab.goto("about:blank")
    tab.goto(page_url)
    assert tab.evaluate("document.documentElement.lang") == "zh-CN"


def wait_until(tab: Any, condition: str) -> None:
    """Playwright's own waiting evaluates text inside the page, which the page forbids."""
    for _ in range(50):
        if tab.evaluate(condition):
            return
        tab.wait_for_timeout(100)
    pytest.fail(f"still not so after 5 s: {condition}")


@pytest.mark.slow
def test_sound_plays_and_the_score_follows(tab: Any, page_url: str) -> None:
    tab.goto(page_url)
    tab.evaluate("document.querySelectorAll('audio')[1].play()")
    wait_until(tab, "document.querySelectorAll('audio')[1].currentTime > 0.3")
    assert tab.locator(".sample").nth(1).locator(".lit").count() == 1
    tab.locator(".time").first.click(position={"x": 400, "y": 40})
    wait_until(tab, "document.querySelectorAll('audio')[0].currentTime > 3")
    # Once the first one's sound has begun, which takes longer than to seek.
    wait_until(tab, "document.querySelectorAll('audio')[1].paused")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("label", "suffix"), [("MIDI", "mid"), ("MusicXML", "musicxml"), ("MP3", "mp3")]
)
def test_files_can_be_saved(
    tab: Any, page_url: str, content: ReportContent, label: str, suffix: str
) -> None:
    tab.goto(f"{page_url}?lang=en")
    with tab.expect_download() as download:
        tab.locator(".downloads").first.get_by_text(label, exact=True).locator(
            "visible=true"
        ).click()
    sample = content.samples[0]
    expected = {"mid": sample.midi, "musicxml": sample.musicxml.encode(), "mp3": sample.mp3}
    assert download.value.suggested_filename == f"{sample.run}-t1-01.{suffix}"
    assert Path(download.value.path()).read_bytes() == expected[suffix]


@pytest.mark.slow
def test_a_telephone_scrolls_in_one_direction(tab: Any, page_url: str) -> None:
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(page_url)
    assert tab.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.slow
@pytest.mark.parametrize("width", [1100, 1366])
def test_a_screen_shows_tables_and_navigation_whole(tab: Any, page_url: str, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 900})
    tab.goto(f"{page_url}?lang=en")
    cut = "e => e.scrollWidth > e.clientWidth"
    assert not tab.evaluate(f"[...document.querySelectorAll('nav ul, .wide .scroll')].some({cut})")
    assert tab.evaluate("document.documentElement.scrollWidth") == width
