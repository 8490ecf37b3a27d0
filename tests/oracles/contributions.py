"""What events add to a score, from the papers, one person at a time and with dense matrices."""

import numpy as np


def wals(Y, scored, past, weights, *, w0, complement, reg, exponent, n_items, Phi=None, w_f=0.0, f=None):
    """Return amounts [m, h] of past items and [m] of the features f.

    Y are the item vectors of the fit, `scored` [m, d] those to be scored. The minimum of the objective is found by one
    dense solve over all items; what each past item's own term pulls there, half its negative gradient, goes through the
    inverse of all that is the same without any past item.
    """
    cells = sum(weights) + w0 * n_items
    same = w0 * sum(np.outer(y, y) for y in Y)
    pull = np.zeros(Y.shape[1])
    if Phi is not None:
        cells += w_f * len(Phi)
        same = same + w_f * sum(np.outer(phi, phi) for phi in Phi)
        pull = w_f * sum(value * phi for value, phi in zip(f, Phi, strict=True))
    same = same + reg * cells**exponent * np.eye(Y.shape[1])
    whole = same + sum(
        (w - w0 * complement) * np.outer(Y[j], Y[j]) for j, w in zip(past, weights, strict=True)
    )
    u = np.linalg.solve(whole, pull + sum(w * Y[j] for j, w in zip(past, weights, strict=True)))
    through = np.linalg.inv(same)
    pulls = [
        (w * (1 - u @ Y[j]) + w0 * complement * (u @ Y[j])) * Y[j] for j, w in zip(past, weights, strict=True)
    ]
    of_past = [[y @ through @ of_item for of_item in pulls] for y in scored]
    return np.array(of_past).reshape(len(scored), len(past)), np.array([y @ through @ pull for y in scored])


def ratings(X, offsets, items, past, y, *, reg, bias_reg, exponent):
    """Return amounts [m, h] in the prediction of a ridge regression of y - offset on [x; 1], one past item at a time.

    A ridge regression is linear in its targets: each target stands alone, the others being 0.
    """
    with_one = [np.append(X[j], 1.0) for j in past]
    n = len(past)
    A = sum(np.outer(z, z) for z in with_one) + n**exponent * np.diag(
        np.append(np.full(X.shape[1], reg), bias_reg)
    )
    amounts = np.zeros((len(items), n))
    for at, (j, z) in enumerate(zip(past, with_one, strict=True)):
        solution = np.linalg.solve(A, z * (y[at] - offsets[j]))
        for row, i in enumerate(items):
            amounts[row, at] = np.append(X[i], 1.0) @ solution
    return amounts


def pairwise(V, offsets, items, past, others, u, *, reg, likes, n_draws):
    """Return amounts [m, h]: minus the gradient at u of each liked item's own loss, over n reg, times each item.

    The losses -w ln sigmoid(x) are of pairs with the others, w by their likes to the power 1/2, or by how likely each
    is the best of `n_draws` uniform draws (all products of equal chances counted by rank).
    """
    score = V @ u + offsets
    if likes is not None:
        weights = likes**0.5 / (likes**0.5).sum()
    else:
        rank = np.array([np.sum(score[others] <= score[k]) for k in others])
        weights = (rank / len(others)) ** n_draws - ((rank - 1) / len(others)) ** n_draws
    shares = []
    for i in past:
        pulls = [
            w / (1 + np.exp(score[i] - score[k])) * (V[i] - V[k])
            for k, w in zip(others, weights, strict=True)
        ]
        shares.append(np.sum(pulls, axis=0) / (len(past) * reg))
    return np.array([[V[i] @ share for share in shares] for i in items])
