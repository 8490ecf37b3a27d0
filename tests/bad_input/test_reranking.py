"""What cannot be granted of scores and lists: refused, or an honest short list with its reason."""

import json

import numpy as np
import polars as pl
import pytest
from bad_input.conftest import assert_refused

import shortlist as sl
from shortlist.data.import_report import DataWarning
from shortlist.errors import DataError, NonFiniteError, ParameterError

ITEMS = [f"i{n}" for n in range(8)]
NAN, INF = float("nan"), float("inf")


def shop(genres=True, price=None):
    """Eight items of one maker, two of them with genres; four people, each with two of them."""
    log = pl.DataFrame(
        {"user_id": [f"u{n // 2}" for n in range(8)], "item_id": [f"i{n * 3 % 8}" for n in range(8)]}
    )
    columns = {"item_id": ITEMS, "maker": ["m"] * 7 + [None]}
    columns["genres"] = [["a"], ["a", "b"], *[[]] * 6] if genres else [[]] * 8
    columns["price"] = [1.0] * 8 if price is None else price
    kinds = {"maker": "categorical", "genres": "tags", "price": "numeric"}
    frame = pl.DataFrame(columns, schema_overrides={"genres": pl.List(pl.String)})
    return sl.read(log, kind="events", items=frame, features={"items": kinds})


def shown(*rerank, data=None, scorer=None, k=6, **given):
    taste = sl.Popularity()
    pipeline = sl.Pipeline([sl.Popular(k=8)], scorer or sl.ModelScorer(taste), rerank, **given)
    return pipeline.fit(data or shop(), rng=0).recommend("u0", k)


def test_a_rule_that_removes_everything_gives_nothing_and_the_reason():
    given = shown(sl.Select(sl.MMR(0.1, on="genres"), pins=[("i3", 1)]), rules=[sl.DenyList(ITEMS)])
    assert given.frame.height == 0
    assert given.shortfalls["u0"] == (
        "only 0 items may be shown to this user (kept out: 6 by 'DenyList', 2 by 'seen'); 0 listed"
    )


def test_a_cap_that_leaves_one_item_gives_it_and_the_reason():
    data = shop()
    given = shown(sl.Select(caps={"maker": 1}), data=data)
    assert given.shortfalls["u0"] == "Select left 2 of 6 candidates (caps: at most 1 of one maker)"
    assert "i7" in given.frame["item_id"].to_list()  # without a maker it is not capped


def test_what_is_pinned_and_forbidden_is_not_shown_and_that_is_said():
    given = shown(sl.Select(pins=[("i5", 1), ("i0", 2)]), rules=[sl.DenyList(["i5"])])
    assert not {"i5", "i0"} & set(given.frame["item_id"])
    assert given.notes["u0"] == [
        "i5 is not pinned at place 1: forbidden goes before pinned, and it is removed by 'DenyList'",
        "i0 is not pinned at place 2: forbidden goes before pinned, and it is removed by 'seen'",
    ]


class Broken:
    """A scorer and an adjustment that gives what is no number."""

    name = "price net"

    def __init__(self, value):
        self.value = value

    def knows(self, request):
        return np.ones(len(request), bool)

    def can_score(self, request, candidates):
        return np.ones(candidates.item_idx.size, bool)

    def score(self, request, candidates):
        return np.full(candidates.item_idx.size, self.value, np.float32)

    def adjust(self, request, candidates):
        return self.score(request, candidates)


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_scores_that_are_no_numbers_stop_at_the_one_that_gave_them(value):
    words = r"^price net .*gave \d scores that are NaN or infinite"
    with pytest.raises(NonFiniteError, match=words):
        shown(sl.Select(), scorer=Broken(value))
    with pytest.raises(NonFiniteError, match=words):
        shown(Broken(value), sl.Select())


@pytest.mark.parametrize("weight", [-0.1, NAN, INF, 1.5, "0.1", True, None])
@pytest.mark.parametrize("term", ["MMR", "DPP", "Calibration", "Exposure"])
def test_a_weight_is_a_number_from_0_to_1(term, weight):
    on = {"on": "genres"}
    with pytest.raises(ParameterError, match=r"weight must be a number at least 0 and at most 1, got "):
        getattr(sl, term)(weight=weight, **on)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: sl.Freshness(weight=NAN), "weight must be a number at least 0, got nan"),
        (lambda: sl.Freshness(half_life_days=INF), "half_life_days must be a number above 0, got inf"),
        (lambda: sl.Boost("maker", {"m": NAN}), r"amounts\['m'\] must be a finite number, got nan"),
        (lambda: sl.Exposure("maker", target={"m": -1}), r"target\['m'\] must be a number at least 0, got -1"),
        (lambda: sl.Exposure("maker", target={"m": NAN}), r"target\['m'\] must be a number at least 0, got nan"),
        (lambda: sl.DPP(epsilon=NAN), "epsilon must be a number above 0 and at most 1, got nan"),
        (lambda: sl.Calibration("maker", alpha=0), "alpha must be a number above 0"),
        (lambda: sl.Select(caps={"maker": -1}), r"caps\['maker'\] must be a whole number of at least 1, got -1"),
        (lambda: sl.Select(pool=0), "pool must be a whole number of at least 1"),
    ],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_refused(make, words):
    with pytest.raises(ParameterError, match=words):
        make()


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (sl.Select(sl.MMR(0.1, on="price")), r"MMR\(on='price'\) needs .* categorical or tags; here it is numeric"),
        (sl.Select(sl.Exposure("brand")), r"Exposure\(on='brand'\) needs .*'brand'.*; there are: maker, genres"),
        (sl.Boost("brand", {"m": 1}), r"Boost\(on='brand'\) needs .*there are: maker, genres"),
        (sl.Freshness(column="out"), r"Freshness needs the item feature 'out'"),
    ],
)  # fmt: skip
def test_a_column_that_is_not_there_is_named_beside_those_that_are(step, words):
    with pytest.raises(DataError, match=words):
        shown(step)


def test_items_without_a_label_and_columns_without_any_are_no_error():
    terms = sl.MMR(0.2, on="genres"), sl.DPP(0.1, on="genres"), sl.Calibration("genres"), sl.Exposure("maker")
    for data in (shop(), shop(genres=False)):
        given = shown(sl.Select(*terms, caps={"genres": 1}), data=data)
        assert given.frame["score"].is_finite().all()
        assert given.frame.height == 6 or "caps: at most 1 of one genres" in given.shortfalls["u0"]


def test_a_group_that_nothing_is_in_is_named():
    with pytest.raises(ParameterError, match=r"no item has maker 'w'; an empty group can have no exposure"):
        shown(sl.Select(sl.Exposure("maker", target={"w": 0.5, "m": 0.5})))
    with pytest.raises(ParameterError, match=r"Boost: no item has maker 'w'; there are 'm'"):
        shown(sl.Boost("maker", {"w": 0.5}))


def test_a_negative_price_is_named_with_its_item():
    scorer = sl.Objective(sl.ModelScorer(sl.Popularity()), "revenue", price="price")
    words = "price of item 'i2' .*is -2; it must be finite and at least 0"
    with pytest.raises(DataError, match=words):
        shown(scorer=scorer, data=shop(price=[1.0, None, -2.0, *[1.0] * 5]))


def test_a_bid_of_infinity_is_rejected_when_it_is_read():
    with pytest.warns(DataWarning, match=r"1 of 8 rows of items rejected \(1 number is not finite\)"):
        data = shop(price=[1.0, None, INF, *[1.0] * 5])
    assert data.report.rejects["column"].to_list() == ["price"]


CONFIG = """
[data]
interactions = "events.csv"
items = "items.csv"
kind = "events"
[data.features.items]
maker = "categorical"
price = "numeric"
[models.taste]
type = "Popularity"
[[sources]]
type = "Popular"
[scorer]
type = "ModelScorer"
model = "taste"
[[rerank]]
type = "Select"
"""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "terms = { Exposure = { on = 'maker', weight = -1 } }",
            ["weight must be a number at least 0", "-1"],
        ),
        ("terms = { Exposure = { on = 'maker', weight = nan } }", ["weight must be a number", "nan"]),
        ("terms = { Exposure = { on = 'brand' } }", ["'brand'", "there are: maker"]),
        ("terms = { Fairness = 0.1 }", ["'Fairness'", "Exposure"]),
        ("caps = { maker = 0 }", ["caps['maker']", "at least 1"]),
        ("pins = [['i99', 1]]", ["pinned item", "'i99'"]),
    ],
)
def test_the_command_line_refuses_it_in_one_readable_block(line, words, command, tmp_path):
    (tmp_path / "events.csv").write_text("user_id,item_id\nu1,i1\nu1,i2\nu2,i1\n")
    (tmp_path / "items.csv").write_text("item_id,maker,price\ni1,m,1\ni2,n,2\n")
    (tmp_path / "config.toml").write_text(CONFIG + line + "\n")
    assert_refused(command("fit", "config.toml", "--out", "fitted"), *words)


def test_what_is_short_says_why_on_the_command_line(command, tmp_path):
    (tmp_path / "events.csv").write_text("user_id,item_id\nu1,i1\nu2,i2\nu2,i3\nu3,i4\n")
    (tmp_path / "items.csv").write_text("item_id,maker,price\ni1,m,1\ni2,m,2\ni3,m,3\ni4,m,4\n")
    (tmp_path / "config.toml").write_text(CONFIG + "caps = { maker = 1 }\n")
    assert command("fit", "config.toml", "--out", "fitted").status == 0
    document = json.loads(command("recommend", "fitted", "--user", "u1", "--json", "-k", "2").stdout)
    assert len(document["items"]) == 1
    assert document["shortfall"] == "Select left 1 of 3 candidates (caps: at most 1 of one maker)"
