"""The whole way from proposals to a list, as plain values and as text: `shortlist recommend --explain`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shortlist.data.explanation import Explanation, Part
    from shortlist.data.recommendations import Recommendations
    from shortlist.data.vocabulary import Id

    Row = dict[str, Any]

PIN = "pin"  # the source of what a pin alone brought
_N_EXAMPLES, _N_LOST, _N_PARTS = 2, 3, 5
_PLACE = "place after "


def way_values(shown: Recommendations, user: Id, trace: list[Row]) -> Row:
    """Return what became of the candidates of a user, what chose among them, and what each term of that did."""
    names = () if shown.candidates is None else shown.candidates.sources
    steps = steps_of(trace)
    values: Row = {"candidates": _counts(trace, names), "steps": steps}
    if shown.chosen_by is not None:
        values["chosen_by"] = shown.chosen_by
    effects = shown.effects(user).to_dicts()
    if effects:
        values["effects"] = [{name: _short(value) for name, value in effect.items()} for effect in effects]
    lost = _lost(trace, steps)
    if lost:
        values["lost"] = lost
    return values


def steps_of(trace: list[Row]) -> list[str]:
    """Return the names of the steps after each of which a candidate has a place."""
    return [] if not trace else [name.removeprefix(_PLACE) for name in trace[0] if name.startswith(_PLACE)]


def origin_values(candidate: Row, names: Sequence[str], terms: Sequence[str]) -> Row:
    """Return where an item on a list came from, its place after each step, and what it was chosen for."""
    values: Row = {
        "source_ranks": ranks_of(candidate, names),
        "because_of": candidate["because_of"],
        "places": places_of(candidate, steps_of([candidate])),
    }
    worth = {name: _short(candidate[name]) for name in terms if candidate.get(name) is not None}
    if len(terms) > 1 and worth:
        values["terms"] = worth
    if candidate.get("pinned"):
        values["pinned"] = True
    return values


def sentence_values(explanation: Explanation) -> Row:
    """Return the sentence of an item, and the largest parts of its score."""
    return {
        "sentence": explanation.sentence,
        "past": [part.to_values() for part in _largest(explanation.past)],
        "features": [part.to_values() for part in _largest(explanation.features)],
    }


def ranks_of(candidate: Row, names: Sequence[str]) -> dict[str, int]:
    """Return the rank that each source gave, of those that proposed the item."""
    ranks = {name: candidate[f"{name}_rank"] for name in names}
    return {name: rank for name, rank in ranks.items() if rank is not None}


def places_of(candidate: Row, steps: Sequence[str]) -> dict[str, int]:
    """Return the place of a candidate after each step."""
    return {name: candidate[f"{_PLACE}{name}"] for name in steps}


def account(values: Row) -> Table:
    """Return the steps of the way, a line each."""
    counts, steps = values["candidates"], values["steps"]
    lines = [("proposed", _proposed(counts)), ("removed", _removed(counts)), ("scored", _scored(values))]
    if len(steps) > 1:
        lines.append(("adjusted", f"by {', then '.join(steps[1:])}"))
    chosen = values.get("chosen_by", "the largest scores")
    lines.append(("chosen", f"{len(values['items'])} by {chosen}"))
    grid = Table.grid(padding=(0, 2))
    for what, text in lines:
        grid.add_row(Text(what, "bold"), Text(text))
    return grid


def moves(values: Row, item: Row) -> str:
    """Return the places of an item after each step and on the list."""
    return _arrows([item["places"][step] for step in values["steps"]], item["rank"])


def moved_by_steps(values: Row) -> bool:
    """Return whether anything stands between the score and the place on the list."""
    return len(values["steps"]) > 1 or "chosen_by" in values


def worth_of(item: Row) -> str:
    """Return what each term of the choice was worth for an item, "" where it was not chosen by terms."""
    return ", ".join(f"{name} {round(value, 2) + 0.0:.2f}" for name, value in item.get("terms", {}).items())


def below(values: Row) -> list[str]:
    """Return what is said below the table: how to read it, what the terms did, who lost their place."""
    said = ["The number after a source is the rank that it gave the item."]
    if moved_by_steps(values):
        after = " → ".join([*(f"after {step}" for step in values["steps"]), "on the list"])
        said.append(f"Places: {after}.")
    said += [_effect(effect) for effect in values.get("effects", [])]
    if "lost" in values:
        lost = "; ".join(f"{_title(item)} ({_lost_places(item)})" for item in values["lost"])
        said.append(f"Lost their place by re-ranking: {lost}.")
    return said


def _effect(effect: Row) -> str:
    """Return the effect of one term on this list in words."""
    name, (before, after) = f"{effect['term']} {effect['weight']:g}", _pair(effect, "goal")
    less, more = _pair(effect, "relevance")
    if before is None or after is None:
        return f"{name}: {effect['goal']} cannot be said of this list."
    if (before, less) == (after, more):
        return f"{name}: leaves this list as it would be without it."
    change = "" if not less else f"relevance {100 * (more - less) / less:+.1f} %, "
    return f"{name}: {change}{effect['goal']} {before:.3g} → {after:.3g}."


def _pair(effect: Row, what: str) -> tuple[Any, Any]:
    return effect[f"{what}_without"], effect[f"{what}_with"]


def _counts(trace: list[Row], names: Sequence[str]) -> Row:
    removed = Counter(row["removed_by"] for row in trace if row["removed_by"] is not None)
    proposed = {name: sum(row[f"{name}_rank"] is not None for row in trace) for name in names}
    alone = sum(not ranks_of(row, names) for row in trace)
    return {
        "proposed": proposed | ({PIN: alone} if alone else {}),
        "distinct": len(trace),
        "removed": dict(removed.most_common()),
        "removed_examples": {rule: _examples(trace, rule) for rule in removed},
        "scored": len(trace) - removed.total(),
    }


def _examples(trace: list[Row], rule: str) -> list[str]:
    return [_title(row) for row in trace if row["removed_by"] == rule][:_N_EXAMPLES]


def _lost(trace: list[Row], steps: Sequence[str]) -> list[Row]:
    """Return the first candidates that had a place on the list by score and have none now."""
    n_listed = sum(row["rank"] is not None for row in trace)
    first = f"{_PLACE}{steps[0]}" if steps else ""
    lost = [row for row in trace if row["rank"] is None and (row.get(first) or n_listed + 1) <= n_listed]
    lost.sort(key=lambda row: int(row[first]))
    return [
        {"item_id": row["item_id"]}
        | ({"title": row["title"]} if row.get("title") else {})
        | {"places": places_of(row, steps)}
        for row in lost[:_N_LOST]
    ]


def _proposed(counts: Row) -> str:
    proposed = ", ".join(f"{name} {n}" for name, n in counts["proposed"].items())
    return f"{proposed}: {counts['distinct']} different items"


def _removed(counts: Row) -> str:
    def with_examples(rule: str, n: int) -> str:
        some = counts["removed_examples"][rule]
        return f"{n} {rule}: {'; '.join(some)}{'; …' if n > len(some) else ''}"

    return "\n".join(with_examples(rule, n) for rule, n in counts["removed"].items()) or "none"


def _scored(values: Row) -> str:
    n, steps = values["candidates"]["scored"], values["steps"]
    if values.get("in_turn"):
        return f"none: {n} in the order in which their sources took turns"
    objective = f": {values['objective']}" if "objective" in values else ""
    return f"{n} by {steps[0]}{objective}" if steps else f"{n}"


def _lost_places(item: Row) -> str:
    return f"{_arrows(list(item['places'].values()))} → not shown"


def _arrows(places: Sequence[int], *last: int) -> str:
    return " → ".join(map(str, (*places, *last)))


def _largest(parts: Sequence[Part]) -> list[Part]:
    return sorted(parts, key=lambda part: -abs(part.amount))[:_N_PARTS]


def _title(row: Row) -> str:
    return str(row.get("title") or row["item_id"])


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") + 0.0 if isinstance(value, float) else value  # + 0.0: no −0
