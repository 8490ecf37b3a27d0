"""Feedback: what the values of the event log mean, declared once on the data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Kind = Literal["ratings", "binary", "events"]
# Four of five stars: below it an item was seen, not liked.
POSITIVE_SHARE_OF_SCALE = 0.8


@dataclass(frozen=True)
class Feedback:
    """The kind of the values, their scale, and from which value on an event is positive.

    - "ratings": y(i,j) on a `scale` (low, high); positive from `positive_from` on (4 of 5 unless declared).
    - "binary": labels 1 (engaged) and 0 (shown, not engaged); positive is 1.
    - "events": implicit events (views, purchases); the value is a strength ≥ 0; positive is anything above 0.

    Make one with `Feedback.ratings`, `.binary` or `.events`.
    """

    kind: Kind
    scale: tuple[float, float] | None = None
    positive_from: float | None = None

    @classmethod
    def ratings(cls, low: float, high: float, positive_from: float | None = None) -> Feedback:
        """Return ratings on the scale [`low`, `high`].

        >>> Feedback.ratings(0.5, 5).positive_from
        4.0
        """
        if not (np.isfinite([low, high]).all() and low < high):
            raise ParameterError(f"a rating scale needs finite low < high, got [{low}, {high}]")
        if positive_from is None:
            if low < 0:
                raise ParameterError(
                    f"on the scale [{low}, {high}] say which ratings are positive: positive_from=…"
                )
            # Of a product such as 4.800000000000001 the digits that mean something.
            positive_from = float(f"{POSITIVE_SHARE_OF_SCALE * high:.12g}")
        if not low <= positive_from <= high:
            raise ParameterError(f"positive_from={positive_from} is off the scale [{low}, {high}]")
        return cls("ratings", (float(low), float(high)), float(positive_from))

    @classmethod
    def binary(cls) -> Feedback:
        """Return labels 0 and 1."""
        return cls("binary", (0.0, 1.0), 1.0)

    @classmethod
    def events(cls) -> Feedback:
        """Return implicit events."""
        return cls("events")

    @classmethod
    def of(
        cls, kind: str, scale: tuple[float, float] | None = None, positive_from: float | None = None
    ) -> Feedback:
        """Return the feedback of that `kind`. Raises `ParameterError` for a contradiction."""
        if kind not in get_args(Kind):
            raise ParameterError(f"kind={kind!r} is not one of {', '.join(get_args(Kind))}")
        if kind == "ratings":
            if scale is None:
                raise ParameterError(
                    'ratings need their scale, for example scale=(0.5, 5) for kind="ratings"'
                )
            return cls.ratings(scale[0], scale[1], positive_from)
        if scale is not None or positive_from is not None:
            raise ParameterError(f'scale and positive_from belong to kind="ratings", not to kind="{kind}"')
        return cls.binary() if kind == "binary" else cls.events()

    def is_positive(self, values: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return bool[n]: whether each value is positive feedback.

        >>> Feedback.ratings(0.5, 5).is_positive(np.array([3.5, 4.0], np.float32)).tolist()
        [False, True]
        """
        if self.positive_from is None:
            positive: NDArray[np.bool_] = values > 0
            return positive
        # Compared in float32, as values are stored: 0.8 of a scale may not be representable.
        liked: NDArray[np.bool_] = values >= np.float32(self.positive_from)
        return liked

    def is_valid(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return bool[n]: whether each value is finite and in the range that the kind allows."""
        low, high = self.scale or (0.0, float(np.finfo(np.float32).max))
        valid: NDArray[np.bool_] = np.isfinite(values) & (values >= low) & (values <= high)
        return valid & ((values == 0) | (values == 1)) if self.kind == "binary" else valid

    def require_ratings(self, who: str) -> tuple[float, float]:
        """Return the scale. Raises `DataError` when the values are not ratings."""
        if self.kind != "ratings" or self.scale is None:
            raise DataError(
                f"{who} predicts ratings, and these values are {self.kind}: "
                'read the data with kind="ratings" and a scale'
            )
        return self.scale

    def to_values(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Feedback:
        """Return the feedback that `to_values` described."""
        scale = values["scale"]
        return cls(values["kind"], tuple(scale) if scale else None, values["positive_from"])
