"""Against ranx and scikit-learn.

Where a convention differs it is converted here: ranx divides average precision by |relevant|, we by
min(k, |relevant|); it has no capped recall. scikit-learn ranks the whole catalogue by score, so only lists that
reach k can be told to it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from metrics.random_lists import csr, padded
from numpy.testing import assert_allclose
from sklearn.metrics import ndcg_score

from shortlist import metrics

N_USERS, N_ITEMS, WIDTH = 200, 60, 20
CUTOFFS = (1, 5, WIDTH)
RANX_NAMES = ("precision", "recall", "hit_rate", "mrr", "map", "ndcg")


def random_evaluation(shortest):
    """Return (lists, truth): lists of `shortest` to WIDTH items, 1 to 30 relevant items with gains 1 to 5."""
    rng = np.random.default_rng(shortest)
    lists, truth = [], []
    for _ in range(N_USERS):
        lists.append(rng.permutation(N_ITEMS)[: rng.integers(shortest, WIDTH + 1)].tolist())
        relevant = rng.permutation(N_ITEMS)[: rng.integers(1, 31)].tolist()
        truth.append({item: float(rng.integers(1, 6)) for item in relevant})
    return lists, truth


@pytest.fixture(scope="module")
def ranx_scores():
    lists, truth = random_evaluation(shortest=1)
    # ranx orders its queries by name: zeros in front keep the users' order.
    asked = [f"u{user:04d}" for user in range(N_USERS)]
    given = {
        "qrels": {q: {f"i{i}": int(g) for i, g in t.items()} for q, t in zip(asked, truth, strict=True)},
        "run": {q: {f"i{i}": 1 / r for r, i in enumerate(s, 1)} for q, s in zip(asked, lists, strict=True)},
        "names": [f"{name}@{k}" for name in RANX_NAMES for k in CUTOFFS],
    }
    command = [sys.executable, Path(__file__).with_name("ranx_scores.py")]
    plain_python = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        command, input=json.dumps(given), env=plain_python, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {name: np.array(values) for name, values in json.loads(done.stdout).items()}


@pytest.mark.parametrize("k", CUTOFFS)
def test_agrees_with_ranx(k, ranx_scores):
    lists, truth = random_evaluation(shortest=1)
    n_relevant = np.array([len(relevant) for relevant in truth])
    capped = n_relevant / np.minimum(k, n_relevant)
    expected = {
        metrics.precision: ranx_scores[f"precision@{k}"],
        metrics.recall: ranx_scores[f"recall@{k}"],
        metrics.recall_capped: ranx_scores[f"recall@{k}"] * capped,
        metrics.hit_rate: ranx_scores[f"hit_rate@{k}"],
        metrics.reciprocal_rank: ranx_scores[f"mrr@{k}"],
        metrics.average_precision: ranx_scores[f"map@{k}"] * capped,
        metrics.ndcg: ranx_scores[f"ndcg@{k}"],
    }
    hits = metrics.find_hits(padded(lists, WIDTH), *csr(truth))
    for metric, values in expected.items():
        assert_allclose(metric(hits, k), values, rtol=1e-12, atol=1e-15, err_msg=metric.__name__)


@pytest.mark.parametrize("k", [1, 7, WIDTH])
@pytest.mark.parametrize("graded", [False, True])
def test_ndcg_agrees_with_scikit_learn(k, graded):
    lists, truth = random_evaluation(shortest=WIDTH)
    if not graded:
        truth = [dict.fromkeys(relevant, 1.0) for relevant in truth]
    gains, scores = np.zeros((N_USERS, N_ITEMS)), np.zeros((N_USERS, N_ITEMS))
    for user, (shown, relevant) in enumerate(zip(lists, truth, strict=True)):
        gains[user, list(relevant)] = list(relevant.values())
        scores[user, shown] = np.arange(WIDTH, 0, -1)
    hits = metrics.find_hits(padded(lists, WIDTH), *csr(truth))
    theirs = [ndcg_score(gains[[u]], scores[[u]], k=k, ignore_ties=True) for u in range(N_USERS)]
    assert_allclose(metrics.ndcg(hits, k), theirs, rtol=1e-12, atol=1e-15)
