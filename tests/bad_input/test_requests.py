"""Requests that cannot be granted, or not in full: refused or answered with the reason, on either way in."""

import json

import polars as pl
import pytest
from bad_input.conftest import N_ITEMS, assert_refused

import shortlist as sl
from shortlist.errors import DataError, ParameterError, UnknownIdError


def shown_by(command, shop, *arguments):
    done = command("recommend", str(shop.saved), "--json", *arguments)
    assert done.status == 0, done.stderr
    return json.loads(done.stdout)


def test_k_of_zero_gives_empty_lists_in_python(shop):
    shown = shop.model.recommend(["u1", "all"], 0)
    assert shown.frame.height == 0
    assert shown.shortfalls == {}


@pytest.mark.parametrize("k", ["0", "-1", "2.5", "ten"])
def test_k_below_one_is_refused_on_the_command_line(k, command, shop):
    done = command("recommend", str(shop.saved), "--user", "u1", "-k", k)
    assert done.status == 2
    assert "-k" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("k", [11, 10**6, 10**30])
def test_k_above_the_catalogue_gives_what_there_is_and_says_so(k, command, shop):
    shown = shop.model.recommend("u1", k, exclude_seen=False)
    n_liked = shown.frame.height
    assert 0 < n_liked <= N_ITEMS
    assert f"only {N_ITEMS} items may be shown" in shown.shortfalls["u1"]
    document = shown_by(command, shop, "--user", "u1", "-k", str(k), "--include-seen")
    assert len(document["items"]) == n_liked
    assert document["shortfall"] == shown.shortfalls["u1"]


def test_an_unknown_user_raises_and_is_named(command, shop):
    with pytest.raises(UnknownIdError, match=r"'nobody'.*on_unknown=\"fallback\""):
        shop.model.recommend(["u1", "nobody"])
    assert_refused(
        command("recommend", str(shop.saved), "--user", "nobody"), "'nobody'", "--on-unknown fallback"
    )


def test_a_process_of_its_own_ends_with_the_same_status_and_block(process, shop):
    assert_refused(
        process("recommend", str(shop.saved), "--user", "nobody"), "'nobody'", "--on-unknown fallback"
    )
    assert process("recommend", str(shop.saved), "--user", "nobody", "--on-unknown", "skip").status == 0


def test_a_mistyped_user_is_answered_with_the_nearest(command, shop):
    assert_refused(command("recommend", str(shop.saved), "--user", "al"), "'al'", "nearest are all")


def test_an_unknown_user_may_be_skipped(command, shop):
    shown = shop.model.recommend(["nobody", "u1"], 3, on_unknown="skip")
    assert shown.frame["user_id"].unique().to_list() == ["u1"]
    assert shown.shortfalls["nobody"] == "unknown user, skipped"
    document = shown_by(command, shop, "--user", "nobody", "--on-unknown", "skip")
    assert (document["items"], document["shortfall"]) == ([], "unknown user, skipped")


def test_an_unknown_user_may_get_what_is_popular(command, shop):
    shown = shop.model.recommend("nobody", 3, on_unknown="fallback")
    assert shown.fallback == {"nobody"}
    document = shown_by(command, shop, "--user", "nobody", "--on-unknown", "fallback", "-k", "3")
    assert document["fallback"]
    assert [item["item_id"] for item in document["items"]] == shown.frame["item_id"].to_list()


def test_another_word_for_unknown_users_is_refused(command, shop):
    with pytest.raises(ParameterError, match="raise, skip, fallback"):
        shop.model.recommend("u1", on_unknown="ignore")
    done = command("recommend", str(shop.saved), "--user", "u1", "--on-unknown", "ignore")
    assert_refused(done, "'ignore'", "raise, skip, fallback")


def test_a_user_who_has_seen_everything_gets_nothing_and_the_reason(command, shop):
    shown = shop.model.recommend("all")
    assert shown.frame.height == 0
    assert "only 0 items may be shown" in shown.shortfalls["all"]
    document = shown_by(command, shop, "--user", "all")
    assert (document["items"], document["shortfall"]) == ([], shown.shortfalls["all"])
    readable = command("recommend", str(shop.saved), "--user", "all")
    assert "0 of 10 items: only 0 items may be shown" in " ".join(readable.stdout.split())


def test_an_item_list_that_leaves_nothing_gives_nothing_and_the_reason(command, shop):
    for limits in ({"items": []}, {"items": ["i1"], "exclude": ["i1"]}, {"items": ["i0", "i2"]}):
        shown = shop.model.recommend("u1", 3, **limits)
        assert shown.frame.height == 0
        assert "only 0 items may be shown" in shown.shortfalls["u1"]
    document = shown_by(command, shop, "--user", "u1", "--items", "i1", "--exclude", "i1")
    assert document["items"] == []
    assert "only 0 items may be shown" in document["shortfall"]


def test_an_unknown_item_in_a_list_is_named(command, shop):
    with pytest.raises(UnknownIdError, match="unknown item: 'i99'"):
        shop.model.recommend("u1", items=["i1", "i99"])
    assert_refused(command("recommend", str(shop.saved), "--user", "u1", "--exclude", "i99"), "'i99'", "i9")


def test_ids_on_the_lines_of_a_file_keep_their_spaces(command, shop, tmp_path):
    frame = shop.frame.with_columns(item_id=pl.lit(" ") + pl.col("item_id") + pl.lit("\u2028"))
    sl.Popularity().fit(sl.read(frame, kind="ratings", scale=(1, 5))).save(tmp_path / "spaced")
    (tmp_path / "ids.txt").write_text(" i1\u2028\n\n i3\u2028\r\n", "utf-8", newline="")
    arguments = ("recommend", "spaced", "--user", "u1", "--items", "@ids.txt", "--json")
    shown = json.loads(command(*arguments).stdout)
    assert [item["item_id"] for item in shown["items"]] == [" i1\u2028", " i3\u2028"]


def test_a_file_of_ids_in_another_encoding_is_refused_with_its_line(command, shop, tmp_path):
    (tmp_path / "ids.txt").write_bytes(b"i1\nandr\xe9\n")
    done = command("recommend", str(shop.saved), "--user", "u1", "--items", "@ids.txt")
    assert_refused(done, "ids.txt, line 2", "UTF-8")


WRONG_IDS = {
    "a frame": (pl.DataFrame({"user_id": ["u1"], "rating": [3]}), "one of its columns: user_id, rating"),
    "no id": ([None], "position 0"),
    "two kinds": (["u1", 3], "one kind"),
    "bytes": (b"u1", "list of ids"),
    "a fraction": ([1.5], "integers or strings"),
    "truth": (True, "integers or strings"),
    "lists": ([["u1"]], "integers or strings"),
    "a number": (1.5, "not ids"),
}


@pytest.mark.parametrize(("users", "words"), WRONG_IDS.values(), ids=WRONG_IDS)
def test_what_is_no_id_is_refused(users, words, shop):
    with pytest.raises(DataError, match=words):
        shop.model.recommend(users)


def test_nobody_asked_for_gives_nothing(shop):
    assert shop.model.recommend([]).frame.height == 0


def test_a_user_asked_for_twice_gets_the_list_twice(shop):
    once = shop.model.recommend("u1", 2).frame.rows()
    assert shop.model.recommend(["u1", "u1"], 2).frame.rows() == once + once


@pytest.mark.parametrize("at", ["yesterday", "2018-13-01", 1.5, True, "9" * 30])
def test_a_moment_that_is_none_is_refused(at, command, shop):
    with pytest.raises(ParameterError, match="ISO 8601"):
        shop.model.recommend("u1", at=at)
    if isinstance(at, str):
        assert_refused(command("recommend", str(shop.saved), "--user", "u1", "--at", at), "ISO 8601")


def test_seen_items_are_excluded_or_not_and_nothing_between(shop):
    with pytest.raises(ParameterError, match="exclude_seen must be True or False, got 'no'"):
        shop.model.recommend("u1", exclude_seen="no")


@pytest.mark.parametrize("wrong", [None, pl.DataFrame({"user_id": [1], "item_id": [2]}), "ratings.csv"])
def test_only_a_dataset_can_be_fitted_on(shop, wrong):
    for recommender in (sl.WALS(dim=2), sl.Pipeline([sl.Popular()], sl.ModelScorer(sl.Popularity()))):
        with pytest.raises(ParameterError, match=r"fit takes a Dataset, got .*shortlist\.read"):
            recommender.fit(wrong)


@pytest.mark.parametrize("rng", [-1, "x", 1.5])
def test_a_seed_is_a_whole_number(shop, rng):
    data = sl.read(shop.frame, kind="ratings", scale=(1, 5))
    with pytest.raises(ParameterError, match=r"rng must be a whole number of at least 0"):
        sl.WALS(dim=2).fit(data, rng=rng)


def test_vectors_of_another_model_are_refused(shop):
    data = sl.read(shop.frame, kind="ratings", scale=(1, 5))
    folded = shop.model.fold_in_users(data)
    n_known = int(folded.known.sum())
    for own in (shop.model, sl.load(shop.saved)):
        shown = own.recommend(folded, 1, exclude_seen=False, on_unknown="skip")
        assert shown.frame.height == n_known > 0
    # u0 and u5 have no positive rating.
    with pytest.raises(
        UnknownIdError, match=r"nothing in the events folded in says what user 'u0', 'u5' likes"
    ):
        shop.model.recommend(folded)
    for other in (
        sl.WALS(dim=4, n_epochs=2).fit(data, rng=1),
        sl.WALS(dim=4, n_epochs=3).fit(data, rng=0),
        sl.MatrixFactorization(dim=4).fit(data, rng=0),
    ):
        with pytest.raises(ParameterError, match=r"of another model .*fold the events in with this one"):
            other.recommend(folded)
    pipeline = sl.Pipeline([sl.Popular()], sl.ModelScorer(sl.Popularity())).fit(data)
    with pytest.raises(ParameterError, match="a pipeline takes user ids"):
        pipeline.recommend(folded)
