"""Rules on data whose answer is known, and what each refuses."""

import json

import numpy as np
import polars as pl
import pytest
from eligibility.catalogues import World

import shortlist as sl
from shortlist.errors import DataError, ParameterError, UnknownIdError
from shortlist.stages import Forbidden, Lists

ITEMS = pl.DataFrame(
    {
        "item_id": [1, 2, 3, 4, 5],
        "title": ["one", "two", "three", "four", "five"],
        "stock": [3, 0, 1, None, 2],
        "sold": ["yes", "no", "yes", None, "yes"],
        "genre": ["art", "crime", "art", None, "play"],
        "topics": ["art|play", "crime", "", "play", "art"],
        "starts": ["2020-01-01", "2020-02-01", None, "2020-01-01", "2020-01-01"],
        "ends": ["2021-01-01", None, None, "2020-03-01", "2022-01-01"],
        "ages": [0, 18, 12, None, 0],
        "lands": ["BE|NL", "NL", "FR", "", "BE"],
        "not_in": ["FR", "", "NL", "", ""],
        "flag": ["ok", "Hate_Speech", "ok", None, "SCAM"],
        "maker": ["ann", "bob", "ann", "bob", "cat"],
    }
)
KINDS = {
    "stock": "numeric", "sold": "categorical", "genre": "categorical", "topics": "tags", "starts": "time",
    "ends": "time", "ages": "numeric", "lands": "tags", "not_in": "tags", "flag": "categorical",
    "maker": "categorical",
}  # fmt: skip
USERS = pl.DataFrame({"user_id": ["a", "b", "c"], "country": ["NL", "BE", None], "age": [30, 12, None]})
EVENTS = pl.DataFrame(
    {
        "user_id": ["c", "c", "c", "c", "c", "a", "a", "a", "a"],
        "item_id": [1, 2, 3, 4, 5, 1, 2, 2, 1],
        "value": [5, 5, 5, 5, 5, 5, 1, 5, 1],
        "timestamp": [1_600_000_000 + n for n in range(9)],
    }
)


@pytest.fixture(scope="module")
def data():
    return read()


def read(items=ITEMS):
    return sl.read(
        EVENTS,
        items=items,
        users=USERS,
        kind="ratings",
        scale=(1, 5),
        features={"items": KINDS, "users": {"country": "categorical", "age": "numeric"}},
    )


def pipeline(data, *rules):
    likes = sl.Popularity()
    return sl.Pipeline([sl.Nearest(likes), sl.Popular()], sl.ModelScorer(likes), rules=rules).fit(data)


def shown(fitted, users=("a", "b", "c"), **request):
    """Return user → the items shown, by id."""
    got = fitted.recommend(users, 5, exclude_seen=False, on_unknown="fallback", **request).frame
    return {user: sorted(got.filter(pl.col("user_id") == user)["item_id"].to_list()) for user in users}


def shown_to_a(data, *rules, **request):
    return shown(pipeline(data, *rules), ["a"], **request)["a"]


def test_the_last_word_on_an_item_counts(data):
    assert shown_to_a(data, sl.Disliked()) == [
        2,
        3,
        4,
        5,
    ]  # item 2 was disliked, then liked; item 1 the reverse
    assert shown_to_a(data, sl.Disliked(), at="2020-09-13T12:26:46") == [
        1,
        3,
        4,
        5,
    ]  # before a took both back
    assert shown_to_a(data, sl.Disliked(), at="2020-09-13T12:26:00") == [1, 2, 3, 4, 5]


def test_pairs_come_as_a_mapping_as_pairs_as_a_table_and_as_a_file(data, tmp_path):
    table = pl.DataFrame({"item_id": [5, 1], "user_id": ["a", "b"]})
    table.write_csv(tmp_path / "hidden.csv")
    forms = [{"a": [5], "b": [1, 1]}, [("a", 5), ("b", 1)], table, str(tmp_path / "hidden.csv")]
    for form in forms:
        assert shown(pipeline(data, sl.Hidden(form))) == {
            "a": [1, 2, 3, 4],
            "b": [2, 3, 4, 5],
            "c": [1, 2, 3, 4, 5],
        }
    assert {json.dumps(sl.Hidden(form).params()["pairs"]) for form in forms} == {'[["a", 5], ["b", 1]]'}


def test_lists_come_as_ids_as_a_table_and_as_a_file(data, tmp_path):
    (tmp_path / "denied.csv").write_text("item_id\n2\n4\n")
    for form in (
        [2, 4, 2],
        np.array([2, 4]),
        pl.Series([2, 4]),
        pl.DataFrame({"x": [2, 4]}),
        tmp_path / "denied.csv",
    ):
        assert shown_to_a(data, sl.DenyList(form)) == [1, 3, 5]
        assert shown_to_a(data, sl.AllowList(form)) == [2, 4]
    assert shown_to_a(data, sl.AllowList([])) == []


def test_stock_is_a_number_or_a_word(data):
    assert shown_to_a(data, sl.InStock()) == [1, 3, 5]
    assert shown_to_a(data, sl.InStock(least=2, missing="allow")) == [1, 4, 5]
    assert shown_to_a(data, sl.InStock("sold", words=["yes"])) == [1, 3, 5]


def test_what_ends_is_gone_at_that_moment(data):
    rule = sl.Available("starts", "ends")
    assert shown_to_a(data, rule, at="2019-12-31T23:59:59") == [3]
    assert shown_to_a(data, rule, at="2020-01-01") == [1, 3, 4, 5]
    assert shown_to_a(data, rule, at="2020-03-01") == [1, 2, 3, 5]
    assert shown_to_a(data, sl.Available("starts", "ends", missing="deny"), at="2020-02-01") == [1, 4, 5]
    assert shown_to_a(data, sl.Available("starts", None), at="2030-01-01") == [1, 2, 3, 4, 5]


def test_who_is_asked_for_with_features_is_treated_as_a_user_is(data):
    countries = pipeline(data, sl.InCountry("lands", "not_in"))
    assert shown(countries) == {"a": [1, 2], "b": [1, 5], "c": []}
    ages = pipeline(data, sl.AgeLimit("ages"))
    assert shown(ages) == {"a": [1, 2, 3, 5], "b": [1, 3, 5], "c": [1, 5]}
    for fitted, said in ((countries, {"country": "BE"}), (ages, {"age": 12.5})):
        got = fitted.recommend_session([2], 5, features=said, exclude_seen=False)
        assert sorted(got.frame["item_id"].to_list()) == shown(fitted)["b"]


def test_a_country_that_no_user_has_is_still_a_country(data):
    fitted = pipeline(data, sl.InCountry(None, "not_in", unknown_user="allow"))
    for land, items in (("FR", [2, 3, 4, 5]), ("XX", [1, 2, 3, 4, 5])):
        got = fitted.recommend_session([2], 5, features={"country": land}, exclude_seen=False)
        assert sorted(got.frame["item_id"].to_list()) == items


def test_the_audit_says_what_is_refused_and_why(data, tmp_path):
    policy = sl.ContentPolicy(["flag"], maker="maker", refused_makers=["ANN"])
    fitted = pipeline(data, policy, sl.AgeLimit("ages"), sl.InStock())
    rows = [
        (1, "one", "ContentPolicy", "maker", "ann"),
        (2, "two", "ContentPolicy", "flag", "Hate_Speech"),
        (3, "three", "ContentPolicy", "maker", "ann"),
        (4, "four", "ContentPolicy", "flag", "missing"),
        (5, "five", "ContentPolicy", "flag", "SCAM"),
        (4, "four", "AgeLimit", "ages", "missing"),
    ]
    assert fitted.audit().rows() == rows
    assert fitted.audit().columns == ["item_id", "title", "rule", "column", "value"]
    fitted.audit().write_csv(tmp_path / "audit.csv")
    assert pl.read_csv(tmp_path / "audit.csv").rows() == rows
    assert sl.load(fitted.save(tmp_path / "saved")).audit().rows() == rows
    nothing = pipeline(data).audit()
    assert (nothing.height, nothing.columns) == (0, fitted.audit().columns)


def test_an_item_without_flags_is_not_one_without_a_review():
    items = ITEMS.with_columns(
        marks=pl.Series([[], ["fraud"], None, ["ok"], ["x", "violence"]], dtype=pl.List(pl.String))
    )
    data = sl.read(EVENTS, items=items, kind="ratings", scale=(1, 5), features={"items": {"marks": "tags"}})
    assert shown_to_a(data, sl.ContentPolicy(["marks"])) == [1, 4]


def test_a_policy_holds_whatever_a_later_step_makes_of_the_score(data):
    class Bids:
        name = "bids"

        def adjust(self, request, candidates):
            return candidates.score + np.where(candidates.item_idx == 1, 1e9, 0).astype(np.float32)

    likes, policy = sl.Popularity(), sl.ContentPolicy(["flag"])
    bids = sl.Pipeline([sl.Nearest(likes)], sl.ModelScorer(likes), [Bids()], rules=[policy]).fit(data)
    assert 2 not in shown(bids)["a"]


class Everything:
    """Proposes all items, whether they may be shown or not."""

    name = "everything"

    def propose(self, request):
        n, items = len(request), np.arange(request.eligible.item_rule.size, dtype=np.int32)
        lists = Lists(items.size * np.arange(n + 1), np.tile(items, n), np.zeros(n * items.size, np.float32))
        return sl.Candidates.from_lists(lists, self.name)

    def explain(self, n_liked):
        return "it is there"


def test_the_trace_names_the_first_rule(data):
    rules = [sl.DenyList([2], name="recalled"), sl.InStock(), sl.DenyList([1, 2, 4], name="old")]
    fitted = sl.Pipeline([Everything()], sl.ModelScorer(sl.Popularity()), rules=rules).fit(data)
    removed = fitted.recommend("b", 5).trace("b").sort("item_id")["removed_by"].to_list()
    assert removed == ["old", "recalled", None, "InStock", None]
    assert fitted.recommend("a", 5).trace("a").sort("item_id")["removed_by"].to_list()[:2] == ["seen", "seen"]


def test_people_who_are_folded_in_are_not_shown_what_they_disliked(data):
    events = pl.DataFrame({"user_id": ["new"] * 3, "item_id": [1, 3, 3], "value": [1, 1, 5]})
    new = sl.read(events, kind="ratings", scale=(1, 5))
    got = pipeline(data, sl.Disliked(), sl.InStock()).recommend_for(new, k=5, exclude_seen=False)
    assert sorted(got.frame["item_id"].to_list()) == [3, 5]


def test_a_rule_of_the_callers_own_must_give_masks_of_all_items(data):
    class Own:
        name = "own"
        mask = np.zeros(5, bool)

        def forbids(self, request):
            return Forbidden(to_all=self.mask)

    Own.mask[1] = True
    fitted = pipeline(data, Own())
    assert shown(fitted, ["b"]) == {"b": [1, 3, 4, 5]}
    for mask in (np.zeros(4, bool), np.zeros(5)):
        Own.mask = mask
        with pytest.raises(ParameterError, match="the rule 'own' gave a mask"):
            shown(fitted, ["b"])


def test_where_nothing_is_left_the_list_is_empty_and_the_rules_are_named(data):
    got = pipeline(data, sl.InStock(), sl.DenyList([1, 3, 5], name="recalled")).recommend(["a", "b"], 3)
    assert got.frame.is_empty()
    assert got.shortfalls["b"] == (
        "only 0 items may be shown to this user (kept out: 3 by 'recalled', 2 by 'InStock'); 0 listed"
    )
    assert "2 by 'seen'" in got.shortfalls["a"]


def test_fresh_items_change_the_rules_and_not_the_pipeline_they_are_given_to(data):
    fitted = pipeline(data, sl.InStock(), sl.OnlyCategory("genre", ["art", "play"]))
    frame = pl.DataFrame({"id": [5, 2, 1], "stock": [0.0, 9, 9]})
    fresh = fitted.with_items(sl.FeatureTable(frame, {"stock": "numeric"}))
    assert shown(fresh)["a"] == [1]  # 3 and 4 have no row, so no stock; 2 is crime
    assert shown(fitted)["a"] == [1, 3, 5]
    assert shown(fitted.with_items(data)) == shown(fitted)


@pytest.mark.parametrize(
    ("ids", "kinds", "error", "said"),
    [
        ([1, 99], {"stock": "numeric"}, UnknownIdError, "unknown item: 99"),
        (
            [1],
            {"stocks": "numeric"},
            DataError,
            "columns: stocks; the rules go by ends, starts, stock",
        ),
        ([1], {"starts": "time"}, DataError, "goes by starts, ends, and this table has no 'ends'"),
    ],
)
def test_fresh_items_that_do_not_fit_are_refused(data, ids, kinds, error, said):
    dtypes = {"numeric": pl.Float64, "time": pl.Datetime("us", "UTC")}
    frame = pl.DataFrame(
        {"id": ids, **{name: pl.Series([None] * len(ids), dtype=dtypes[k]) for name, k in kinds.items()}}
    )
    with pytest.raises(error, match=said):
        pipeline(data, sl.InStock(), sl.Available("starts", "ends")).with_items(sl.FeatureTable(frame, kinds))
    with pytest.raises(ParameterError, match="takes a FeatureTable"):
        pipeline(data, sl.InStock()).with_items(frame)


@pytest.mark.parametrize(
    ("rule", "error", "said"),
    [
        (sl.InStock("stok"), DataError, "the item feature 'stok', and there is none, did you mean 'stock'"),
        (sl.InStock("starts"), DataError, "as numeric or categorical; here it is time"),
        (sl.InStock("sold"), DataError, "words= must say which"),
        (sl.InStock("stock", words=["yes"]), DataError, "words= has no meaning"),
        (sl.Available("stock", None), DataError, "as time; here it is numeric"),
        (sl.AgeLimit("ages", user_column="country"), DataError, "the user feature 'country' as numeric"),
        (sl.InCountry("lands", user_column="land"), DataError, "InCountry needs the user feature 'land'"),
        (sl.OnlyCategory("genre", ["arts"]), DataError, "no item has the genre 'arts', did you mean 'art'"),
        (sl.DenyCategory("genre", ["horror"]), DataError, "no item has the genre 'horror'"),
        (sl.DenyList([1, 77], name="recalled"), UnknownIdError, "recalled: unknown item: 77"),
        (sl.AllowList(["1"]), UnknownIdError, "the 5 known item ids are integers"),
        (sl.Hidden({"z": [1]}), UnknownIdError, "Hidden: unknown user: 'z'"),
        (sl.UserBlocks({"z": ["ann"]}, "maker"), UnknownIdError, "UserBlocks: unknown user: 'z'"),
        (sl.ContentPolicy(["flags"]), DataError, "did you mean 'flag'"),
        (sl.ContentPolicy(["flag"], maker="stock", refused_makers=["x"]), DataError, "as categorical or tags"),
    ],
)  # fmt: skip
def test_a_rule_that_does_not_fit_the_data_is_refused_with_its_name(data, rule, error, said):
    with pytest.raises(error, match=said):
        pipeline(data, rule)


def test_ids_that_are_not_in_the_data_can_be_skipped(data):
    skip = {"on_unknown": "skip"}
    assert shown_to_a(data, sl.DenyList([1, 77], **skip), sl.Hidden({"a": [3, 88], "z": [2]}, **skip)) == [
        2,
        4,
        5,
    ]
    assert shown_to_a(data, sl.UserBlocks({"a": ["bob", "dan"], "z": ["ann"]}, "maker", **skip)) == [1, 3, 5]
    assert shown_to_a(data, sl.OnlyCategory("genre", ["horror"], **skip)) == []


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: sl.InStock(missing="maybe"), "missing='maybe' is not one of deny, allow"),
        (lambda: sl.InStock(words="yes"), "words must be a list"),
        (lambda: sl.Available(None, None), "needs start= or end="),
        (lambda: sl.Available("day", "day"), "one column"),
        (lambda: sl.InCountry(None, None), "needs allowed= or forbidden="),
        (lambda: sl.InCountry("lands", "lands"), "cannot hold both"),
        (lambda: sl.AgeLimit("age", "age"), "cannot hold both"),
        (lambda: sl.OnlyCategory("genre"), "needs values= or user_column="),
        (lambda: sl.OnlyCategory("genre", ["art"], "likes"), "and not both"),
        (lambda: sl.DenyCategory("genre", []), "values is empty"),
        (lambda: sl.DenyCategory("genre", "art"), "must be a list of texts"),
        (lambda: sl.ContentPolicy([]), "refuses nothing"),
        (lambda: sl.ContentPolicy(maker="maker"), "needs maker="),
        (lambda: sl.ContentPolicy("flag"), "flags must be a list of texts"),
        (lambda: sl.Hidden([(1, 2, 3)]), r"takes pairs \(user, item_id\); one of them is \(1, 2, 3\)"),
        (lambda: sl.Hidden(7), "takes pairs"),
        (lambda: sl.DenyList(7), "takes ids"),
    ],
)
def test_parameters_that_say_nothing_are_refused(make, said):
    with pytest.raises(ParameterError, match=said):
        make()


def test_tables_that_lack_a_column_or_a_cell_are_refused(tmp_path):
    (tmp_path / "pairs.csv").write_text("user,item_id,why\na,1,x\n")
    with pytest.raises(DataError, match="has no column 'user_id', did you mean 'user'"):
        sl.Hidden(tmp_path / "pairs.csv")
    (tmp_path / "pairs.csv").write_text("user_id,item_id\na,1\nb,\n")
    with pytest.raises(DataError, match=r"column 'item_id': row 1 \(from 0\) is empty"):
        sl.Hidden(tmp_path / "pairs.csv")
    with pytest.raises(DataError):
        sl.DenyList(tmp_path / "nothing.csv")


@pytest.mark.parametrize(
    ("column", "values", "rule", "said"),
    [
        ("ends", ["2019-06-01", None, None, None, None], sl.Available("starts", "ends"),
         r"item 1 \(row 0\) is available from 2020-01-01T00:00:00 \(starts\) until 2019-06-01T00:00:00 \(ends\)"),
        ("stock", [9, 9, 9, 9, -1], sl.AgeLimit("ages", "stock"), r"item 2 \(row 1\) is for ages from 18 \(ages\)"),
        ("not_in", ["FR", "", "NL|FR", "", ""], sl.InCountry("lands", "not_in"),
         r"item 3 is both allowed \(lands\) and forbidden \(not_in\) in 'FR'"),
    ],
)  # fmt: skip
def test_a_row_that_contradicts_itself_is_refused(column, values, rule, said):
    with pytest.raises(DataError, match=said):
        pipeline(read(ITEMS.with_columns(pl.Series(column, values))), rule)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (
            [sl.DenyList([3, 1]), sl.AllowList([1, 2])],
            "'AllowList' allows the item 1 and the rule 'DenyList' denies it",
        ),
        ([sl.AllowList([1, 2]), sl.AllowList([3], name="b")], "'AllowList' and 'b' allow no item in common"),
        ([sl.OnlyCategory("genre", ["a", "b"]), sl.DenyCategory("genre", ["b"])], "allows the genre 'b'"),
    ],
)
def test_rules_that_contradict_each_other_are_refused_before_a_fit(rules, said):
    likes = sl.Popularity()
    with pytest.raises(ParameterError, match=said):
        sl.Pipeline([sl.Nearest(likes)], sl.ModelScorer(likes), rules=rules)


def test_availability_needs_a_moment():
    data = sl.read(
        EVENTS.drop("timestamp"), items=ITEMS, kind="ratings", scale=(1, 5), features={"items": KINDS}
    )
    with pytest.raises(ParameterError, match="give at="):
        shown_to_a(data, sl.Available("starts", "ends"))
    assert shown_to_a(data, sl.Available("starts", "ends"), at="2020-01-01") == [1, 3, 4, 5]


def test_data_without_features_say_so():
    data = sl.read(EVENTS, kind="ratings", scale=(1, 5))
    for rule, side in (
        (sl.InStock(), "item"),
        (sl.AgeLimit("ages"), "user"),
        (sl.UserBlocks({"a": ["x"]}, "maker"), "item"),
    ):
        with pytest.raises(DataError, match=f"these data have no {side} features"):
            pipeline(data, rule)


def test_a_catalogue_without_items_of_the_class_of_a_rule_keeps_the_order_of_the_lists():
    world = World(np.random.default_rng(3))
    likes = sl.Popularity()
    plain = sl.Pipeline([sl.Nearest(likes)], sl.ModelScorer(likes)).fit(world.data)
    ruled = plain.unfitted(rules=[sl.Hidden([])]).fit(world.data)
    assert ruled.recommend("u0", 5).frame.equals(plain.recommend("u0", 5).frame)
