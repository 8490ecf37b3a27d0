"""[objective] and [[rerank]]: what lists are ranked for, and the steps that order them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shortlist import registry
from shortlist.config.arguments import arguments, named
from shortlist.config.building import Call, listed_tables, made
from shortlist.config.place import Place
from shortlist.reranking.select import Select
from shortlist.scoring.objective import Objective

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shortlist.models.model import Model

TERMS = "terms"


def objective(file: Path, table: Mapping[str, Any], scorer: Any) -> Any:
    """Return `scorer` ranked for what [objective] says."""
    place = Place(file, "[objective]")
    given = arguments(place, table, Objective, supplied=("scorer",))
    return Call(place, Objective, {"scorer": scorer, **given})()


def steps(file: Path, entries: object, models: Mapping[str, Model]) -> list[Any]:
    """Return the steps of [[rerank]]. `terms` of a Select is a table: a term's class → its weight, or its arguments."""
    return [
        _select(place, entry, models)
        if isinstance(entry, dict) and entry.get("type") == Select.__name__
        else made(place, entry, registry.RERANK, "step", models)
        for place, entry in listed_tables(file, entries, "rerank")
    ]


def _select(place: Place, entry: Mapping[str, Any], models: Mapping[str, Model]) -> Any:
    terms = entry.get(TERMS, {})
    if not isinstance(terms, dict):
        raise place.at(TERMS).error(
            'it is a table: terms = { MMR = 0.1, Calibration = { on = "genres", weight = 0.1 } }'
        )
    chosen = [_term(place, name, given, models) for name, given in terms.items()]
    rest = {key: value for key, value in entry.items() if key not in ("type", TERMS)}
    given = arguments(place, rest, Select, supplied=(TERMS,), models=models)
    return Call(place, lambda: Select(*chosen, **given), {})()


def _term(place: Place, name: str, given: object, models: Mapping[str, Model]) -> Any:
    named(place.at(f"{TERMS}.{name}"), name, registry.TERMS, "term")
    cls, own = registry.class_of(name), Place(place.file, f"{place.table} {TERMS}.{name}")
    table = given if isinstance(given, dict) else {"weight": given}
    return Call(own, cls, arguments(own, table, cls, models=models))()
