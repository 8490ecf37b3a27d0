"""Labels: a declared rule turns events and exposures into 1 (engaged after being shown), 0 (shown, not engaged)."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from shortlist.data.conditions import Condition
from shortlist.data.ordering import stable_order
from shortlist.errors import ParameterError
from shortlist.parameters import number, one_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

Per = Literal["pair", "exposure"]
HOUR = 3_600 * 10**6
# The largest window in µs that int64 differences of times can be compared with.
ENDLESS = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Labels:
    """The rule by which exposures get a label: 1 engaged after being shown, 0 shown and not engaged, none not shown.

    - engaged: the condition that makes a row an engagement, such as "watch_seconds >= 30" or
      'event in ["click", "buy"]' (`data.conditions` has the grammar). None, where the exposures have a table of their
      own: every row of the interactions is one
    - shown: the condition that makes a row an exposure. None: every row of the impressions is one or, where no
      impressions are given, every row of the interactions is an exposure that itself says whether it was engaged
    - within_hours: how long after an exposure an engagement counts, the last moment included; None: without end
    - per: "pair" gives one label a user and item, 1 where any of their exposures was engaged; "exposure" one label each

    An engagement belongs to the last exposure of that item to that user before it or at its moment, and to all of them
    where there are several at that moment. One without such an exposure, or too late after it, is no label: nobody
    showed the item, so nothing is known of those who would have passed it by. Such rows are counted in the report.

    A 1 has the time of the first engagement, when it came to be known, so that no split in time trains on an engagement
    that lies behind the cut; a 0 has the time of the exposure, of the last one "per pair".

    Raises `ParameterError` for a rule that cannot be read, pointing at the place.
    """

    engaged: str | None = None
    shown: str | None = None
    within_hours: float | None = None
    per: Per = "pair"

    def __post_init__(self) -> None:
        one_of("per", self.per, Per)
        if self.within_hours is not None:
            number("within_hours", self.within_hours)
        for name in ("engaged", "shown"):
            if getattr(self, name) is not None:
                Condition.of(name, getattr(self, name))

    @cached_property
    def engaged_condition(self) -> Condition | None:
        """Return `engaged` as a condition."""
        return None if self.engaged is None else Condition.of("engaged", self.engaged)

    @cached_property
    def shown_condition(self) -> Condition | None:
        """Return `shown` as a condition."""
        return None if self.shown is None else Condition.of("shown", self.shown)

    @property
    def window(self) -> int:
        """Return how long after an exposure an engagement counts, in µs."""
        return ENDLESS if self.within_hours is None else math.floor(self.within_hours * HOUR)

    def require_complete(self, *, impressions: bool) -> None:
        """Raise `ParameterError` where the rule does not say what it must; `impressions`: they have their own table."""
        if impressions:
            return
        if self.engaged is None:
            raise ParameterError(
                'labels: say which rows are engagements, such as engaged="watch_seconds >= 30"; only with '
                "impressions=… may every row of the interactions be one"
            )
        if self.shown is None and self.within_hours is not None:
            raise ParameterError(
                "labels: within_hours is the time between an exposure and an engagement, and without shown=… and "
                "impressions=… each row is both; leave it out, or say which rows are exposures"
            )


@dataclass(frozen=True, eq=False)
class Exposures:
    """Exposures and what became of them.

    - pair int64[e]: a number for the user and item; time int64[e] µs UTC, None where there are no times
    - engaged bool[e]: whether an engagement belongs to the exposure
    - engaged_at int64[e]: the time of the first one; the exposure's own where there is none
    """

    pair: NDArray[np.int64]
    time: NDArray[np.int64] | None
    engaged: NDArray[np.bool_]
    engaged_at: NDArray[np.int64] | None

    def one_a_pair(self) -> NDArray[np.int64]:
        """Return the positions, ascending, of one exposure a pair: the first engagement's, else the last exposure.

        Without times, the first engaged row of the pair, else its last. Of equal times the first row. O(e).
        """
        rows: NDArray[np.int64] = np.arange(self.pair.size)
        moment = rows if self.engaged_at is None else self.engaged_at
        # By pair, the engaged ones first; of these the earliest first, of the others the latest.
        order = stable_order(np.where(self.engaged, moment, -moment))
        order = order[stable_order((2 * self.pair + ~self.engaged)[order])]
        ordered = self.pair[order]
        first = np.ones(rows.size, bool)
        first[1:] = ordered[1:] != ordered[:-1]
        chosen = np.zeros(rows.size, bool)
        chosen[order[first]] = True
        return np.flatnonzero(chosen)


@dataclass(frozen=True)
class LabelCounts:
    """What a rule found.

    - exposures, engagements: rows that are one; `neither`: rows that are none of both
    - without_exposure: engagements that no exposure precedes; too_late: those beyond the window
    - ones, zeros: the labels that came of it
    """

    exposures: int
    engagements: int
    neither: int
    without_exposure: int
    too_late: int
    ones: int
    zeros: int


def match(
    pair: NDArray[np.int64],
    time: NDArray[np.int64],
    engagement_pair: NDArray[np.int64],
    engagement_time: NDArray[np.int64],
    window: int = ENDLESS,
) -> tuple[Exposures, int, int]:
    """Return the exposures (`pair`, `time`) with the engagements that belong to each, and two counts.

    An engagement belongs to the exposures of its pair at the latest moment that is not after its own, if that is no
    more than `window` µs before. The counts: engagements without such a moment, and those too late after it.
    Cost: O(n log n) of both together.
    """
    shown = pl.DataFrame({"pair": pair, "time": time})
    moments = shown.unique().sort("time").with_columns(shown_at="time")
    engagements = pl.DataFrame({"pair": engagement_pair, "time": engagement_time}).sort("time")
    found = engagements.join_asof(moments, on="time", by="pair", strategy="backward", check_sortedness=False)
    without = found["shown_at"].null_count()
    found = found.drop_nulls("shown_at")
    counted = found.filter(pl.col("time") - pl.col("shown_at") <= window)
    first = counted.group_by("pair", "shown_at").agg(engaged_at=pl.col("time").min())
    joined = shown.join(
        first, left_on=["pair", "time"], right_on=["pair", "shown_at"], how="left", maintain_order="left"
    )["engaged_at"]
    engaged = joined.is_not_null().to_numpy()
    engaged_at = np.where(engaged, joined.fill_null(0).to_numpy(), time)
    return Exposures(pair, time, engaged, engaged_at), without, found.height - counted.height


@dataclass(frozen=True)
class Labelling:
    """A rule and what it found."""

    labels: Labels
    counts: LabelCounts

    def to_text(self) -> str:
        """Return what was found, for people, several lines."""
        counts, each = self.counts, "a user and item" if self.labels.per == "pair" else "an exposure"
        hours = self.labels.within_hours
        first = (
            f"labels: {counts.ones:,} × 1 (engaged after being shown), {counts.zeros:,} × 0 (shown, not engaged), one "
            f"{each}; of {counts.exposures:,} exposures and {counts.engagements:,} engagements"
        )
        found = {
            "engagements without an exposure before them, which label nothing": counts.without_exposure,
            f"engagements more than {hours} hours after the exposure, which label nothing": counts.too_late,
            "rows that are neither an exposure nor an engagement, not used": counts.neither,
        }
        lines = [first, *(f"  {what}: {n:,}" for what, n in found.items() if n)]
        return "\n".join(lines if counts.ones else [*lines, "  no exposure was engaged: check the rule"])

    def to_values(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"rule": asdict(self.labels), **asdict(self.counts)}
