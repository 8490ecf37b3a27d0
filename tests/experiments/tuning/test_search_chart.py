"""The chart shows the trials that have a value, the best so far, and where each parameter went."""

import polars as pl
import pytest
from experiments.tuning.shop import SPACE, shop, wals

from shortlist.experiments.tuning.tune import tune


@pytest.fixture(scope="module")
def found():
    return tune(wals(), shop(), SPACE | {"unobserved": ["all", "complement"]}, trials=6, k=3)


def test_the_history_has_every_value_and_the_best_so_far(found):
    history = found.chart().to_dict()["vconcat"][0]
    rows = history["layer"][0]["data"]["values"]
    assert [row["value"] for row in rows] == found.trials["value"].to_list()
    assert [row["best"] for row in rows] == found.trials["value"].cum_max().to_list()
    assert history["layer"][2]["data"]["values"] == [{"value": found.start}]


def test_each_parameter_has_a_panel_on_its_own_scale(found):
    # Altair keeps data that all panels of a row share once, at the row.
    rows = found.chart().to_dict()["vconcat"][1:]
    panels = [{"data": row.get("data")} | panel for row in rows for panel in row["hconcat"]]
    axes = {panel["encoding"]["x"]["title"]: panel["encoding"]["x"] for panel in panels}
    assert list(axes) == list(found.space)
    assert (axes["reg"]["scale"]["type"], axes["reg"]["scale"]["domain"]) == ("log", [1e-4, 1.0])
    assert axes["unobserved"]["sort"] == ["all", "complement"]
    shown = {panel["encoding"]["x"]["title"]: panel["data"]["values"] for panel in panels}
    assert [row["at"] for row in shown["reg"]] == found.trials["reg"].to_list()
    assert [row["at"] for row in shown["dim"]] == found.trials["dim"].cast(pl.String).to_list()


@pytest.mark.parametrize("suffix", [".png", ".svg", ".html"])
def test_it_is_drawn(found, tmp_path, suffix):
    file = found.save_chart(tmp_path / f"search{suffix}")
    assert file.stat().st_size > 1000
    if suffix != ".png":
        assert "unobserved_weight" in file.read_text()
