"""Features of users and items in the squared error of WALS: the augmented block matrix [[A, F], [Gᵀ, empty]].

Beside the pairs A of users and items stand F, the features of users, as further columns, and Gᵀ, those of items, as
further rows. Each feature gets a vector: φ_f of a user's is met by users only, γ_g of an item's by items only.
The last block, item features by user features, is no data: it has no term. J of `weighted_squares` gains

    w_f Σ_u Σ_f (F_uf - u·φ_f)² + w_f Σ_i Σ_g (G_ig - v_i·γ_g)² + Σ_f λ_f |φ_f|² + Σ_g λ_g |γ_g|²,

over the users and items that have a feature, zeros of F and G counted: a film without the tag Comedy is none. One
side seen from the other again, "rows" are users or items, F their features and Φ the features' vectors. Then a row with
features sees w0 VᵀV + w_f ΦᵀΦ and is pulled by w_f Φᵀf, a row without any sees w0 VᵀV alone, and the vectors Φ solve
(w_f UᵀU + λ_f I) φ_f = w_f Σ_u F_uf u over the rows with features.

λ is reg nᵛ with n the weight of all cells of the row or feature that count: n_u + w0 |I| + w_f |F| of a user with
features, w_f |users with features| of a user's feature. Rows with features are in J also without a pair.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import linalg, sparse

from shortlist import threads
from shortlist.errors import NonFiniteError, ParameterError
from shortlist.models.weighted_squares import Axes, Loss, Observed, gram, half_step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class SideFeatures:
    """The features of one side's rows, CSR [n_rows, n_features], and the weight w_f of each of their cells.

    A row without a stored entry has no features: what is not known of it is not counted as zeros.
    """

    matrix: sparse.csr_array
    weight: float

    @property
    def described(self) -> NDArray[np.bool_]:
        """Return bool[n_rows]: which rows have a feature."""
        has: NDArray[np.bool_] = np.diff(self.matrix.indptr) > 0
        return has

    @property
    def n_features(self) -> int:
        """Return the number of features."""
        return int(self.matrix.shape[1])

    def where(self, keep: NDArray[np.bool_]) -> SideFeatures:
        """Return the features of the rows for which `keep` bool[n_rows] holds; the others have none."""
        return replace(self, matrix=_emptied(self.matrix, keep))


@dataclass(frozen=True, eq=False)
class Blocks:
    """The augmented matrix: the pairs seen from either side, and the features of the users and of the items."""

    by_user: Observed
    by_item: Observed
    of_users: SideFeatures | None = None
    of_items: SideFeatures | None = None


@dataclass
class Factors:
    """The vectors of users, items, user features and item features, each float32[n, d]; solvers replace them."""

    users: NDArray[np.float32]
    items: NDArray[np.float32]
    user_features: NDArray[np.float32]
    item_features: NDArray[np.float32]


def alternate(blocks: Blocks, factors: Factors, loss: Loss, cg_steps: int | None = None) -> None:
    """Run one epoch: the columns of the augmented matrix (items, features of users), then its rows, J never rising.

    Users come after all that their own half-step needs, so that folding in gives what they have. `cg_steps` is of users
    and items; features are solved exactly.
    """
    factors.items = half_step_with_features(
        blocks.by_item,
        factors.users,
        loss,
        blocks.of_items,
        factors.item_features,
        row="item at position",
        start=factors.items,
        cg_steps=cg_steps,
    )
    if blocks.of_users is not None:
        factors.user_features = feature_half_step(blocks.of_users, factors.users, loss, feature="user")
    solve_users(blocks, factors, loss, cg_steps)
    if blocks.of_items is not None:
        factors.item_features = feature_half_step(blocks.of_items, factors.items, loss, feature="item")


def solve_users(blocks: Blocks, factors: Factors, loss: Loss, cg_steps: int | None = None) -> None:
    """Run the half-step of the users alone."""
    factors.users = half_step_with_features(
        blocks.by_user,
        factors.items,
        loss,
        blocks.of_users,
        factors.user_features,
        row="user at position",
        start=factors.users,
        cg_steps=cg_steps,
    )


def half_step_with_features(
    observed: Observed,
    columns: NDArray[np.float32],
    loss: Loss,
    features: SideFeatures | None,
    vectors: NDArray[np.float32],
    *,
    row: str,
    start: NDArray[np.float32] | None = None,
    cg_steps: int | None = None,
    axes: Axes | None = None,
) -> NDArray[np.float32]:
    """Return the row vectors [n_rows, d] that minimise J while `columns` and the features' `vectors` [F, d] stay.

    As `weighted_squares.half_step`, whose further arguments these are; a row without pairs and features gets zeros.
    Cost: one half-step over the rows with features and one over those without, where there are any, and
    nnz(F) d + n_rows d².
    """
    if features is None:
        return half_step(observed, columns, loss, row=row, start=start, cg_steps=cg_steps, axes=axes)
    described, out = (
        features.described,
        np.zeros((observed.weights.shape[0], columns.shape[1]), columns.dtype),
    )
    if described.any():
        phi = vectors.astype(np.float64)
        out += half_step(
            _of_rows(observed, described),
            columns,
            replace(loss, besides=features.weight * features.n_features),
            row=row,
            start=start,
            cg_steps=cg_steps,
            shared=features.weight * gram(vectors),
            pull=features.weight * (features.matrix @ phi),
        )
    others = _of_rows(observed, ~described)
    if others.weights.nnz:
        out += half_step(others, columns, loss, row=row, start=start, cg_steps=cg_steps, axes=axes)
    return out


def feature_half_step(
    features: SideFeatures, rows: NDArray[np.float32], loss: Loss, *, feature: str
) -> NDArray[np.float32]:
    """Return the features' vectors Φ float32[n_features, d] that minimise J while `rows` [n_rows, d] stay.

    All features share one matrix, w_f UᵀU + λ_f I, U being the rows with features. `feature` names one in an error.
    Cost: n_rows d² + nnz(F) d + d³. Raises `ParameterError` where reg is 0 and the rows leave the vectors open,
    `NonFiniteError` when `rows` hold NaN or infinity.
    """
    described = features.described
    with threads.single_blas():
        matrix = features.weight * gram(np.ascontiguousarray(rows[described]))
        if not np.isfinite(matrix).all():
            raise NonFiniteError(
                f"the vectors of what has {feature} features became NaN or infinite; raise reg"
            )
        size = features.weight * np.count_nonzero(described)
        matrix[np.diag_indices_from(matrix)] += loss.reg * size**loss.reg_exponent
        pull = features.weight * (features.matrix.T @ rows.astype(np.float64))
        try:
            factor = linalg.cho_factor(matrix, check_finite=False)
        except linalg.LinAlgError as error:
            raise ParameterError(
                f"the vectors of {feature} features have no unique solution: a dim beyond what has features "
                "needs reg > 0; raise reg"
            ) from error
        solved: NDArray[np.float32] = linalg.cho_solve(factor, pull.T, check_finite=False).T.astype(
            rows.dtype
        )
    return np.ascontiguousarray(solved)


def _of_rows(observed: Observed, keep: NDArray[np.bool_]) -> Observed:
    """Return the pairs of the rows for which `keep` holds; positions and the other rows, now empty, stay."""
    if keep.all():
        return observed
    pairs = np.repeat(keep, np.diff(observed.weights.indptr))
    return replace(observed, weights=_emptied(observed.weights, keep), targets=observed.targets[pairs])


def _emptied(matrix: sparse.csr_array, keep: NDArray[np.bool_]) -> sparse.csr_array:
    length = np.diff(matrix.indptr)
    stored = np.repeat(keep, length)
    ptr = np.concatenate([[0], np.cumsum(np.where(keep, length, 0))])
    return sparse.csr_array((matrix.data[stored], matrix.indices[stored], ptr), matrix.shape)
