"""PureSVD on datasets: the matrix it takes apart, who is known, fold-in, moments, and parameters."""

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import shortlist as sl
from shortlist.errors import DataError, ParameterError


def read(rows, kind="events", **options):
    """Rows of (user, item, value), one a second."""
    columns = list(zip(*rows, strict=True))
    frame = pl.DataFrame(
        {"user_id": columns[0], "item_id": columns[1], "value": columns[2], "timestamp": range(len(rows))}
    )
    return sl.read(frame, kind=kind, **options)


def random_rows(seed=0, n_users=40, n_items=25, m=400, most=3):
    rng = np.random.default_rng(seed)
    return list(
        zip(
            *(
                rng.integers(low, high, m).tolist()
                for low, high in ((0, n_users), (0, n_items), (1, most + 1))
            ),
            strict=True,
        )
    )


def pair_matrix(data, duplicates, ones):
    """The matrix R by plain loops over the log."""
    log = data.interactions
    table = np.zeros((log.n_users, log.n_items))
    for u, i, value, positive in zip(log.user_idx, log.item_idx, log.value, log.positive, strict=True):
        if ones:
            table[u, i] = max(table[u, i], positive)
        else:
            table[u, i] = value + (table[u, i] if duplicates == "sum" else 0)
    return table


def projected(table, dim, exponent=1.0):
    lengths = np.linalg.norm(table, axis=0)
    scale = np.where(lengths > 0, np.maximum(lengths, 1e-9) ** (exponent - 1), 0)
    right = np.linalg.svd(table * scale)[2][:dim]
    return table @ right.T @ right


CASES = [("events", "positives", "sum"), ("events", "values", "sum"), ("ratings", "values", "last")]


@pytest.mark.parametrize(("kind", "entries", "duplicates"), CASES)
@pytest.mark.parametrize("exponent", [1.0, 0.4])
def test_scores_are_the_dense_projection_of_the_rows(kind, entries, duplicates, exponent):
    options = {"scale": (1, 5)} if kind == "ratings" else {}
    data = read(random_rows(most=5), kind, **options)
    model = sl.PureSVD(6, item_exponent=exponent, entries=entries).fit(data, rng=0)
    expected = projected(pair_matrix(data, duplicates, entries == "positives"), 6, exponent)
    users, items = np.divmod(
        np.arange(data.interactions.n_users * data.interactions.n_items), len(data.items)
    )
    scores = model.score(data.users.ids.gather(users), data.items.ids.gather(items))
    assert_allclose(scores.reshape(expected.shape), expected, atol=1e-5 * np.abs(expected).max())


def test_the_error_is_that_of_the_best_matrix_of_its_rank():
    """Eckart and Young: no matrix of this rank comes nearer than the singular values that are left out."""
    data = read(random_rows())
    model = sl.PureSVD(5).fit(data, rng=0)
    table = pair_matrix(data, "sum", True)
    left = np.linalg.svd(table, compute_uv=False)
    vectors, _ = model.user_vectors(np.arange(len(data.users), dtype=np.int32))
    assert_allclose(model.singular_values_, left[:5], rtol=1e-6)
    assert np.linalg.norm(table - vectors @ model.item_factors_.T) == pytest.approx(np.linalg.norm(left[5:]))


def test_a_dim_above_rank_and_catalogue_gives_the_matrix_back():
    data = read([("a", "x", 1), ("a", "y", 1), ("b", "x", 1)])
    model = sl.PureSVD(50).fit(data, rng=0)
    assert_allclose(model.score(["a", "a", "b", "b"], ["x", "y", "x", "y"]), [1, 1, 1, 0], atol=1e-6)
    assert_array_equal(model.singular_values_[2:], 0)


def test_people_folded_in_have_the_vectors_of_training_bit_for_bit():
    data = read(random_rows())
    model = sl.PureSVD(8, item_exponent=0.7).fit(data, rng=0)
    folded = model.fold_in_users(data)
    trained, _ = model.user_vectors(np.arange(len(data.users), dtype=np.int32))
    assert_array_equal(folded.vectors, trained)
    one = model.recommend(folded, k=5).frame
    assert one.equals(model.recommend(data.users.ids, k=5).frame)


def test_only_events_until_the_moment_count():
    rows = [("a", "x", 1), ("a", "y", 1), ("b", "x", 1), ("b", "z", 1), ("c", "y", 1), ("c", "w", 1)]
    model = sl.PureSVD(3).fit(read(rows), rng=0)
    then = model.recommend("a", k=4, at="1970-01-01T00:00:00", exclude_seen=False).frame
    alone = model.recommend(model.fold_in_users(read([("n", "x", 1)])), k=4, exclude_seen=False).frame
    assert then["item_id"].to_list() == alone["item_id"].to_list()
    assert_array_equal(then["score"], alone["score"])


def test_one_direction_knows_the_larger_of_two_groups_only():
    """Two blocks without a common user or item: the direction of the larger says nothing of the smaller."""
    rows = [(f"big{u}", f"x{i}", 1) for u in range(4) for i in range(3)] + [
        ("small", "y", 1),
        ("tiny", "y", 1),
    ]
    data = read(rows)
    one, two = (sl.PureSVD(dim).fit(data, rng=0) for dim in (1, 2))
    assert [user for user, known in zip(data.users.ids, one.known_users_, strict=True) if not known] == [
        "small",
        "tiny",
    ]
    assert_array_equal(one.known_items_, data.items.ids != "y")
    assert two.known_users_.all()
    assert two.known_items_.all()
    assert not one.fold_in_users(read([("n", "y", 1)])).known[0]


def test_equal_rows_put_every_item_level():
    data = read([(u, i, 1) for u in range(5) for i in range(4)])
    scores = sl.PureSVD(3).fit(data, rng=0).score([0] * 4, range(4))
    assert_allclose(scores, 1, atol=1e-6)


def test_one_user_with_one_item_scores_one():
    assert sl.PureSVD(4).fit(read([("a", "x", 1)]), rng=0).score(["a"], ["x"]) == pytest.approx(1)


def test_ratings_below_the_line_count_as_values_only():
    rows = [("a", "x", 5), ("a", "y", 1), ("b", "y", 2), ("b", "x", 4), ("c", "z", 2)]
    data = read(rows, "ratings", scale=(1, 5))
    ones, values = (sl.PureSVD(5, entries=entries).fit(data, rng=0) for entries in ("positives", "values"))
    assert_array_equal(ones.known_users_, [True, True, False])
    assert_array_equal(values.known_users_, [True, True, True])
    assert values.score(["c"], ["z"]) == pytest.approx(2, abs=1e-5)


def test_renaming_users_and_items_moves_scores_by_rounding_only():
    rows = random_rows(n_users=30)
    other = [(29 - u, (i * 7) % 25, value) for u, i, value in rows]
    one, two = (sl.PureSVD(6).fit(read(r), rng=0) for r in (rows, other))
    pairs = np.array([(u, i) for u, i, _ in rows])
    moved = two.score(29 - pairs[:, 0], pairs[:, 1] * 7 % 25)
    assert_allclose(one.score(pairs[:, 0], pairs[:, 1]), moved, atol=1e-5)


def test_nothing_to_take_apart_is_an_error():
    with pytest.raises(DataError, match="none of the 1 ratings is positive"):
        sl.PureSVD().fit(read([("a", "x", 1)], "ratings", scale=(1, 5)))
    with pytest.raises(DataError, match="has a value other than 0"):
        sl.PureSVD(entries="values").fit(read([("a", "x", 0)], "binary"))


@pytest.mark.parametrize("wrong", [{"dim": 0}, {"dim": 2.5}, {"item_exponent": -1}, {"entries": "ones"}])
def test_parameters_are_checked(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        sl.PureSVD(**wrong)


def test_a_saved_model_is_the_same_model(tmp_path):
    data = read(random_rows())
    model = sl.PureSVD(6).fit(data, rng=0)
    loaded = sl.load(model.save(tmp_path / "model"))
    assert loaded.recommend(data.users.ids, k=5).frame.equals(model.recommend(data.users.ids, k=5).frame)


def test_start_changes_nothing():
    data = read(random_rows())
    model = sl.PureSVD(6).fit(data, rng=0)
    assert_array_equal(sl.PureSVD(6).fit(data, rng=0, start=model).item_factors_, model.item_factors_)
