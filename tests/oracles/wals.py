"""Weighted alternating least squares written out pair by pair, with a users × items matrix.

Rendle, Krichene, Zhang, Koren 2021 ("all"): every pair has weight w0 and target 0, and an observed pair has its own
term on top. Hu, Koren, Volinsky 2008 ("complement"): an observed pair has its own term only.
`weight[i, j]` is 0 where a pair is not observed.
"""

import numpy as np


def pair_terms(w, a, w0, form):
    """Return the (weight, target) terms that one pair adds to the loss; `w` is 0 where it is not observed."""
    if w == 0:
        return [(w0, 0.0)]
    return [(w, a), (w0, 0.0)] if form == "all" else [(w, a)]


def penalties(weight, w0, reg, exponent):
    """Return λ_i = reg (Σ_j w_ij + w0 |J|)^ν, J being the columns with an observed pair."""
    n_columns = sum(1 for j in range(weight.shape[1]) if any(weight[:, j] > 0))
    return [reg * (sum(weight[i]) + w0 * n_columns) ** exponent for i in range(len(weight))]


def objective(weight, target, rows, columns, w0, form, reg, exponent):
    total = 0.0
    for i in range(len(rows)):
        for j in range(len(columns)):
            for w, a in pair_terms(weight[i, j], target[i, j], w0, form):
                total += w * (a - rows[i] @ columns[j]) ** 2
    for i, penalty in enumerate(penalties(weight, w0, reg, exponent)):
        total += penalty * rows[i] @ rows[i]
    for j, penalty in enumerate(penalties(weight.T, w0, reg, exponent)):
        total += penalty * columns[j] @ columns[j]
    return total


def half_step(weight, target, columns, w0, form, reg, exponent):
    """Return the rows' optimum: build each A and b by adding every pair's terms, then solve."""
    d = columns.shape[1]
    out = np.zeros((len(weight), d))
    for i, penalty in enumerate(penalties(weight, w0, reg, exponent)):
        if not any(weight[i] > 0):
            continue
        a_matrix, b = penalty * np.eye(d), np.zeros(d)
        for j, v in enumerate(columns):
            for w, a in pair_terms(weight[i, j], target[i, j], w0, form):
                a_matrix += w * np.outer(v, v)
                b += w * a * v
        out[i] = np.linalg.solve(a_matrix, b)
    return out
