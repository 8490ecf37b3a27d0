import numpy as np
import pytest
import torch

from shortlist.models.adam import Adam


def test_the_first_step_moves_by_the_learning_rate_whatever_the_gradient():
    x = np.array([1.0, 1.0, 1.0])
    Adam(0.1).step([x], [np.array([1e-3, -5.0, 1e6])])
    np.testing.assert_allclose(x, [0.9, 1.1, 0.9], rtol=1e-3)


def test_epsilon_stands_beside_the_uncorrected_moment():
    # By hand: m = .1 g, v = .001 g^2, so m * sqrt(1-.999)/(1-.9) / (sqrt(v) + eps) = s g / (s g + eps), s = sqrt(.001).
    x = np.zeros(1)
    Adam(0.1).step([x], [np.array([1e-6])])
    s = 0.001**0.5
    assert x[0] == pytest.approx(-0.1 * s * 1e-6 / (s * 1e-6 + 1e-7), rel=1e-12)


def test_equals_torch_where_epsilon_is_too_small_to_matter():
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(3, 2)), rng.normal(size=(30, 3, 2))
    ours, theirs = start.copy(), torch.tensor(start, requires_grad=True)
    ours_adam = Adam(0.05, epsilon=0.0)
    torch_adam = torch.optim.Adam([theirs], lr=0.05, eps=0.0)
    for g in gradients:
        ours_adam.step([ours], [g])
        theirs.grad = torch.tensor(g)
        torch_adam.step()
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-12)


def test_arrays_keep_moments_of_their_own():
    a, b = np.zeros(2), np.zeros(3)
    optimiser = Adam(0.1)
    for _ in range(5):
        optimiser.step([a, b], [np.array([1.0, -1.0]), np.zeros(3)])
    np.testing.assert_allclose(a, [-0.5, 0.5], rtol=1e-3)
    np.testing.assert_array_equal(b, 0)
