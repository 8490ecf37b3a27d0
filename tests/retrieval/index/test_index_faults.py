"""What an index refuses, and what it says; and that threads see all of a change or nothing of it."""

import threading

import numpy as np
import pytest

import shortlist as sl
from shortlist.errors import DataError, NotFittedError, ParameterError, UnknownIdError

KINDS = {
    "exact": sl.ExactIndex,
    "approximate": lambda *given: sl.ApproximateIndex(*given, exact_up_to=0),
}
EYE = np.eye(3)
N_PAIRS = 15


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.mark.parametrize(
    ("measure", "vectors", "message"),
    [
        ("cosine", [[0, 0], [1, 0], [0, 0]], r"zero vector.*'a', 'c'"),
        ("dot", [[1, 0], [np.nan, 0], [1, 1]], r"NaN or infinite.*'b'"),
        ("euclidean", [[1, 0], [1, np.inf], [1, 1]], r"NaN or infinite.*'b'"),
        ("dot", [[1, 0], [1e300, 0], [1, 1]], r"NaN or infinite.*'b'"),
        ("dot", [1.0, 2.0, 3.0], r"shape \[n, dim\]"),
        ("dot", [["1", "2"]] * 3, "must be numbers"),
        ("dot", np.zeros((3, 0)), "must be numbers of shape"),
        ("dot", [[1, 2]], "3 ids for 1 vectors"),
        ("dot", np.zeros((0, 2)), "3 ids for 0 vectors"),
    ],
)
def test_vectors_that_cannot_be_compared_are_refused_with_their_ids(kind, measure, vectors, message):
    with pytest.raises(DataError, match=message):
        kind(measure).build(np.array(vectors), ["a", "b", "c"])


def test_half_refuses_what_does_not_fit(kind):
    with pytest.raises(DataError, match=r"65,504.*'b'"):
        kind("dot", "half").build([[1.0], [1e5]], ["a", "b"])


@pytest.mark.parametrize(
    ("offsets", "error", "message"),
    [
        ([1.0, 2.0], DataError, r"shape \[3\]"),
        ([1.0, np.nan, 0.0], DataError, r"offset.*'b'"),
    ],
)
def test_offsets_that_do_not_fit_are_refused(kind, offsets, error, message):
    with pytest.raises(error, match=message):
        kind().build(EYE, ["a", "b", "c"], offsets=offsets)
    with pytest.raises(ParameterError, match="dot"):
        kind("cosine").build(EYE, offsets=[0.0, 0.0, 0.0])


def test_ids_are_given_once_and_of_one_kind(kind):
    with pytest.raises(DataError, match="there twice: 'a'"):
        kind().build(EYE, ["a", "b", "a"])
    index = kind().build(EYE, ["a", "b", "c"])
    with pytest.raises(DataError, match="already in the index: 'b'"):
        index.add(["d", "b"], EYE[:2])
    with pytest.raises(DataError, match="there twice: 'd'"):
        index.add(["d", "d"], EYE[:2])
    with pytest.raises(DataError, match="strings, got 7"):
        index.add([7], EYE[:1])
    with pytest.raises(DataError, match="there twice"):
        index.remove(["a", "a"])
    with pytest.raises(DataError, match="there twice"):
        index.replace(["a", "a"], EYE[:2])
    for change in (lambda: index.remove(["x"]), lambda: index.replace(["x"], EYE[:1])):
        with pytest.raises(UnknownIdError, match="unknown item: 'x'"):
            change()
    assert index.ids.to_list() == ["a", "b", "c"]  # nothing of it happened
    assert index.search(EYE[0], 1).to_list() == [[("a", 1.0)]]


def test_dimensions_must_agree(kind):
    index = kind("cosine").build(EYE)
    for change in (lambda: index.add([9], [[1.0, 2.0]]), lambda: index.replace([0], [[1.0, 2.0]])):
        with pytest.raises(DataError, match="dimension 2 for an index of dimension 3"):
            change()
    with pytest.raises(DataError, match="queries of dimension 2"):
        index.search([[1.0, 2.0]])
    with pytest.raises(DataError, match="NaN or infinite: query 1 of 2"):
        index.search([[1.0, 2.0, 3.0], [np.nan, 0, 0]])
    with pytest.raises(DataError, match="zero query"):
        index.search([0.0, 0.0, 0.0])


def test_masks_must_fit(kind):
    index = kind().build(EYE)
    for mask in (np.ones(2, bool), np.ones(3), np.ones((1, 3), bool)):
        with pytest.raises(DataError, match=r"allowed= is a mask bool\[3\] or bool\[2, 3\]"):
            index.search(EYE[:2], allowed=mask)
    with pytest.raises(DataError, match="1 lists of ids for 2 queries"):
        index.search(EYE[:2], forbidden=[[0]])
    with pytest.raises(UnknownIdError, match="unknown item: 5"):
        index.search(EYE[0], forbidden=[[5]])


def test_an_index_without_items_says_so(kind):
    index = kind()
    assert len(index) == 0
    with pytest.raises(NotFittedError, match="is empty; build it"):
        index.search(EYE)
    with pytest.raises(DataError, match="at least one vector"):
        index.build(np.zeros((0, 3)))
    index.add(["a"], EYE[:1])  # an index may begin with its first item
    index.remove(["a"])
    found = index.search(EYE[:1], 2)
    assert found.to_list() == [[]]
    assert found.shortfalls == {0: "the index is empty"}
    index.add(["b"], EYE[:1])
    assert index.search(EYE[:1], 2).to_list() == [[("b", 1.0)]]


def test_a_short_list_says_why(kind):
    index = kind().build(EYE, ["a", "b", "c"])
    assert index.search(EYE[0], 9).shortfalls == {0: "there are 3 items"}
    nothing = index.search(EYE[:2], 1, allowed=np.zeros(3, bool))
    assert nothing.to_list() == [[], []]
    assert nothing.shortfalls[1] == "none of the 3 items may be found (3 not in allowed=)"
    some = index.search(EYE[0], 3, forbidden=[["a"]])
    assert some.shortfalls == {0: "2 of 3 items may be found (1 in forbidden=)"}
    assert index.search(EYE[0], 0).to_list() == [[]]
    with pytest.raises(ParameterError, match="k must be a whole number"):
        index.search(EYE[0], -1)


@pytest.mark.parametrize("params", [{"measure": "angle"}, {"storage": "double"}])
def test_words_that_mean_nothing_are_refused(params):
    with pytest.raises(ParameterError, match="is not one of"):
        sl.ExactIndex(**params)


@pytest.mark.parametrize(
    "params",
    [{"structure": "tree"}, {"target_recall": 1.5}, {"recall_at": 0}, {"links": 1}, {"build_threads": 0}],
)
def test_parameters_of_an_approximate_index_are_checked(params):
    with pytest.raises(ParameterError, match=next(iter(params))):
        sl.ApproximateIndex(**params)


def test_an_index_of_another_model_is_refused(kind):
    films = sl.datasets.movielens_small()
    model = sl.WALS(dim=4, n_epochs=1).fit(films, rng=0)
    people = model.fold_in_users(films)
    index = kind().build_from(model)
    assert index.space == model.space
    found = index.search(people.take(np.arange(3)), 5)
    wanted = model.recommend(people.take(np.arange(3)), 5, exclude_seen=False).frame
    if kind is sl.ExactIndex:
        assert [i for best in found.to_list() for i, _ in best] == wanted["item_id"].to_list()
        assert found.lists.score.tolist() == wanted["score"].to_list()
    index.build(EYE)
    with pytest.raises(ParameterError, match="no model that it was told of"):
        index.search(people)
    index.build_from(sl.WALS(dim=4, n_epochs=1).fit(films, rng=1))
    with pytest.raises(ParameterError, match="another model"):
        index.search(people)
    with pytest.raises(ParameterError, match="not a fitted model of vectors"):
        index.build_from(sl.Popularity().fit(films))


def test_searches_see_all_of_a_change_or_nothing(kind):
    """Two threads search while items come and go in pairs, of which a query at a pair finds both or none."""
    rng = np.random.default_rng(0)
    pairs = rng.normal(size=(N_PAIRS, 8))
    index = kind("cosine").build(
        np.repeat(rng.normal(size=(100, 8)), 2, axis=0), [f"s{i}" for i in range(200)]
    )
    index.search(pairs, 2)  # compiles what searches need
    stop, wrong, looks = threading.Event(), [], [0, 0]

    def look(number):
        while not stop.is_set():
            for p, best in enumerate(index.search(pairs, 2).to_list()):
                found = {i for i, score in best if score > 0.9999}
                if found not in (set(), {f"{p}a", f"{p}b"}):
                    wrong.append((p, best))
            looks[number] += 1

    threads = [threading.Thread(target=look, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    while min(looks) < 10:
        for p in range(N_PAIRS):
            index.add([f"{p}a", f"{p}b"], pairs[[p, p]])
        index.replace(["s0", "s1"], rng.normal(size=(2, 8)))
        for p in range(N_PAIRS):
            index.remove([f"{p}a", f"{p}b"])
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(index) == 200
