"""Id collisions: ids that differ only in how they are written, and may be meant to be one."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

    from shortlist.data.vocabulary import Vocabulary

EXAMPLES = 5
# The sign and the digits that count of a whole number: 007, +7, 7.0 and 7 say the same.
WHOLE = r"^\+?(-?)0*(\d+)(?:\.0*)?$"
UNICODE = "their Unicode form"
# What a difference is blamed on → what an id is without it.
WAYS: dict[str, Callable[[str], str]] = {
    "spaces": lambda text: " ".join(text.split()),
    UNICODE: lambda text: unicodedata.normalize("NFKC", text),
    "case": str.lower,
    "how a number is written": lambda text: re.sub(WHOLE, r"\1\2", text),
}
SEVERAL = "several of these at once"


@dataclass(frozen=True)
class Collision:
    """Ids of one side that become equal when one way of writing is ignored; nothing was done about them.

    - side: "users" or "items"; differ_by: one of `WAYS`, or several of them
    - n_ids: how many ids have such a twin; examples: up to five groups of twins
    """

    side: str
    differ_by: str
    n_ids: int
    examples: tuple[tuple[str, ...], ...]

    def to_text(self) -> str:
        """Return the collision as a sentence for people."""
        # Letters that look alike are told apart by their numbers.
        quoted = ascii if self.differ_by == UNICODE else repr
        shown = "; ".join(" and ".join(map(quoted, group)) for group in self.examples)
        by = self.differ_by if self.differ_by == SEVERAL else f"{self.differ_by} alone"
        return f"{self.n_ids:,} ids of {self.side} differ from another by {by}: {shown}"

    def to_values(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def find_collisions(side: str, vocabulary: Vocabulary) -> list[Collision]:
    """Return the collisions among the ids of one `side`, none where the ids are integers.

    Ids are compared without spaces at their ends, with other spaces made one, in small letters, in Unicode's form
    NFKC, and whole numbers by their value. Cost: O(|vocabulary|).
    """
    if vocabulary.kind == "integer":
        return []
    ids = vocabulary.ids
    twins = pl.DataFrame({"id": ids, "key": _keys(ids)}).filter(pl.col("key").is_duplicated())
    blamed: dict[str, list[tuple[str, ...]]] = {}
    for group in twins.group_by("key", maintain_order=True).agg("id")["id"].to_list():
        blamed.setdefault(_difference(group), []).append(tuple(group))
    return [
        Collision(side, way, sum(map(len, blamed[way])), tuple(blamed[way][:EXAMPLES]))
        for way in (*WAYS, SEVERAL)
        if way in blamed
    ]


def _keys(ids: pl.Series) -> pl.Series:
    if ids.str.len_bytes().sum() != ids.str.len_chars().sum():
        ids = ids.str.normalize("NFKC")
    if bool(ids.str.contains(r"\s").any()):
        ids = ids.str.strip_chars().str.replace_all(r"\s+", " ")
    keys = ids.str.to_lowercase()
    begins = ids.str.starts_with
    # Of all other whole numbers, each is written as it prints itself, and is its own key.
    unusual = (begins("0") | begins("+") | begins("-0") | ids.str.contains(".", literal=True)).arg_true()
    if not unusual.len():
        return keys
    sign, digits = (ids.gather(unusual).str.extract(WHOLE, group) for group in (1, 2))
    return keys.scatter(unusual, (sign + digits).zip_with(digits.is_not_null(), keys.gather(unusual)))


def _difference(group: list[str]) -> str:
    # The one way of writing without which all of the group are equal.
    for way, without in WAYS.items():
        if len({without(text) for text in group}) == 1:
            return way
    return SEVERAL
