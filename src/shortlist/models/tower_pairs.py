"""Two towers on plain tables: rows of users beside rows of items, and a target for each pair."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from shortlist.errors import DataError, ParameterError
from shortlist.models.tower_parts import Examples, Side

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from shortlist.models.tower_parts import Tower, TowerLoss, TrainedTowers


@dataclass(frozen=True)
class TargetScale:
    """Maps what is to be predicted, from `low` to `high`, onto [−1, 1], where the dots of unit vectors lie."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """Return what a dot of 0 stands for."""
        return (self.low + self.high) / 2

    @property
    def half(self) -> float:
        """Return how much a dot of 1 is above the middle."""
        return (self.high - self.low) / 2

    def to_unit(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return float32[n] in [−1, 1]; zeros where low and high are one.

        >>> TargetScale(0.5, 5.0).to_unit(np.array([0.5, 2.75, 5.0])).tolist()
        [-1.0, 0.0, 1.0]
        """
        return ((values - self.middle) / (self.half or 1.0)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Standardised:
    """Columns of a table on one footing: (x − mean) / std as it was where it was fitted; 0 where all were equal."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @classmethod
    def of(cls, rows: NDArray[np.float64]) -> Standardised:
        """Return what standardises like `rows` float64[m, f]."""
        with np.errstate(over="ignore", invalid="ignore"):
            mean, std = rows.mean(axis=0), rows.std(axis=0)
        if (wrong := np.flatnonzero(~np.isfinite(std))).size:
            raise DataError(f"column {wrong[0]} has numbers too large to square; scale it down")
        return cls(mean, std)

    def apply(self, rows: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return float32[n, f]."""
        varies = self.std > 1e-12 * np.maximum(np.abs(self.mean), 1e-300)
        standard = (rows - self.mean) / np.where(varies, self.std, 1.0) * varies
        return standard.astype(np.float32)


@dataclass(frozen=True, eq=False)
class PairNet:
    """Towers fitted on plain tables, and all it takes to predict from such tables again.

    `loss_history` and `validation_history` float64[epochs] are in the unit of training: targets in [−1, 1].
    """

    user: Tower
    item: Tower
    user_scaling: Standardised
    item_scaling: Standardised
    target_scale: TargetScale
    loss: TowerLoss
    scale: float
    shift: float
    loss_history: NDArray[np.float64]
    validation_history: NDArray[np.float64]

    def of_tables(self, user_rows: ArrayLike, item_rows: ArrayLike) -> NDArray[np.float32]:
        """Return what `predict` does of tables yet unchecked, which must have the columns of those fitted on."""
        tables = (
            table_of("user_rows", user_rows, self.user_scaling.mean.size),
            table_of("item_rows", item_rows, self.item_scaling.mean.size),
        )
        same_length(*tables)
        return self.predict(*tables)

    def predict(self, user_rows: NDArray[np.float64], item_rows: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return float32[n], each pair by itself: in the unit of the targets; for labels the probability of a 1."""
        u = self.user.vectors(self.user_scaling.apply(user_rows), None)
        v = self.item.vectors(self.item_scaling.apply(item_rows), None)
        dots = np.add.reduce(np.multiply(u, v, dtype=np.float64), axis=1)
        if self.loss == "cross_entropy":
            chance: NDArray[np.float32] = special.expit(dots * self.scale + self.shift).astype(np.float32)
            return chance
        value: NDArray[np.float32] = (self.target_scale.middle + self.target_scale.half * dots).astype(
            np.float32
        )
        return value


@dataclass(frozen=True, eq=False)
class PairTables:
    """What `fit_pairs` is given, checked and brought to the numbers that towers are trained on."""

    tables: tuple[NDArray[np.float64], NDArray[np.float64]]
    targets: NDArray[np.float64]
    loss: TowerLoss

    @classmethod
    def of(
        cls, user_rows: ArrayLike, item_rows: ArrayLike, targets: ArrayLike, loss: TowerLoss
    ) -> PairTables:
        """Return the tables; raise `DataError` or `ParameterError` for what cannot be trained on."""
        if loss == "softmax":
            raise ParameterError(
                'loss="softmax" needs to know which items are the same: fit on a Dataset, or set loss="squared"'
            )
        tables = table_of("user_rows", user_rows), table_of("item_rows", item_rows)
        values = targets_of(targets, same_length(*tables), loss)
        if not values.size:
            raise DataError("there are no pairs to fit on")
        return cls(tables, values, loss)

    @cached_property
    def scalings(self) -> tuple[Standardised, Standardised]:
        """Return what standardises users, and what items."""
        return Standardised.of(self.tables[0]), Standardised.of(self.tables[1])

    @cached_property
    def target_scale(self) -> TargetScale:
        """Return what maps the least and the greatest target to −1 and 1."""
        return TargetScale(float(self.targets.min()), float(self.targets.max()))

    @property
    def sides(self) -> tuple[Side, Side]:
        """Return what enters the towers."""
        user, item = (
            Side(scaling.apply(table)) for scaling, table in zip(self.scalings, self.tables, strict=True)
        )
        return user, item

    @property
    def examples(self) -> Examples:
        """Return pair n: row n of the users with row n of the items."""
        at, labels = np.arange(self.targets.size), self.loss == "cross_entropy"
        return Examples(
            at, at, self.targets.astype(np.float32) if labels else self.target_scale.to_unit(self.targets)
        )

    def net(self, trained: TrainedTowers, losses: ArrayLike, checks: ArrayLike) -> PairNet:
        """Return the towers that were `trained` on these tables, with the histories of their losses."""
        return PairNet(
            trained.user,
            trained.item,
            *self.scalings,
            self.target_scale,
            self.loss,
            trained.scale,
            trained.shift,
            np.asarray(losses, np.float64),
            np.asarray(checks, np.float64),
        )


def table_of(name: str, rows: ArrayLike, n_columns: int | None = None) -> NDArray[np.float64]:
    """Return `rows` as float64[m, f], all finite; raise `DataError` that names the first cell that is not.

    n_columns: how many there must be; any number from 1 on where None.
    """
    table = _numbers(name, rows)
    if table.ndim != 2 or table.shape[1] == 0:
        raise DataError(
            f"{name} must be a table of rows and columns, got an array of the shape {table.shape}"
        )
    if n_columns is not None and table.shape[1] != n_columns:
        raise DataError(f"{name} has {table.shape[1]} columns, the towers were fitted on {n_columns}")
    if (wrong := np.argwhere(~np.isfinite(table))).size:
        row, column = wrong[0].tolist()
        raise DataError(
            f"{name}[{row}, {column}] is {table[row, column]}: fill in or leave out what is missing"
        )
    return table


def targets_of(targets: ArrayLike, n: int, loss: TowerLoss) -> NDArray[np.float64]:
    """Return `targets` as float64[n], all finite, for "cross_entropy" 0 or 1; raise `DataError` otherwise."""
    values = _numbers("targets", targets)
    if values.shape != (n,):
        raise DataError(
            f"there are {n} pairs, and targets of the shape {values.shape}: give one number a pair"
        )
    if (wrong := np.flatnonzero(~np.isfinite(values))).size:
        raise DataError(f"targets[{wrong[0]}] is {values[wrong[0]]}: leave out pairs without a target")
    if loss == "cross_entropy" and (wrong := np.flatnonzero((values != 0) & (values != 1))).size:
        raise DataError(f'targets[{wrong[0]}] is {values[wrong[0]]:g}; loss="cross_entropy" takes 0 and 1')
    return values


def same_length(user_rows: NDArray[np.float64], item_rows: NDArray[np.float64]) -> int:
    """Return the number of pairs; raise `ParameterError` for tables of different lengths."""
    if len(user_rows) != len(item_rows):
        raise ParameterError(
            f"row n of both tables is pair n: got {len(user_rows)} user_rows and {len(item_rows)} item_rows"
        )
    return len(user_rows)


def _numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must hold numbers alone ({error})") from error
