"""Descent on the whole objective of WALS at once, users and items together, along its exact gradient.

The term of all pairs is w0 Σ_kl (UᵀU ∘ VᵀV)_kl, which pulls every user and every item towards the origin at once (the
"gravity" of Krichene et al. 2019, "Efficient training on very large corpora via Gramian estimation"). Its gradient by U
is 2 w0 U VᵀV, from a d × d matrix, so an exact gradient of all |U| |I| pairs costs nnz d + (|U| + |I|) d².

Directions are those of nonlinear conjugate gradients (Polak and Ribière 1969, restarted where they do not descend:
Nocedal and Wright 2006, section 5.2), the gradient of row r preconditioned by the inverse of w0 VᵀV + (λ_r + s_r) I,
s_r = Σ_j w_rj |v_j|² / d being the mean curvature that its own pairs add. Along a direction (P, Q) J is a polynomial of
degree four in the length of the step, since each u·v is one of degree two, and the best length is found exactly.
Therefore J never rises, and there is no learning rate. All is float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import polynomial
from scipy import linalg

from shortlist import threads
from shortlist.errors import NonFiniteError
from shortlist.kernels.pair_products import add_pair_dots, add_weighted_columns
from shortlist.models.weighted_squares import gram

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from shortlist.models.weighted_squares import Loss, Observed

    F64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Side:
    """The pairs seen from one side as arrays of the types that kernels take, with λ of its rows."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    weight: F64
    target: F64
    penalty: F64

    @classmethod
    def of(cls, observed: Observed, loss: Loss) -> Side:
        """Return the arrays of `observed`."""
        weights = observed.weights
        return cls(
            weights.indptr.astype(np.int64),
            weights.indices.astype(np.int32),
            weights.data.astype(np.float64),
            observed.targets.astype(np.float64),
            loss.penalties(observed),
        )

    def dots(self, *sides: tuple[F64, F64]) -> F64:
        """Return Σ row·column at each pair over the given (rows, columns), float64[nnz]."""
        out = np.zeros(self.indices.size)
        for rows, columns in sides:
            block = partial(self._add_dots, rows, columns, out)
            threads.run_blocks(block, len(rows))
        return out

    def _add_dots(self, rows: F64, columns: F64, out: F64, start: int, stop: int) -> None:
        add_pair_dots(start, stop, self.indptr, self.indices, rows, columns, out)

    def gradient(self, rows: F64, columns: F64, column_gram: F64, loss: Loss) -> F64:
        """Return half of ∂J/∂rows, float64[n_rows, d]."""
        predicted = self.dots((rows, columns))
        error = self.weight * (predicted - self.target) - loss.taken_off * predicted
        out: F64 = _product(rows, loss.unobserved_weight * column_gram) + self.penalty[:, None] * rows
        arrays = self.indptr, self.indices, error, columns, out
        threads.run_blocks(lambda start, stop: add_weighted_columns(start, stop, *arrays), len(rows))
        return out

    def preconditioned(self, gradient: F64, columns: F64, column_gram: F64, loss: Loss) -> F64:
        """Return (w0 VᵀV + (λ_r + s_r) I)⁻¹ g of each row r; a row without any curvature stays where it is."""
        values, q = linalg.eigh(loss.unobserved_weight * column_gram, check_finite=False)
        own = np.zeros(self.penalty.size)
        squares = np.einsum("if,if->i", columns, columns) / columns.shape[1]
        row = np.repeat(np.arange(own.size), np.diff(self.indptr))
        own += np.bincount(row, self.weight * squares[self.indices], minlength=own.size)
        curvature = np.maximum(values, 0) + (own + self.penalty)[:, None]
        turned = _product(gradient, q)
        return _product(np.divide(turned, curvature, out=np.zeros_like(turned), where=curvature > 0), q.T)


def gravity_steps(
    by_user: Observed, by_item: Observed, users: F64, items: F64, loss: Loss
) -> Iterator[float]:
    """Yield J after each step, for ever; a step changes `users` and `items` float64[n, d] in place.

    Raises `NonFiniteError` where J is NaN or infinite. Deterministic on any number of threads.
    """
    user_side, item_side = Side.of(by_user, loss), Side.of(by_item, loss)
    before: list[F64] = []  # gradients, preconditioned gradients and directions of the last step
    while True:
        with threads.single_blas(), np.errstate(over="ignore", invalid="ignore"):
            grams = gram(users), gram(items)
            gradients = [
                user_side.gradient(users, items, grams[1], loss),
                item_side.gradient(items, users, grams[0], loss),
            ]
            if not all(np.isfinite(part).all() for part in gradients):
                raise NonFiniteError(
                    "the gradient became NaN or infinite; raise reg, or look for huge weights"
                )
            scaled = [
                user_side.preconditioned(gradients[0], items, grams[1], loss),
                item_side.preconditioned(gradients[1], users, grams[0], loss),
            ]
            directions = _directions(gradients, scaled, before)
            before = [*gradients, *scaled, *directions]
            along = _polynomial(user_side, item_side, (users, items), directions, grams, loss)
        length = _best_length(along)
        for vectors, direction in zip((users, items), directions, strict=True):
            vectors += length * direction
        yield float(polynomial.polyval(length, along))


def _directions(gradients: list[F64], scaled: list[F64], before: list[F64]) -> list[F64]:
    """Return -z + β d of the last direction d, β ≥ 0 by Polak and Ribière; -z where that does not descend."""
    steepest = [-part for part in scaled]
    if not before:
        return steepest
    last_gradients, last_scaled, last = before[:2], before[2:4], before[4:]
    new = sum(_dot(z, g - h) for z, g, h in zip(scaled, gradients, last_gradients, strict=True))
    old = sum(_dot(z, g) for z, g in zip(last_scaled, last_gradients, strict=True))
    beta = max(0.0, new / old) if old > 0 else 0.0
    found = [part + beta * direction for part, direction in zip(steepest, last, strict=True)]
    descends = sum(_dot(g, d) for g, d in zip(gradients, found, strict=True)) < 0
    return found if descends else steepest


def _polynomial(
    user_side: Side,
    item_side: Side,
    at: tuple[F64, F64],
    directions: list[F64],
    grams: tuple[F64, F64],
    loss: Loss,
) -> F64:
    """Return the five coefficients of J(at + t directions) in t, constant first."""
    (users, items), (p, q) = at, directions
    dots = [user_side.dots((users, items)), user_side.dots((users, q), (p, items)), user_side.dots((p, q))]
    error = [dots[0] - user_side.target, *dots[1:]]
    total: F64 = np.zeros(5)
    for i in range(3):
        for j in range(3):
            total[i + j] += np.dot(user_side.weight * error[i], error[j]) - loss.taken_off * np.dot(
                dots[i], dots[j]
            )
    mixed = [_mixed(users, p), _mixed(items, q)]
    moments = [[grams[0], mixed[0], gram(p)], [grams[1], mixed[1], gram(q)]]
    for i in range(3):
        for j in range(3):
            total[i + j] += loss.unobserved_weight * _dot(moments[0][i], moments[1][j])
    for side, vectors, direction in ((user_side, users, p), (item_side, items, q)):
        total[0] += side.penalty @ np.einsum("if,if->i", vectors, vectors)
        total[1] += 2 * side.penalty @ np.einsum("if,if->i", vectors, direction)
        total[2] += side.penalty @ np.einsum("if,if->i", direction, direction)
    return total


def _mixed(vectors: F64, direction: F64) -> F64:
    product: F64 = vectors.T @ direction
    return product + product.T


def _best_length(along: F64) -> float:
    """Return t with the least value of the polynomial; 0 where none is below the present one."""
    slope = polynomial.polytrim(polynomial.polyder(along))
    stationary = polynomial.polyroots(slope) if len(slope) > 1 else np.zeros(0)
    lengths = np.append(stationary.real[np.abs(stationary.imag) <= 1e-6 * np.abs(stationary.real)], 0.0)
    change = along.copy()
    change[0] = 0.0  # differences from the present value, not lost in it
    return float(lengths[np.argmin(polynomial.polyval(lengths, change))])


def _dot(a: F64, b: F64) -> float:
    return float(np.einsum("ij,ij->", a, b))


def _product(vectors: F64, matrix: F64) -> F64:
    out = np.empty((len(vectors), matrix.shape[1]))
    threads.run_blocks(
        lambda start, stop: np.dot(vectors[start:stop], matrix, out=out[start:stop]), len(vectors), 2048
    )
    return out
