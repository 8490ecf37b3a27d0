"""What features make of scores: sums are scores, and falls are what a model says of a row without the feature."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from models.feature_worlds import GENRES, asked, asked_folded, without, world
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special

import shortlist as sl
from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureTable
from shortlist.data.vocabulary import Vocabulary
from shortlist.models.content_based import ContentBased

USER, ITEMS = 3, np.array([0, 4, 7, 17], np.int32)
LATE = 10**9


@pytest.fixture(scope="module")
def data():
    return world()


def pair(data, user, item, *, users=None, items=None, device="tv", strange=()):
    """Return a dataset of the one event of `user` and `item`, "user" or "item" of them under a new id if `strange`."""
    sides = []
    for side, table, own in (("user", users, user), ("item", items, item)):
        new = 9000 if side in strange else own
        frame = table.frame.with_columns(pl.when(pl.col("id") == own).then(new).otherwise("id").alias("id"))
        ids = Vocabulary.of(frame["id"])
        sides.append((ids.index_of([new]), ids, FeatureTable(frame, table.kinds).align(ids)))
    (user_idx, *_), (item_idx, *_) = sides
    context = None if device is None else pl.DataFrame({"device": [device]})
    first = data.interactions.where(np.arange(len(data.interactions)) == 0)
    log = replace(first, user_idx=user_idx, item_idx=item_idx, context=context)
    return Dataset(log, sides[0][1], sides[1][1], sides[0][2], sides[1][2])


def predicted(model, *given, **changed):
    """Return the score of one event, as the public way has it."""
    value = float(
        model.predict_events(pair(*given, **changed), **({"clip": False} if is_machine(model) else {}))[0]
    )
    return value if model.predicts_ratings else float(special.logit(value))


def is_machine(model):
    return isinstance(model, sl.FactorizationMachine)


def changed_world(data, user, item, name):
    """Return what `pair` takes to leave out what is called `name`."""
    tables = {"users": data.user_features, "items": data.item_features}
    if name in ("you yourself", "the item itself"):
        return tables | {"strange": ("user" if name == "you yourself" else "item",)}
    if name.startswith("device"):
        return tables | {"device": None}
    side, of = ("users", user) if name.startswith(("country", "age")) else ("items", item - 100)
    return tables | {side: without(tables[side], of, name)}


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (sl.FactorizationMachine(3, context=["device"], n_epochs=12, n_kept=4), "ratings"),
        (sl.FactorizationMachine(3, context=["device"], solver="adagrad", n_epochs=4), "binary"),
        (
            sl.FactorizationMachine(2, user_ids=False, item_ids=False, context=["device"], n_epochs=6),
            "ratings",
        ),
        (sl.DeepFM(4, (6, 3), context=["device"], n_epochs=3, batch_size=32, device="cpu"), "ratings"),
    ],
    ids=["gibbs", "adagrad", "features alone", "net"],
)
def test_a_machine_says_by_how_much_its_prediction_falls(model, kind):
    data = world(kind)
    model = model.clone().fit(data, rng=0)
    found = model.contributions(asked(model, USER, context={"device": "tv"}), ITEMS)
    assert not found.adds_up
    assert not found.base.any()
    tables = {"users": data.user_features, "items": data.item_features}
    for m, item in enumerate((ITEMS + 100).tolist()):
        whole = predicted(model, data, USER, item, **tables)
        named = np.flatnonzero(found.of_features[m])
        assert len(named) > 4
        for at in named:
            name = found.features[at]
            left = predicted(model, data, USER, item, **changed_world(data, USER, item, name))
            assert whole - left == pytest.approx(found.of_features[m, at], abs=2e-4), name
    names = set(found.features)
    assert {"country: Norway", "device: tv"} <= names
    assert ({"you yourself", "the item itself"} <= names) == model.user_ids


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (sl.FactorizationMachine(3, context=["device"], n_epochs=12, n_kept=4), "ratings"),
        (sl.DeepFM(4, (6, 3), context=["device"], n_epochs=2, batch_size=32, device="cpu"), "binary"),
        (sl.TwoTower((8, 4), id_dim=3, n_epochs=2, device="cpu"), "ratings"),
        (sl.SoftmaxNet(4, user_features=True, n_epochs=3, device="cpu"), "events"),
    ],
    ids=["machine", "net", "towers", "softmax"],
)
def test_people_folded_in_by_features_are_told_what_is_said_of_them(model, kind):
    model = model.clone().fit(world(kind), rng=0)
    said = {"country": ["France"], "age": [33.0]}
    kinds = {"country": "categorical", "age": "numeric"}

    def scores(**cells):
        table = FeatureTable(
            pl.DataFrame(
                {"id": ["somebody"], **cells}, schema_overrides={"age": pl.Float64, "country": pl.String}
            ),
            {name: kinds[name] for name in cells},
        )
        people = model.fold_in_users(features=table)
        shown = model.recommend(people, 50, items=(ITEMS + 100).tolist()).frame.sort("item_id")
        return people, shown["score"].to_numpy()

    people, whole = scores(**said)
    found = model.contributions(asked_folded(model, people, {n: c[0] for n, c in said.items()}), ITEMS)
    # A net over likes does not list what nobody likes.
    listed = model.listed_items_[ITEMS]
    for name, cells in (("country: France", {"country": [None]}), ("age 33", {"age": [None]})):
        fall = whole - scores(**said | cells)[1]
        assert_allclose(found.of_features[listed, found.features.index(name)], fall, atol=2e-4)


def test_towers_say_by_how_much_their_product_falls(data):
    model = sl.TwoTower((8, 4), id_dim=3, n_epochs=2, device="cpu").fit(data, rng=0)
    found = model.contributions(asked(model, USER), ITEMS)
    mine, scale = model.user_factors_[USER], model.score_scale_
    for m, item in enumerate(ITEMS.tolist()):
        of_ids = model._item_tower.ids[[item]]
        for at in np.flatnonzero(found.of_features[m, : found.features.index("the item itself")]):
            table = without(data.item_features, item, found.features[at])
            encoder = sl.FeatureEncoder.from_values(model.item_encoding_)
            left = model._item_tower.vectors(encoder.transform(table)[[item]], of_ids)[0]
            fall = scale * float(mine @ (model.item_factors_[item] - left))
            assert found.of_features[m, at] == pytest.approx(fall, abs=1e-3)
        # Its features alone are what an item is of which nothing else is known.
        blank = model.fold_in_items(features=data.item_features).vectors[item]
        fall = scale * float(mine @ (model.item_factors_[item] - blank))
        assert found.of_features[m, found.features.index("the item itself")] == pytest.approx(fall, abs=1e-3)
    assert {"country: Norway", "you yourself"} <= set(found.features)


@pytest.mark.parametrize(
    "model",
    [
        sl.SoftmaxNet(4, n_epochs=4, device="cpu"),
        sl.SoftmaxNet(4, layers=(6,), user_features=True, similarity="dot", n_epochs=4, device="cpu"),
    ],
    ids=["tied", "layers and features"],
)
def test_a_softmax_net_says_by_how_much_its_score_falls_without_a_past_item(model):
    data = world("events")
    model = model.clone().fit(data, rng=0)
    log, user = data.interactions, USER
    items = np.flatnonzero(model.listed_items_)[:4].astype(np.int32)
    found = model.contributions(asked(model, user, at=LATE), items)
    mine = log.user_idx == user
    assert_array_equal(found.past_item, np.unique(log.item_idx[mine]))

    def score(keep):
        people = model.fold_in_users(data.with_interactions(log.where(keep)))
        shown = model.recommend(
            people, 50, items=(items + 100).tolist(), exclude_seen=False, on_unknown="skip"
        )
        return shown.frame.filter(pl.col("user_id") == user).sort("item_id")["score"].to_numpy()

    whole = score(mine)
    for at, past in enumerate(found.past_item):
        assert_allclose(found.of_past[:, at], whole - score(mine & (log.item_idx != past)), atol=2e-4)


def test_without_their_only_past_item_a_person_is_what_else_is_known():
    data = world("events")
    model = sl.SoftmaxNet(4, n_epochs=2, user_ids=True, device="cpu").fit(data, rng=0)
    first = int(data.interactions.timestamp[data.interactions.user_idx == USER].min())
    found = model.contributions(asked(model, USER, at=first), ITEMS)
    assert found.past_item.size == 1
    assert found.features == ["you yourself"]
    assert np.isfinite(found.of_past).all()


SUMS = {
    "linear": sl.LinearOnFeatures(),
    "content": ContentBased(column_weights={"year": 0.5, "title": 2.0}, weigh="rating"),
    "content, dot": ContentBased(["genres", "year"], measure="dot"),
    "mapping": sl.FeatureMapping({"taste": sl.MatrixFactorization(3)}, columns=["genres", "year", "title"]),
    "blend": sl.Blend(
        {"content": ContentBased(), "linear": sl.LinearOnFeatures(), "taste": sl.KMeansSegments(2)},
        weights={"content": 1.0, "linear": 0.5, "taste": 0.3},
    ),
}


@pytest.mark.parametrize("name", SUMS)
def test_what_adds_up_is_the_score(data, name):
    model = SUMS[name].clone().fit(data, rng=0)
    for user in (0, USER, 11):
        items = np.flatnonzero(model.listed_items_).astype(np.int32)
        found = model.contributions(asked(model, user), items)
        assert found.adds_up
        total = found.base + found.of_past.sum(axis=1) + found.of_features.sum(axis=1)
        scores = model.score([user] * items.size, (items + 100).tolist())
        assert_allclose(total, scores, rtol=1e-5, atol=1e-6)
        assert found.of_features[-1].any()  # of an item without an event, too


@pytest.mark.parametrize("name", ["linear", "content", "mapping"])
def test_an_amount_is_of_the_items_own_features(data, name):
    model = SUMS[name].clone().fit(data, rng=0)
    found = model.contributions(asked(model, USER), np.array([16, 17], np.int32))
    cells = data.item_features.frame
    for m, item in enumerate((16, 17)):
        said = {found.features[at] for at in np.flatnonzero(found.of_features[m])}
        own = {f"genres: {tag}" for tag in cells["genres"][item]} | {f"year {cells['year'][item]:.0f}"}
        own |= {f"title: {word}" for word in cells["title"][item].split()}
        assert said
        assert said <= own


def test_people_without_events_are_told_their_own_features(data):
    mapping = sl.FeatureMapping(
        {"taste": sl.WALS(dim=3)}, columns=["genres"], user_columns=["country", "age"]
    )
    mapping.fit(data, rng=0)
    stranger = len(data.users) - 1
    found = mapping.contributions(asked(mapping, stranger), ITEMS)
    assert not found.adds_up
    here = {name: at for at, name in enumerate(found.features)}
    rows = sl.FeatureEncoder.from_values(mapping.user_encoding_).transform(data.user_features)[[stranger]]
    weights = np.zeros((4, len(here)))
    for column, value in zip(rows.indices, rows.data, strict=True):
        by_map = mapping.user_map_[column]
        name = ("country: Norway", "country: Norway", "")[column]
        at = here[name] if name else next(at for known, at in here.items() if known.startswith("age"))
        weights[:, at] = value * (mapping.item_factors_[ITEMS] @ by_map[:-1] + by_map[-1])
    own = [at for name, at in here.items() if name.startswith(("country", "age"))]
    assert_allclose(found.of_features[:, own], weights[:, own], atol=1e-5)
    assert len(own) == 2


def test_what_someone_folded_in_by_events_did_stands_beside_their_items():
    data = world("events")
    mapping = sl.FeatureMapping({"taste": sl.WALS(dim=3)}, columns=["genres"]).fit(data, rng=0)
    folded = mapping.fold_in_users(
        data.with_interactions(data.interactions.where(data.interactions.user_idx == USER))
    )
    one = folded.take(np.flatnonzero(folded.known))
    found = mapping.contributions(asked_folded(mapping, one, {}), ITEMS)
    items = (ITEMS + 100).tolist()
    shown = mapping.recommend(one, 50, items=items, exclude_seen=False).frame.sort("item_id")
    total = found.base + found.of_past.sum(axis=1) + found.of_features.sum(axis=1)
    assert_allclose(total, shown["score"].to_numpy(), atol=1e-5)


def test_what_nobody_can_say_is_the_base_of_a_blend(data):
    blend = sl.Blend({"segments": sl.KMeansSegments(2)}).fit(data, rng=0)
    assert blend.contributions(asked(blend, USER), ITEMS) is None
    towers = sl.TwoTower((4,), id_dim=2, n_epochs=1, device="cpu")
    blend = sl.Blend({"towers": towers, "linear": sl.LinearOnFeatures()}, weights={"towers": 1, "linear": 1})
    found = blend.fit(data, rng=0).contributions(asked(blend, USER), ITEMS)
    assert not found.adds_up
    assert not found.base.any()
    one, other = (model.contributions(asked(model, USER), ITEMS) for model in blend.models_.values())
    units = [voice.unit(np.zeros(1, np.int64))[0] for voice in blend._voices(asked(blend, USER))]
    for genre in GENRES:
        name = f"genres: {genre}"
        if name in found.features:
            parts = [
                of.of_features[:, of.features.index(name)] / unit
                for of, unit in zip((one, other), units, strict=True)
            ]
            assert_allclose(
                found.of_features[:, found.features.index(name)], np.sum(parts, axis=0), rtol=1e-9
            )


def test_the_persons_own_column_is_called_theirs():
    users = pl.DataFrame({"user_id": range(6), "genres": [["a"], ["b"]] * 3})
    items = pl.DataFrame({"item_id": range(4), "genres": [["a"], ["b"]] * 2})
    frame = pl.DataFrame(
        {
            "user_id": [0, 0, 1, 1, 2, 3, 4, 5],
            "item_id": [0, 1, 1, 2, 0, 1, 2, 3],
            "value": [5, 1, 5, 1, 5, 4, 5, 4],
        }
    )
    kinds = {"users": {"genres": "tags"}, "items": {"genres": "tags"}}
    data = sl.read(frame, users=users, items=items, features=kinds, kind="ratings", scale=(1, 5))
    model = sl.FactorizationMachine(2, n_epochs=3).fit(data, rng=0)
    found = model.contributions(asked(model, 0), np.array([3], np.int32))
    assert set(found.features) == {"you yourself", "your genres: a", "the item itself", "genres: b"}


@pytest.mark.parametrize(
    "model",
    [
        sl.FactorizationMachine(2, n_epochs=3),
        sl.DeepFM(3, (4,), n_epochs=1, device="cpu"),
        sl.TwoTower((4,), id_dim=2, n_epochs=1, device="cpu"),
        sl.SoftmaxNet(3, user_features=True, n_epochs=1, device="cpu"),
        sl.FeatureMapping({"taste": sl.WALS(dim=2)}, columns=["genres"], user_columns=["age"]),
        ContentBased(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_saved_model_and_one_that_forgot_somebody_say_the_same(model, data, tmp_path):
    model = model.clone().fit(data, rng=0)
    whole = model.contributions(asked(model, USER), ITEMS)
    loaded = sl.load(model.save(tmp_path / "model"))
    for other in (loaded, model.without_users([0])):
        found = other.contributions(asked(other, USER), ITEMS)
        assert list(found.features) == list(whole.features)
        # A person as such is told beside the mean of all, which is another one without somebody.
        same = [at for at, name in enumerate(whole.features) if name != "you yourself"]
        assert_allclose(found.of_features[:, same], whole.of_features[:, same], atol=1e-6)
