import builtins
import json
import re
import xml.etree.ElementTree as ET

import altair as alt
import polars as pl
import pytest

from shortlist.errors import MissingExtraError, ParameterError
from shortlist.experiments import charts

NAMES = ["WALS", "<b>&\"'</script>", "Тест"]


@pytest.fixture
def chart():
    frame = pl.DataFrame({"model": NAMES, "value": [0.1, 0.2, 0.3]})
    return alt.Chart(frame).mark_bar().encode(x="value:Q", y="model:N")


def relative_luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_suffix_says_the_format(chart, tmp_path):
    assert charts.save_chart(chart, tmp_path / "c.PNG").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert ET.fromstring(charts.save_chart(chart, tmp_path / "c.svg").read_text()).tag.endswith("svg")
    assert charts.save_chart(chart, tmp_path / "c.html").read_text().startswith("<!DOCTYPE html>")


def test_another_suffix_is_refused_and_nothing_written(chart, tmp_path):
    with pytest.raises(ParameterError, match=r"c\.jpg: a chart is written as \.png, \.svg, \.html"):
        charts.save_chart(chart, tmp_path / "c.jpg")
    assert not list(tmp_path.iterdir())


def test_names_are_text_in_every_format(chart):
    drawn = charts.svg(chart, alt='a "chart" of <b>')
    root = ET.fromstring(drawn)
    text = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert set(NAMES) <= set(text)
    assert root.get("aria-label") == 'a "chart" of <b>'
    assert "<script" not in charts.page("<script>", drawn).decode()


def test_a_page_names_nothing_to_load(chart, tmp_path):
    text = charts.save_chart(chart, tmp_path / "c.html", title="T").read_text()
    assert "<script" not in text
    assert not re.findall(r"(?:src|href)\s*=|url\(|@import", text)
    assert set(re.findall(r"https?://[^\"' ]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_a_page_draws_in_the_colour_of_its_text(chart, tmp_path):
    text = charts.save_chart(chart, tmp_path / "c.html").read_text()
    assert "currentColor" in text
    assert "prefers-color-scheme: dark" in text
    assert "currentColor" not in charts.svg(chart)


def test_more_than_altairs_5000_rows_are_drawn():
    frame = pl.DataFrame({"x": range(5001)})
    assert (
        charts.svg(alt.Chart(frame).mark_point().encode(x="x:Q")).count('aria-roledescription="point"')
        == 5001
    )


@pytest.mark.parametrize("paper", ["#ffffff", "#16191d"])
def test_every_colour_stands_out_from_both_papers(paper):
    assert paper in charts.PAGE_STYLE
    for colour in (*charts.PALETTE, charts.MUTED):
        low, high = sorted(map(relative_luminance, (colour, paper)))
        assert (high + 0.05) / (low + 0.05) >= 3, colour


@pytest.mark.parametrize("package", ["altair", "vl_convert"])
def test_a_missing_package_is_named_with_its_extra(monkeypatch, tmp_path, package):
    real = builtins.__import__

    def refuse(name, *rest, **keywords):
        if name == package:
            raise ImportError(name)
        return real(name, *rest, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"pip install 'shortlist\[experiments\]'"):
        charts.require_drawable(tmp_path / "c.png")


def test_the_theme_is_plain_json():
    assert json.loads(json.dumps(charts.theme())) == charts.theme()
