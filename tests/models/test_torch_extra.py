"""PyTorch is an extra: without it a net cannot be fitted, and says so; everything else works."""

import sys

import polars as pl
import pytest

import shortlist as sl
from shortlist.errors import MissingExtraError

NETS = {
    "DeepFM": {"dim": 2, "n_epochs": 1},
    "SoftmaxNet": {"dim": 2, "n_epochs": 1},
    "TwoTower": {"layers": (4, 2), "n_epochs": 1},
}


@pytest.fixture
def data():
    events = {"user_id": ["a", "a", "b", "b", "c"], "item_id": [1, 2, 2, 3, 1], "value": [5.0, 1, 4, 2, 5]}
    items = pl.DataFrame({"item_id": [1, 2, 3], "genre": ["x", "y", "x"]})
    users = pl.DataFrame({"user_id": ["a", "b", "c"], "age": [20.0, 30, 40]})
    return sl.read(
        pl.DataFrame(events),
        items=items,
        users=users,
        features={"items": {"genre": "categorical"}, "users": {"age": "numeric"}},
        kind="ratings",
        scale=(1, 5),
    )


@pytest.fixture
def without_torch(monkeypatch):
    def hide():
        for name in [name for name in sys.modules if name.startswith("shortlist.models.nets")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "torch", None)

    return hide


@pytest.mark.parametrize("name", NETS)
def test_a_fit_without_torch_says_what_to_install(name, data, without_torch):
    without_torch()
    model = getattr(sl, name)(**NETS[name])
    with pytest.raises(MissingExtraError, match=rf"{name} needs PyTorch, .* pip install 'shortlist\[nets\]'"):
        model.fit(data)
    assert not model.is_fitted


@pytest.mark.parametrize("name", NETS)
def test_a_saved_net_is_asked_without_torch(name, data, without_torch, tmp_path):
    model = getattr(sl, name)(**NETS[name]).fit(data, rng=0)
    expected = model.recommend(["a", "b"], 2, exclude_seen=False).frame
    model.save(tmp_path / "net")
    without_torch()
    loaded = sl.load(tmp_path / "net")
    assert loaded.recommend(["a", "b"], 2, exclude_seen=False).frame.equals(expected)
    loaded.score(["a"], [2])
    stranger = sl.read(
        pl.DataFrame({"user_id": ["z"], "item_id": [1], "value": [5.0]}), kind="ratings", scale=(1, 5)
    )
    assert len(loaded.recommend(loaded.fold_in_users(stranger), 2, on_unknown="skip").frame) <= 2
