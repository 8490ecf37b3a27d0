"""Parts: a recommender with other parameters is the same recommender but for them."""

import pytest
from experiments.tuning.shop import pipeline, shop, wals

import shortlist as sl
from shortlist.errors import ParameterError
from shortlist.experiments.tuning.parts import Parts


def test_a_lone_model_has_its_parameters_by_name():
    parts = Parts(wals())
    searchable = {name: value for name, value in wals().params().items() if name != "pair_weights"}
    assert parts.values == searchable  # a function is nothing to search
    assert parts.build({"dim": 7}).params() == wals(dim=7).params()


def test_a_pipeline_keeps_what_is_shared_shared():
    model = wals()
    parts = Parts(pipeline(model))
    built = parts.build({"models.WALS.dim": 7, "sources.Nearest.k": 3, "models.Popularity.by": "mean"})
    nearest, popular = built.sources
    assert nearest.model is built.scorer.model is not model
    assert (nearest.model.dim, nearest.k, popular.model.by, popular.k) == (7, 3, "mean", 5)
    assert (model.dim, parts.recommender.sources[0].k) == (2, 8)


def test_without_changes_it_recommends_the_same():
    data = shop()
    built = Parts(pipeline()).build({}).fit(data, rng=2)
    users = data.users.ids.to_list()
    assert built.recommend(users, 5).frame.equals(pipeline().fit(data, rng=2).recommend(users, 5).frame)


def test_models_of_one_class_are_told_apart():
    first, second = wals(dim=3), wals(dim=4)
    parts = Parts(
        sl.Pipeline([sl.Nearest(first, name="a"), sl.Nearest(second, name="b")], sl.ModelScorer(first))
    )
    assert (parts.values["models.WALS.dim"], parts.values["models.WALS 2.dim"]) == (3, 4)
    built = parts.build({"models.WALS 2.dim": 9, "sources.b.k": 6})
    assert [(source.name, source.model.dim, source.k) for source in built.sources] == [
        ("a", 3, 200),
        ("b", 9, 6),
    ]


def test_given_names_go_before_and_what_has_none_is_not_searched():
    model = wals()
    parts = Parts(pipeline(model), {"taste": model, "unused": wals()})
    assert {address.rpartition(".")[0] for address in parts.types} == {
        "models.taste",
        "sources.Nearest",
        "sources.Popular",
    }
    assert Parts(model, {"taste": model}).build({"models.taste.dim": 5}).dim == 5


def test_names_of_sources_and_models_are_nothing_to_search():
    assert not [
        address for address in Parts(pipeline()).types if address.endswith((".name", ".model", ".rng"))
    ]


def test_a_stage_of_ones_own_is_kept_as_it_is():
    class Own:
        name = "own"

    own = Own()
    built = Parts(sl.Pipeline([sl.Nearest(wals()), own], sl.ModelScorer(wals()))).build(
        {"sources.Nearest.k": 2}
    )
    assert built.sources[1] is own


@pytest.mark.parametrize(
    ("spelled", "near"),
    [
        ("models.WALS.dmi", "models.WALS.dim"),
        ("source.Nearest.k", "sources.Nearest.k"),
        ("sources.3.k", "sources."),
        ("sources.0.k", "sources."),
    ],
)
def test_an_unknown_address_gets_the_nearest(spelled, near):
    with pytest.raises(ParameterError, match=f"there is no parameter '{spelled}'. Did you mean '{near}"):
        Parts(pipeline()).address(spelled)
