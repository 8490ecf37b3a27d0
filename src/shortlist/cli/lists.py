"""Recommended lists as plain values, for JSON, and as tables for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from shortlist.cli import way
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
        """Return the lists of `shown`; with `explain` also the whole way there of each.

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
            if "objective" in user:
                console.print(f"Ranked for {user['objective']}.")
            if "steps" in user:
                console.print(way.account(user))
                console.print()
            if user["items"]:
                console.print(_list_table(user))
            for remark in _remarks(user):
                console.print(remark)


def _user_values(
    shown: Recommendations, user: Id, rows: list[dict[str, Any]], k: int, maker: str, *, explain: bool
) -> dict[str, Any]:
    fallback, in_turn = user in shown.fallback, user in shown.in_turn
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
    if in_turn:
        values["in_turn"] = True
    if shown.objective is not None and not fallback and not in_turn:
        values["objective"] = shown.objective
    if user in shown.notes:
        values["notes"] = list(shown.notes[user])
    values["items"] = [_item_values(row, proposed.get(row["item_id"]), names, maker) for row in rows]
    if explain:
        _add_way(values, shown, user, trace)
    return values


def _add_way(values: dict[str, Any], shown: Recommendations, user: Id, trace: list[dict[str, Any]]) -> None:
    """Put why each item is shown into `values`, and of a pipeline what became of all candidates."""
    for item, explanation in zip(values["items"], shown.explain(user), strict=True):
        item |= way.sentence_values(explanation)
    if not trace or shown.candidates is None:
        return
    values |= way.way_values(shown, user, trace)
    proposed = {candidate["item_id"]: candidate for candidate in trace}
    for item in values["items"]:
        item |= way.origin_values(proposed[item["item_id"]], shown.candidates.sources, shown.candidates.terms)


def _item_values(
    row: dict[str, Any], candidate: dict[str, Any] | None, names: tuple[str, ...], maker: str
) -> dict[str, Any]:
    title = {} if row.get("title") is None else {"title": row["title"]}
    sources = [maker] if candidate is None else list(way.ranks_of(candidate, names)) or [way.PIN]
    score = short_float(row["score"])
    return {
        "item_id": row["item_id"],
        **title,
        "score": score,
        "rank": row["rank"],
        "sources": sources,
        "reason": row["reason"],
    }


def _list_table(values: dict[str, Any]) -> Table:
    moved = "steps" in values and way.moved_by_steps(values)
    rows: list[list[str | Text]] = [
        [
            str(item["rank"]),
            str(item["item_id"]),
            _named(item, whole=moved),
            *([way.moves(values, item)] if moved else []),
            f"{item['score']:.4g}",
            *([] if moved else [_proposers(item)]),
        ]
        for item in values["items"]
    ]
    named = "title and why" if any("title" in item for item in values["items"]) else "why"
    columns: list[tuple[str, Side]] = [("#", "right"), ("item", "left"), (named, "left")]
    columns += [("places", "whole")] if moved else []
    columns += [("score", "right")]
    return table(columns if moved else [*columns, ("proposed by", "left")], rows)


def _named(item: dict[str, Any], *, whole: bool) -> Text:
    """Return title and sentence; on the `whole` way also what proposed the item, and what it was chosen for."""
    title = f"{item['title']}\n" if "title" in item else ""
    below = [f"from {_proposers(item)}", way.worth_of(item)] if whole else []
    more = "".join(f"\n{line}" for line in below if line)
    return Text.assemble((title, "bold"), item.get("sentence", item["reason"]), (more, "dim"))


def _proposers(item: dict[str, Any]) -> str:
    ranks = item.get("source_ranks")
    if not ranks:
        return ", ".join(item["sources"])
    return ", ".join(f"{name}\N{NO-BREAK SPACE}{rank}" for name, rank in ranks.items())


def _remarks(values: dict[str, Any]) -> list[str]:
    """Return the sentences that belong below the table of one user."""
    remarks = []
    if values["fallback"]:
        remarks.append("Nothing is known of this user: these are the most popular items.")
    if values.get("in_turn"):
        remarks.append(
            "The scorer knows nothing of this user: the sources took turns, and the score is 1 / turn, before "
            "any adjustment."
        )
    if values["shortfall"]:
        remarks.append(f"{len(values['items'])} of {values['k']} items: {values['shortfall']}.")
    remarks += [f"{note}." for note in values.get("notes", [])]
    if "steps" in values and values["items"]:
        remarks += way.below(values)
    return ["", *remarks] if remarks else []
