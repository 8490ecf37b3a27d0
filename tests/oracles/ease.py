"""EASE as one ridge regression an item: each column of X from all the others. Imports nothing of ours."""

import numpy as np


def weights(X, reg):
    """Return B float64[n, n] with zeros on the diagonal; X is [users, items]."""
    n = X.shape[1]
    B = np.zeros((n, n))
    for j in range(n):
        others = [i for i in range(n) if i != j]
        A = X[:, others]
        B[others, j] = np.linalg.solve(A.T @ A + reg * np.eye(n - 1), A.T @ X[:, j])
    return B


def objective(X, B, reg):
    return np.sum((X - X @ B) ** 2) + reg * np.sum(B**2)


def gradient(X, B, reg):
    return -2 * X.T @ (X - X @ B) + 2 * reg * B


def partial_correlations(X, reg):
    """Return the correlations given all other items under the covariance XᵀX + reg·I, from its inverse."""
    P = np.linalg.inv(X.T @ X + reg * np.eye(X.shape[1]))
    return np.array([[-P[i, j] / np.sqrt(P[i, i] * P[j, j]) for j in range(len(P))] for i in range(len(P))])
