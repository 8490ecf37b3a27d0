"""Trees as arrays: LightGBM's scores bit for bit, its SHAP values, and those of groups of features as defined."""

import lightgbm
import numpy as np
import pytest
from oracles.tree_shapley import shapley

from shortlist.errors import ArtifactError
from shortlist.scoring.grown_trees import GrownTrees

N_FEATURES, N_GROUPS, SIZE = 5, 20, 30


def rows(rng, n=N_GROUPS * SIZE):
    """Rows of numbers of which one column is often missing, one often 0, one always the same."""
    found = rng.normal(size=(n, N_FEATURES)).astype(np.float32)
    found[rng.random(n) < 0.3, 0] = np.nan
    found[rng.random(n) < 0.3, 1] = 0
    found[:, 4] = 1
    return found


def booster(n_trees=15, **settings):
    rng = np.random.default_rng(0)
    x = rows(rng)
    hidden = np.nan_to_num(x[:, 0], nan=1.0) + x[:, 1] * x[:, 2] + x[:, 3]
    y = (hidden + rng.normal(size=len(x)) > 1).astype(int)
    given = {"objective": "lambdarank", "verbosity": -1, "num_leaves": 12, "num_threads": 1, **settings}
    data = lightgbm.Dataset(x, y, group=[SIZE] * N_GROUPS)
    return lightgbm.train(given, data, n_trees)


@pytest.mark.parametrize("how", [{}, {"zero_as_missing": True}, {"use_missing": False}, {"num_leaves": 2}])
def test_scores_are_lightgbms_bit_for_bit_and_so_are_its_shap_values(how):
    theirs = booster(**how)
    ours = GrownTrees.of_text(theirs.model_to_string())
    asked = rows(np.random.default_rng(1), 700)
    asked[:20, 3] = np.nan  # missing where nothing was missing in training
    np.testing.assert_array_equal(ours.scores(asked), theirs.predict(asked))
    expected = theirs.predict(asked[:60], pred_contrib=True)
    shares = ours.shares(asked[:60], np.arange(N_FEATURES), N_FEATURES)
    np.testing.assert_allclose(shares, expected[:, :-1], rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.base, expected[:, -1], rtol=0, atol=1e-12)


def test_a_player_of_several_features_has_the_value_of_the_definition():
    theirs = booster(n_trees=1, use_missing=False, num_leaves=12, min_data_in_leaf=5)
    ours = GrownTrees.of_text(theirs.model_to_string())
    asked = np.nan_to_num(rows(np.random.default_rng(2), 8))
    players = [(1, 3), (0,), (2, 4)]
    player = np.array([1, 0, 2, 0, 2])
    expected = [shapley(as_dicts(ours), row, players) for row in asked.tolist()]
    found = ours.shares(asked, player, 3)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    alone = ours.shares(asked, np.arange(N_FEATURES), N_FEATURES)
    assert (
        np.abs(found[:, 0] - alone[:, [1, 3]].sum(axis=1)).max() > 1e-4
    )  # it is not the sum of its features'


def as_dicts(trees):
    """The first tree as the oracle takes it."""
    a = trees.arrays
    n = a.feature.size
    nodes = [
        {
            "feature": f,
            "threshold": t,
            "left": l if l >= 0 else n + ~l,
            "right": r if r >= 0 else n + ~r,
            "rows": c,
        }
        for f, t, l, r, c in zip(
            *(x.tolist() for x in (a.feature, a.threshold, a.left, a.right, a.n_rows)), strict=True
        )
    ]
    return nodes + [
        {"value": v, "rows": c} for v, c in zip(a.value.tolist(), a.leaf_rows.tolist(), strict=True)
    ]


def test_trees_that_could_not_grow_are_a_constant():
    theirs = booster(n_trees=2, min_data_in_leaf=10**6)
    ours = GrownTrees.of_text(theirs.model_to_string())
    asked = rows(np.random.default_rng(3), 5)
    np.testing.assert_array_equal(ours.scores(asked), theirs.predict(asked))
    assert not ours.shares(asked, np.arange(N_FEATURES), N_FEATURES).any()
    assert ours.base == theirs.predict(asked)[0]


def test_what_was_saved_scores_the_same():
    ours = GrownTrees.of_text(booster().model_to_string())
    again = GrownTrees.from_state(ours.to_state())
    asked = rows(np.random.default_rng(4), 50)
    np.testing.assert_array_equal(again.scores(asked), ours.scores(asked))
    assert len(GrownTrees.from_state(GrownTrees.none().to_state())) == 0


def test_splits_by_category_are_refused():
    text = booster(n_trees=2).model_to_string()
    with pytest.raises(ArtifactError, match="splits by category"):
        GrownTrees.of_text(text.replace("num_cat=0", "num_cat=1", 1))
