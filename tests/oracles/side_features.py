"""WALS with side features written out cell by cell over the augmented matrix [[A, F], [Gᵀ, empty]].

Rows are users and then item features, columns are items and then user features. `weight` and `target` are those of the
observed pairs [n_users, n_items] (weight 0: not observed), `f` is [n_users, n_user_features], `g` is [n_items,
n_item_features]. A user or item whose features are all zero has none. Vectors of what has neither pair nor feature
are no part of it and are zero.
"""

from dataclasses import dataclass

import numpy as np


@dataclass
class Problem:
    weight: np.ndarray
    target: np.ndarray
    f: np.ndarray
    g: np.ndarray
    w0: float
    form: str
    reg: float
    exponent: float
    feature_weight: float

    def has_part(self, user=None, item=None):
        if user is not None:
            return any(self.weight[user] > 0) or any(self.f[user] != 0)
        return any(self.weight[:, item] > 0) or any(self.g[item] != 0)

    def cell(self, row, column):
        """Return the (weight, target) terms of a cell of the augmented matrix, and what it adds to n of its λ."""
        n_users, n_items = self.weight.shape
        is_user, is_item = row < n_users, column < n_items
        if is_user and is_item:
            return self.pair(row, column)
        if is_user:
            return self.feature(self.f[row], column - n_items)
        if is_item:
            return self.feature(self.g[column], row - n_users)
        return [], 0.0  # an item feature and a user feature: no data

    def pair(self, user, item):
        if not (self.has_part(user=user) and self.has_part(item=item)):
            return [], 0.0
        w = self.weight[user, item]
        if w == 0:
            return [(self.w0, 0.0)], self.w0
        unobserved = [(self.w0, 0.0)] if self.form == "all" else []
        return [(w, self.target[user, item]), *unobserved], w + self.w0

    def feature(self, features, at):
        if not any(features != 0):
            return [], 0.0
        return [(self.feature_weight, features[at])], self.feature_weight

    @property
    def shape(self):
        return len(self.weight) + self.g.shape[1], self.weight.shape[1] + self.f.shape[1]

    def penalties(self):
        """Return λ of each row and of each column: reg nᵛ; 0 for what has no cell."""
        n_rows, n_columns = self.shape
        n = np.array([[self.cell(r, c)[1] for c in range(n_columns)] for r in range(n_rows)])
        return [
            np.where(size > 0, self.reg * size**self.exponent, 0.0) for size in (n.sum(axis=1), n.sum(axis=0))
        ]

    def objective(self, rows, columns):
        """Return J; `rows` are the vectors of users and item features, `columns` those of items and user features."""
        total = 0.0
        for r in range(len(rows)):
            for c in range(len(columns)):
                total += sum(w * (a - rows[r] @ columns[c]) ** 2 for w, a in self.cell(r, c)[0])
        for vectors, penalties in zip((rows, columns), self.penalties(), strict=True):
            total += sum(penalty * v @ v for penalty, v in zip(penalties, vectors, strict=True))
        return total

    def solve_row(self, row, columns):
        """Return the vector of one row that minimises J while the columns stay."""
        d = columns.shape[1]
        a_matrix, b = self.penalties()[0][row] * np.eye(d), np.zeros(d)
        for c, v in enumerate(columns):
            for w, a in self.cell(row, c)[0]:
                a_matrix += w * np.outer(v, v)
                b += w * a * v
        return np.linalg.solve(a_matrix, b)
