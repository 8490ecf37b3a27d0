"""The parts of a factorisation machine beside their definitions: sums, gradient steps, draws, priors, unseen items."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import fm as oracle
from scipy import sparse, stats

from shortlist import threads
from shortlist.data.event_encoder import Field
from shortlist.kernels import fm_lanes
from shortlist.models import fm_design, fm_gibbs
from shortlist.models.fm_column_draws import ColumnDraws
from shortlist.models.fm_descent import Descent, Steps, mean_loss
from shortlist.models.fm_design import Design, Examples, Rows, no_rows
from shortlist.models.fm_fold_in import IdPrior, folded
from shortlist.models.fm_gibbs import Chain, truncated_normal
from shortlist.models.fm_pair_draws import PairDraws, pairs_of
from shortlist.models.fm_parameters import Parameters
from shortlist.models.fm_posterior import Plan
from shortlist.models.normal_wishart import Prior, draw_prior, draw_wishart
from shortlist.models.unseen_items import UnseenItems

FIELDS = (
    Field("user_id", "user", 0, 4),
    Field("age", "user", 4, 5),
    Field("item_id", "item", 5, 11),
    Field("genres", "item", 11, 14),
    Field("hour", "context", 14, 16),
)
N_COLUMNS = 16


def rows_of(rng, n, one_hot, others, n_others):
    """Return dense [n, N_COLUMNS]: an id each in `one_hot`, and now and then something in the columns `others`."""
    dense = np.zeros((n, N_COLUMNS), np.float32)
    dense[np.arange(n), one_hot] = 1
    for row in range(n):
        some = rng.choice(others, rng.integers(n_others + 1), replace=False)
        dense[row, some] = rng.choice([1.0, -0.5, 2.0], some.size)
    return dense


def design_of(seed, m=40):
    """Return a random design of four users, six items and five moments, and its dense rows [m, N_COLUMNS]."""
    rng = np.random.default_rng(seed)
    users = rows_of(rng, 4, np.arange(4), [4], 1)
    items = rows_of(rng, 6, 5 + np.arange(6), [11, 12, 13], 3)
    moments = np.zeros((5, N_COLUMNS), np.float32)
    moments[[0, 1, 3], [14, 15, 14]] = 1
    user, item, moment = (rng.integers(n, size=m).astype(np.int32) for n in (4, 6, 5))
    examples = Examples(user, item, moment, rng.normal(size=m).astype(np.float32))
    sides = (Rows.of(sparse.csr_array(part)) for part in (users, items, moments))
    design = Design(*sides, FIELDS, N_COLUMNS, examples)
    return design, (users[user] + items[item] + moments[moment]).astype(np.float64)


def random_parameters(seed, n_samples=2, dim=3):
    rng = np.random.default_rng(seed)
    return Parameters(
        rng.normal(size=n_samples),
        rng.normal(size=(N_COLUMNS, n_samples)).astype(np.float32),
        rng.normal(size=(N_COLUMNS, n_samples, dim)).astype(np.float32),
    )


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), dim=st.integers(0, 5))
def test_prediction_is_the_sum_over_all_pairs(seed, dim):
    design, dense = design_of(seed, m=12)
    of = random_parameters(seed, 2, dim)
    expected = [
        [oracle.predicted(x, of.intercepts[s], of.weights[:, s], of.factors[:, s]) for s in range(2)]
        for x in dense
    ]
    np.testing.assert_allclose(of.predictions(design), expected, rtol=1e-5, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_prediction_is_a_dot_product_of_sides(seed):
    design, _ = design_of(seed, m=12)
    of, examples = random_parameters(seed), design.examples
    users, items, moments = (of.side(rows) for rows in (design.users, design.items, design.context))
    expected = of.predictions(design)
    for row in range(12):
        own = type(users)(*(part[[examples.user_idx[row]]] for part in users))
        moment = type(users)(*(part[[examples.context_idx[row]]] for part in moments))
        asking = own.beside(moment)
        item = examples.item_idx[row]
        found = of.intercepts + asking.offsets[0] + items.offsets[item]
        found = found + (asking.vectors[0] * items.vectors[item]).sum(axis=1)
        np.testing.assert_allclose(found, expected[row], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("logistic", [False, True])
@pytest.mark.parametrize("example", range(6))
def test_a_step_goes_down_the_gradient(example, logistic):
    design, dense = design_of(example)
    of, y = random_parameters(example, 1), float(logistic)
    design.examples.target[:] = y if logistic else design.examples.target
    y = float(design.examples.target[example])
    how = {"reg": 0.3, "weight_reg": 0.2, "logistic": logistic}
    start = of.intercepts[0], of.weights[:, 0], of.factors[:, 0]
    expected = oracle.slopes(dense[example], y, *start, **how)
    descent = Descent(np.array([start[0]]), start[1].copy(), start[2].copy())
    rate = 1e-2
    loss = descent.epoch(design, np.array([example]), Steps(rate, 0.3, 0.2, logistic, adagrad=False))
    found = (
        (start[0] - descent.intercept[0]) / rate,
        (start[1] - descent.weights) / rate,
        (start[2] - descent.factors) / rate,
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    bare = oracle.loss(dense[example], y, *start, reg=0, weight_reg=0, logistic=logistic)
    assert loss == pytest.approx(bare, rel=1e-5)


def test_adagrad_divides_by_the_root_of_the_sum_of_squares():
    design, dense = design_of(3)
    of = random_parameters(3, 1)
    start = of.intercepts[0], of.weights[:, 0], of.factors[:, 0]
    descent = Descent(np.array([start[0]]), start[1].copy(), start[2].copy())
    steps = Steps(0.05, 0.0, 0.0, False, adagrad=True)
    squares = 0.0
    for _ in range(2):
        now = descent.intercept[0], descent.weights.copy(), descent.factors.copy()
        y = float(design.examples.target[0])
        slope, _, _ = oracle.slopes(dense[0], y, *now, reg=0, weight_reg=0, logistic=False)
        squares += slope**2
        descent.epoch(design, np.array([0]), steps)
        assert now[0] - descent.intercept[0] == pytest.approx(0.05 * slope / np.sqrt(squares), rel=1e-4)


# Gibbs.


def chain_of(design, of, *, probit=False, seed=0, targets=None):
    targets = design.examples.target.astype(float) if targets is None else targets
    return Chain(
        design,
        targets,
        of.weights[:, 0].astype(float),
        of.factors[:, 0].astype(float),
        float(of.intercepts[0]),
        probit=probit,
        rng=np.random.default_rng(seed),
    )


class Fixed:
    """A generator whose normal numbers are given."""

    def __init__(self, noise):
        self._noise = noise

    def standard_normal(self, shape):
        assert self._noise.shape == shape
        return self._noise


def prior_of(d, seed=0):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(d, d)) / 3
    return Prior(rng.normal(size=d), np.eye(d) + root @ root.T)


@pytest.mark.parametrize("part", [fm_design.PART, 5])
@pytest.mark.parametrize("dim", [1, 3, 8])
def test_a_draw_has_the_mean_and_covariance_of_the_conditional(monkeypatch, part, dim):
    monkeypatch.setattr(fm_design, "PART", part)  # 5: most columns are long ones, worked on in parts
    design, dense = design_of(2)
    of, prior, alpha = random_parameters(7, 1, dim), prior_of(dim + 1), 1.7
    start = of.intercepts[0], of.weights[:, 0].astype(float), of.factors[:, 0].astype(float)
    y = design.examples.target.astype(float)
    for number, field in enumerate(chain_of(design, of).draws.fields):
        column = int(field.columns[0])
        expected, covariance = oracle.conditional(dense, column, y, *start, alpha, *prior)
        draws = []
        for noise in np.vstack([np.zeros(dim + 1), np.eye(dim + 1)]):
            chain = chain_of(design, of)
            chain.state.alpha = alpha
            every = np.zeros((field.columns.size, dim + 1))
            every[0] = noise
            chain._rng = Fixed(every)
            chain.draw_field(chain.draws.fields[number], prior)
            draws.append(np.append(chain.state.factors[column, :dim], chain.state.weights[column]))
        np.testing.assert_allclose(draws[0], expected, rtol=1e-4, atol=1e-5)
        away = np.array(draws[1:]) - draws[0]
        np.testing.assert_allclose(away.T @ away, covariance, rtol=1e-5, atol=1e-8)


def test_the_chain_keeps_its_sums_in_step_with_its_parameters():
    design, _ = design_of(4)
    chain = chain_of(design, random_parameters(1, 1, 5))
    for _ in range(20):
        chain.sweep()
    q, e = chain.draws.q.copy(), chain.state.errors.copy()
    chain.draws.refresh()
    np.testing.assert_allclose(q, chain.draws.q, atol=1e-4)
    np.testing.assert_allclose(e, chain.state.errors, atol=1e-4)


def test_with_linear_terms_alone_the_draws_are_bayesian_linear_regression():
    design, dense = design_of(5)
    of = random_parameters(0, 1, 0)
    chain = chain_of(design, of)
    chain.state.alpha, prior = 2.0, Prior(np.array([0.3]), np.array([[1.5]]))
    draws = []
    for _ in range(6000):
        for field in chain.draws.fields:
            chain.draw_field(field, prior)
        draws.append(chain.state.weights.copy())
    used = np.concatenate([field.columns for field in chain.draws.fields])
    mean, covariance = oracle.linear_posterior(
        dense[:, used],
        design.examples.target.astype(float) - chain.state.intercept,
        2.0,
        np.full(used.size, 0.3),
        1.5 * np.eye(used.size),
    )
    found = np.array(draws[200:])[:, used]
    np.testing.assert_allclose(found.mean(axis=0), mean, atol=0.06)
    np.testing.assert_allclose(np.cov(found.T), covariance, atol=0.06)
    np.testing.assert_allclose(found.var(axis=0), np.diag(covariance), rtol=0.16)


def test_draws_do_not_depend_on_threads_or_parts(monkeypatch):
    design, _ = design_of(6, m=300)
    found = []
    before = threads.num_threads()
    try:
        for n in (1, 3):
            threads.set_num_threads(n)
            chain = chain_of(design, random_parameters(1, 1, 4))
            for _ in range(5):
                chain.sweep()
            found.append((chain.state.factors.copy(), chain.state.weights.copy(), chain.state.alpha))
    finally:
        threads.set_num_threads(before)
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    monkeypatch.setattr(fm_design, "PART", 7)
    chain = chain_of(design, random_parameters(1, 1, 4))
    for _ in range(5):
        chain.sweep()
    np.testing.assert_allclose(chain.state.factors, found[0][0], rtol=1e-3, atol=1e-4)


def test_examples_in_another_order_give_the_same_draws():
    design, _ = design_of(8, m=100)
    shuffled = design.with_examples(design.examples.take(np.random.default_rng(0).permutation(100)))
    chains = [chain_of(one, random_parameters(1, 1, 4)) for one in (design, shuffled)]
    for chain in chains:
        for _ in range(4):
            chain.sweep()
    np.testing.assert_allclose(chains[0].state.factors, chains[1].state.factors, rtol=1e-3, atol=1e-4)


def pairs_design(seed, m=700):
    """Return a design of pairs of ids alone: 90 users, 40 items, some much more often than others."""
    rng = np.random.default_rng(seed)
    user = (90 * rng.random(m) ** 3).astype(np.int32)
    item = (40 * rng.random(m) ** 2).astype(np.int32)
    target = (rng.normal(size=90)[user] + rng.normal(size=40)[item] + rng.normal(size=m)).astype(np.float32)
    ids = sparse.eye_array(130, format="csr", dtype=np.float32)
    fields = (Field("user_id", "user", 0, 90), Field("item_id", "item", 90, 130))
    examples = Examples(user, item, np.zeros(m, np.int32), target)
    return Design(Rows.of(ids[:90]), Rows.of(ids[90:]), no_rows(), fields, 130, examples)


def pairs_chain(design, *, probit=False, dim=5, start=1):
    rng = np.random.default_rng(start)
    targets = design.examples.target.astype(float)
    factors = 0.3 * rng.normal(size=(130, dim))
    targets = np.where(targets > 0, 1.0, -1.0) if probit else targets
    return Chain(design, targets, rng.normal(size=130), factors, 0.1, probit=probit, rng=rng)


@pytest.mark.parametrize("probit", [False, True])
def test_pairs_of_ids_are_drawn_as_columns_are(monkeypatch, probit):
    design = pairs_design(0)
    chains = [pairs_chain(design, probit=probit)]
    monkeypatch.setattr(fm_gibbs, "pairs_of", lambda design: None)
    chains.append(pairs_chain(design, probit=probit))
    assert [type(chain.draws) for chain in chains] == [PairDraws, ColumnDraws]
    for chain in chains:
        for _ in range(4):
            chain.sweep()
    one, other = (chain.state for chain in chains)
    assert np.bincount(design.examples.user_idx).max() > 2 * fm_lanes.SHORT  # both ways of summing
    for name in ("factors", "weights", "errors", "targets", "intercept", "alpha"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-3, atol=1e-4)


def test_a_draw_of_pairs_has_the_mean_and_covariance_of_the_conditional():
    design, dim = pairs_design(3), 3
    prior, alpha = prior_of(dim + 1), 1.7
    start = pairs_chain(design, dim=dim).state
    of = design.examples
    dense = np.eye(130)[of.user_idx] + np.eye(130)[90 + of.item_idx]
    now = start.intercept, start.weights, start.factors[:, :dim]
    for number in range(2):
        n = pairs_chain(design, dim=dim).draws.fields[number].columns.size
        for row in (0, n - 1):  # the one with most examples, the one with fewest
            draws = []
            for noise in np.vstack([np.zeros(dim + 1), np.eye(dim + 1)]):
                chain = pairs_chain(design, dim=dim)
                chain.state.alpha, every = alpha, np.zeros((n, dim + 1))
                every[row] = noise
                chain.draws.draw(chain.draws.fields[number], prior, every)
                column = int(chain.draws.fields[number].columns[row])
                draws.append(np.append(chain.state.factors[column, :dim], chain.state.weights[column]))
            having = dense[:, column] > 0
            expected, covariance = oracle.conditional(
                dense[having], column, of.target[having].astype(float), *now, alpha, *prior
            )
            np.testing.assert_allclose(draws[0], expected, rtol=1e-6, atol=1e-8)
            away = np.array(draws[1:]) - draws[0]
            np.testing.assert_allclose(away.T @ away, covariance, rtol=1e-6, atol=1e-10)


def test_draws_of_pairs_do_not_depend_on_threads():
    design = pairs_design(6, m=3000)
    found, before = [], threads.num_threads()
    try:
        for n in (1, 3):
            threads.set_num_threads(n)
            chain = pairs_chain(design)
            for _ in range(3):
                chain.sweep()
            found.append(np.append(chain.state.factors.ravel(), chain.state.alpha))
    finally:
        threads.set_num_threads(before)
    np.testing.assert_array_equal(*found)


def test_what_is_no_pair_of_ids_is_drawn_column_by_column():
    design = pairs_design(1)
    assert pairs_of(design) is not None
    heavier = Rows(design.users.ptr, design.users.columns, 2 * design.users.values)
    has_context = Rows.of(sparse.csr_array(np.eye(1, 130, dtype=np.float32)))
    none = Rows.of(sparse.csr_array((90, 130), dtype=np.float32))
    split = Field("user_id", "user", 0, 50), Field("group", "user", 50, 90), design.fields[1]
    for other in (
        replace(design, users=heavier),
        replace(design, users=none),
        replace(design, context=has_context),
        replace(design, fields=split),
        design_of(0)[0],
    ):
        assert pairs_of(other) is None


def test_hidden_values_are_normal_cut_off_at_the_side_of_the_label():
    rng = np.random.default_rng(0)
    for mean in (-3.0, 0.0, 2.0):
        for sign in (-1.0, 1.0):
            drawn = truncated_normal(np.full(20_000, mean), np.full(20_000, sign), rng.random(20_000))
            assert (drawn * sign >= 0).all()
            low, high = (-mean, np.inf) if sign > 0 else (-np.inf, -mean)
            assert stats.kstest(drawn, stats.truncnorm(low, high, loc=mean).cdf).pvalue > 1e-4
    far = truncated_normal(np.array([-40.0, 40.0]), np.array([1.0, -1.0]), np.array([0.5, 0.999999]))
    assert np.isfinite(far).all()
    assert (far * [1, -1] >= 0).all()


def test_label_draws_find_the_weights_of_a_probit_regression():
    rng = np.random.default_rng(1)
    m = 4000
    users = Rows.of(sparse.csr_array(np.eye(4, dtype=np.float32)))
    planted = np.array([-1.0, 0.2, 0.6, 1.4])
    user = rng.integers(4, size=m).astype(np.int32)
    signs = np.where(planted[user] + rng.normal(size=m) > 0, 1.0, -1.0)
    zeros = np.zeros(m, np.int32)
    design = Design(
        users, no_rows(), no_rows(), (Field("user_id", "user", 0, 4),), 4, Examples(user, zeros, zeros, signs)
    )
    of = Parameters(np.zeros(1), np.zeros((4, 1), np.float32), np.zeros((4, 1, 0), np.float32))
    chain = chain_of(design, of, probit=True, targets=signs)
    draws = []
    for _ in range(300):
        chain.sweep()
        draws.append(chain.state.weights + chain.state.intercept)
    np.testing.assert_allclose(np.mean(draws[50:], axis=0), planted, atol=0.12)


def test_the_prior_of_many_vectors_is_theirs():
    rng = np.random.default_rng(0)
    root = np.array([[1.0, 0.0], [0.8, 0.5]])
    vectors = rng.normal(size=(50_000, 2)) @ root.T + [3.0, -1.0]
    draws = [draw_prior(vectors, rng) for _ in range(20)]
    np.testing.assert_allclose(np.mean([of.mean for of in draws], axis=0), [3.0, -1.0], atol=0.02)
    covariances = [np.linalg.inv(of.precision) for of in draws]
    np.testing.assert_allclose(np.mean(covariances, axis=0), root @ root.T, rtol=0.03)


def test_the_prior_given_vectors_is_the_conjugate_posterior():
    rng = np.random.default_rng(3)
    vectors = np.array([[2.0], [1.0], [3.0]])
    draws = [draw_prior(vectors, rng) for _ in range(4000)]
    # One dimension, by hand: W⁻¹ = 1 + Σ(x − 2)² + (3·2/5)·2² = 7.8, ν = 4, μ = (3/5)·2; E[Λ] = ν/7.8.
    assert np.mean([of.precision[0, 0] for of in draws]) == pytest.approx(4 / 7.8, rel=0.05)
    assert np.mean([of.mean[0] for of in draws]) == pytest.approx(1.2, abs=0.06)
    # Var μ = E[1 / (5 Λ)] = 7.8 / (5 (ν − 2)).
    assert np.var([of.mean[0] for of in draws]) == pytest.approx(7.8 / 10, rel=0.25)


def test_wishart_draws_have_their_mean():
    rng = np.random.default_rng(0)
    scale = np.array([[0.5, 0.2, 0.0], [0.2, 0.4, 0.1], [0.0, 0.1, 0.3]])
    mean = np.mean([draw_wishart(scale, 7.0, rng) for _ in range(4000)], axis=0)
    np.testing.assert_allclose(mean, 7 * scale, atol=0.12)


# Fold-in and negatives.


def test_folded_parameters_are_where_the_posterior_is_highest():
    rng = np.random.default_rng(0)
    z, base = rng.normal(size=(12, 2, 3)), rng.normal(size=(12, 2))
    prior = IdPrior(
        rng.normal(size=(2, 3)), np.stack([prior_of(3, s).precision for s in (1, 2)]), np.array([2.0, 3.0])
    )
    labels = (rng.random(12) < 0.4).astype(float)
    for link, target in (("identity", rng.normal(size=12)), ("logit", labels), ("probit", labels)):
        theta = folded(z, base, target, prior, link)
        for s in range(2):

            def cost(at, s=s, link=link, target=target):
                eta, away = base[:, s] + z[:, s] @ at, at - prior.means[s]
                sign = 2 * target - 1
                fit = {
                    "identity": 0.5 * prior.noise_precisions[s] * (target - eta) ** 2,
                    "logit": np.logaddexp(0, -sign * eta),
                    "probit": -stats.norm.logcdf(sign * eta),
                }[link].sum()
                return fit + 0.5 * away @ prior.precisions[s] @ away

            for direction in np.eye(3):
                up, down = (cost(theta[s] + d * direction) for d in (1e-4, -1e-4))
                assert abs(up - down) / 2e-4 < 1e-4
                assert min(up, down) >= cost(theta[s])


def test_without_events_the_prior_stands():
    prior = IdPrior(np.array([[0.3, -0.2]]), np.eye(2)[None], np.ones(1))
    for link in ("identity", "logit", "probit"):
        none = folded(np.zeros((0, 1, 2)), np.zeros((0, 1)), np.zeros(0), prior, link)
        np.testing.assert_allclose(none, [[0.3, -0.2]])


def test_unseen_items_are_drawn_evenly_from_what_a_user_has_not_seen():
    seen_users, seen_items = np.array([0, 0, 0, 2], np.int32), np.array([1, 7, 1, 3], np.int32)
    candidates = np.array([1, 3, 4, 7, 9], np.int32)
    unseen = UnseenItems(seen_users, seen_items, candidates)
    assert unseen.n_unseen(np.array([0, 1, 2], np.int32)).tolist() == [3, 5, 4]
    rng = np.random.default_rng(0)
    for user, left in ((0, [3, 4, 9]), (1, [1, 3, 4, 7, 9]), (2, [1, 4, 7, 9])):
        drawn = unseen.draw(np.full(6000, user, np.int32), rng)
        found, count = np.unique(drawn, return_counts=True)
        assert found.tolist() == left
        assert stats.chisquare(count).pvalue > 1e-4


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_no_draw_is_an_item_that_was_seen(seed):
    rng = np.random.default_rng(seed)
    users, items = rng.integers(5, size=20).astype(np.int32), rng.integers(8, size=20).astype(np.int32)
    candidates = np.unique(items).astype(np.int32)
    unseen = UnseenItems(users, items, candidates)
    asked = rng.integers(6, size=50).astype(np.int32)
    asked = asked[unseen.n_unseen(asked) > 0]
    pairs = set(zip(users.tolist(), items.tolist(), strict=True))
    for user, item in zip(asked.tolist(), unseen.draw(asked, rng).tolist(), strict=True):
        assert (user, item) not in pairs
        assert item in candidates


def test_kept_sweeps_are_spread_evenly():
    assert sorted(Plan(200, 20, 3).kept()) == [80, 140, 200]
    assert Plan(5, 2, 100).kept() == {3, 4, 5}


def test_mean_loss_of_labels_is_the_cross_entropy():
    z, y = np.array([0.5, -2.0]), np.array([1.0, 0.0], np.float32)
    p = 1 / (1 + np.exp(-z))
    assert mean_loss(z, y, True) == pytest.approx(-np.mean([np.log(p[0]), np.log(1 - p[1])]))
