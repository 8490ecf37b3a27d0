"""Recommended lists as plain values, for JSON, and as tables for people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from shortlist.cli.screen import short_float, table

if TYPE_CHECKING:
    from rich.table import Table

    from shortlist.cli.screen import Screen, Side
    from shortlist.data.recommendations import Recommendations
    from shortlist.data.vocabulary import Id

FALLBACK = "fallback"  # the source of an item that is shown because nothing is known of the user


@dataclass(frozen=True)
class ShownLists:
    """The lists of the users asked for, as plain values: what was asked of each, and the items in order."""

    users: list[dict[str, Any]]
    k: int

    @classmethod
    def of(cls, shown: Recommendations, k: int, maker: str, *, explain: bool = False) -> ShownLists:
        """Return the lists of `shown`; with `explain` also what became of all candidates.

        `maker` is the source of items that a single model lists.
        """
        rows: dict[Id, list[dict[str, Any]]] = {user: [] for user in shown.user_ids.to_list()}
        for row, reason in zip(shown.frame.to_dicts(), shown.reasons["reason"].to_list(), strict=True):
            rows[row["user_id"]].append(row | {"reason": reason})
        return cls(
            [_user_values(shown, user, own, k, maker, explain=explain) for user, own in rows.items()], k
        )

    def to_values(self) -> dict[str, Any]:
        """Return the plain values of the one user, or of all under `users`."""
        return self.users[0] if len(self.users) == 1 else {"k": self.k, "users": self.users}

    def show(self, console: Screen) -> None:
        """Print each list as a table with its remarks."""
        for number, user in enumerate(self.users):
            console.print("\n" * (number > 0) + f"Recommended to user {user['user_id']}", style="bold")
            if user["items"]:
                console.print(_list_table(user))
            for remark in _remarks(user):
                console.print(remark)


def _user_values(
    shown: Recommendations, user: Id, rows: list[dict[str, Any]], k: int, maker: str, *, explain: bool
) -> dict[str, Any]:
    fallback = user in shown.fallback
    trace = [] if shown.candidates is None or fallback else shown.trace(user).to_dicts()
    proposed = {candidate["item_id"]: candidate for candidate in trace}
    names = () if shown.candidates is None else shown.candidates.sources
    maker = FALLBACK if fallback else maker
    values: dict[str, Any] = {
        "user_id": user,
        "k": k,
        "fallback": fallback,
        "shortfall": shown.shortfalls.get(user),
    }
    if user in shown.in_turn:
        values["in_turn"] = True
    values["items"] = [_item_values(row, proposed.get(row["item_id"]), names, maker) for row in rows]
    if explain and trace:
        values["candidates"] = _candidate_counts(trace, names)
        for item in values["items"]:
            item |= _origin(proposed[item["item_id"]], names)
    return values


def _item_values(
    row: dict[str, Any], candidate: dict[str, Any] | None, names: tuple[str, ...], maker: str
) -> dict[str, Any]:
    title = {} if row.get("title") is None else {"title": row["title"]}
    sources = [maker] if candidate is None else list(_ranks(candidate, names))
    score = short_float(row["score"])
    return {
        "item_id": row["item_id"],
        **title,
        "score": score,
        "rank": row["rank"],
        "sources": sources,
        "reason": row["reason"],
    }


def _origin(candidate: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {"source_ranks": _ranks(candidate, names), "because_of": candidate["because_of"]}


def _ranks(candidate: dict[str, Any], names: tuple[str, ...]) -> dict[str, int]:
    ranks = {name: candidate[f"{name}_rank"] for name in names}
    return {name: rank for name, rank in ranks.items() if rank is not None}


def _candidate_counts(trace: list[dict[str, Any]], names: tuple[str, ...]) -> dict[str, Any]:
    removed = Counter(candidate["removed_by"] for candidate in trace if candidate["removed_by"] is not None)
    return {
        "proposed": {
            name: sum(candidate[f"{name}_rank"] is not None for candidate in trace) for name in names
        },
        "distinct": len(trace),
        "removed": dict(removed.most_common()),
        "scored": len(trace) - removed.total(),
    }


def _list_table(values: dict[str, Any]) -> Table:
    rows: list[list[str | Text]] = [
        [str(item["rank"]), str(item["item_id"]), _named(item), f"{item['score']:.4g}", _proposers(item)]
        for item in values["items"]
    ]
    named = "title and why" if any("title" in item for item in values["items"]) else "why"
    columns: list[tuple[str, Side]] = [("#", "right"), ("item", "left"), (named, "left"), ("score", "right")]
    return table([*columns, ("proposed by", "left")], rows)


def _named(item: dict[str, Any]) -> Text:
    title = f"{item['title']}\n" if "title" in item else ""
    return Text.assemble((title, "bold"), item["reason"])


def _proposers(item: dict[str, Any]) -> str:
    ranks = item.get("source_ranks")
    if ranks is None:
        return ", ".join(item["sources"])
    return ", ".join(f"{name}\N{NO-BREAK SPACE}{rank}" for name, rank in ranks.items())


def _remarks(values: dict[str, Any]) -> list[str]:
    """Return the sentences that belong below the table of one user."""
    remarks = []
    if values["fallback"]:
        remarks.append("Nothing is known of this user: these are the most popular items.")
    if values.get("in_turn"):
        remarks.append(
            "The scorer knows nothing of this user: the sources took turns, and the score is 1 / turn."
        )
    if values["shortfall"]:
        remarks.append(f"{len(values['items'])} of {values['k']} items: {values['shortfall']}.")
    if "candidates" in values:
        remarks.append(_account(values["candidates"], len(values["items"])))
    return ["", *remarks] if remarks else []


def _account(counts: dict[str, Any], n_shown: int) -> str:
    proposed = ", ".join(f"{name} {n}" for name, n in counts["proposed"].items())
    removed = ", ".join(f"{n} {rule}" for rule, n in counts["removed"].items()) or "none"
    return (
        f"Proposed: {proposed}; {counts['distinct']} distinct items. Removed: {removed}. "
        f"Scored: {counts['scored']}, of which the best {n_shown} are shown.\n"
        "The number after a source is the rank that it gave the item."
    )
