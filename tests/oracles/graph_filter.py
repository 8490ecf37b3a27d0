"""The graph filter written out: one path after another, and a full eigendecomposition. Imports nothing of ours."""

import numpy as np


def linear(R, a, p, q, n_neighbors=None):
    """Return F float64[n, n] over all paths item → person → item; R is 0/1 [people, items]."""
    n = R.shape[1]
    F = np.zeros((n, n))
    for person in R:
        mine = np.flatnonzero(person)
        for i in mine:
            for j in mine:
                F[i, j] += len(mine) ** -a * R[:, i].sum() ** -p * R[:, j].sum() ** -q
    if n_neighbors is not None:
        for row in F:
            best = sorted(range(n), key=lambda j: (-row[j], j))[:n_neighbors]
            row[[j for j in range(n) if j not in best]] = 0
    return F


def low_pass(R, a, p, dim):
    """Return D^−p V Vᵀ D^p float64[n, n] and all eigenvalues of R̃ᵀR̃, descending."""
    activity, degree = R.sum(axis=1), R.sum(axis=0).clip(1)
    normalised = R * np.where(activity > 0, activity.clip(1), 1.0)[:, None] ** (-a / 2) * degree**-p
    values, vectors = np.linalg.eigh(normalised.T @ normalised)
    top = vectors[:, ::-1][:, :dim] * (values[::-1][:dim] > 1e-9)
    return np.diag(degree**-p) @ top @ top.T @ np.diag(degree**p), values[::-1]
