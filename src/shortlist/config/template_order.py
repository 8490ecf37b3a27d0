"""Scorer, objective and re-ranking of the configuration file that `shortlist init` writes."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

from shortlist.config import key_meanings as meanings
from shortlist.config.commented_table import CommentedTable
from shortlist.config.template_stages import column_of
from shortlist.reranking.boost import Boost
from shortlist.reranking.freshness import Freshness
from shortlist.reranking.group_terms import Calibration
from shortlist.reranking.select import Select
from shortlist.reranking.similarity_terms import MMR
from shortlist.scoring.lambda_mart import LambdaMARTScorer
from shortlist.scoring.model_scorer import ModelScorer
from shortlist.scoring.objective import Objective
from shortlist.scoring.ranker_settings import FEWEST_LIKES, n_teachers, ranker_problem, settings_for

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset
    from shortlist.data.discovery import Discovery

# So many people have to like something for a scorer to learn from them.
FEWEST_PEOPLE = 200
BOOST = 0.1


class ScorerChoice(NamedTuple):
    """The scorer that suits some data here, and why."""

    scorer: type[LambdaMARTScorer | ModelScorer]
    why: str


def scorer_for(data: Dataset) -> ScorerChoice:
    """Return the learned scorer where `data` have people enough to learn from and LightGBM is there, else the plain."""
    people = n_teachers(data.memory)
    if people < FEWEST_PEOPLE:
        return ScorerChoice(
            ModelScorer,
            f"a scorer that learns needs {FEWEST_PEOPLE} people with {FEWEST_LIKES} likes; here are {people}",
        )
    problem = ranker_problem()
    if problem is not None:
        return ScorerChoice(ModelScorer, problem)
    return ScorerChoice(
        LambdaMARTScorer, f"there are {people:,} people with {FEWEST_LIKES} likes to learn from"
    )


def order_tables(found: Discovery) -> list[CommentedTable]:
    """Return [scorer], the other one commented out, [objective] commented out, and [[rerank]]."""
    chosen = scorer_for(found.data)
    scorers = sorted((LambdaMARTScorer, ModelScorer), key=lambda scorer: scorer is not chosen.scorer)
    tables = [_scorer(found, scorer, chosen.why if scorer is chosen.scorer else None) for scorer in scorers]
    return [*tables, _objective(), *_steps(found)]


def _scorer(found: Discovery, cls: type, why: str | None) -> CommentedTable:
    learned = cls is LambdaMARTScorer
    values = {"model": "taste"} | (settings_for(n_teachers(found.data.memory)) if learned else {})
    keys, meaning = (
        (meanings.LAMBDA_MART_KEYS, "trees that learn from what people took of candidates")
        if learned
        else (meanings.SCORER_KEYS, "one model puts all candidates on one scale")
    )
    about = ("Or instead:",) if why is None else (f"What orders the candidates. Chosen since {why}.",)
    return CommentedTable(
        "[scorer]",
        cls,
        keys,
        values,
        {"name": cls.__name__},
        {"type": (cls.__name__, meaning)},
        about,
        is_active=why is not None,
    )


def _objective() -> CommentedTable:
    about = ("What lists are ranked for, said with every list; the order of the scorer if left out:",)
    example = {"kind": "probability"}
    return CommentedTable(
        "[objective]",
        Objective,
        meanings.OBJECTIVE_KEYS,
        example,
        meanings.OBJECTIVE_SHOWN,
        about=about,
        is_active=False,
    )


def _steps(found: Discovery) -> list[CommentedTable]:
    """Return Freshness and Boost, commented out, and Select with the terms that the data have what it takes for."""
    data = found.data
    groups = column_of(data.item_features, ("tags", "categorical"))
    tables = []
    if data.interactions.timestamp is not None or column_of(data.item_features, ("time",)) is not None:
        tables.append(_freshness(data))
    if (
        data.item_features is not None
        and groups is not None
        and (labels := data.item_features.tags(groups)[1])
    ):
        given = {"on": groups, "amounts": {labels[0]: BOOST}}
        tables.append(
            _step(Boost, meanings.BOOST_KEYS, given, "raises some labels, and says so", is_active=False)
        )
    return [*tables, _select(found, groups)]


def _freshness(data: Dataset) -> CommentedTable:
    column = column_of(data.item_features, ("time",))
    given = {name: _default(Freshness, name) for name in ("half_life_days", "weight")}
    given |= {} if column is None else {"column": column}
    return _step(Freshness, meanings.FRESHNESS_KEYS, given, "raises what is new", is_active=False)


def _select(found: Discovery, groups: str | None) -> CommentedTable:
    terms: dict[str, Any] = {MMR.__name__: _default(MMR, "weight")}
    if groups is not None:
        terms = {
            term.__name__: {"on": groups, "weight": _default(term, "weight")} for term in (MMR, Calibration)
        }
    keys = meanings.SELECT_KEYS
    if groups is None:
        keys = {key: meaning for key, meaning in keys.items() if key != "caps"}
    named: dict[str, tuple[Any, str]] = {
        "type": (Select.__name__, "chooses the list as a list; the last step"),
        "terms": (terms, "MMR | DPP | Calibration | Exposure, and the share of each in the choice"),
    }
    first = found.data.items.ids.head(1).to_list()
    shown = {"name": Select.__name__, "caps": {groups: 4}, "pins": [[*first, 1]]}
    return CommentedTable("[[rerank]]", Select, keys, {}, shown, named)


def _step(
    cls: type, keys: dict[str, str], values: dict[str, Any], meaning: str, *, is_active: bool
) -> CommentedTable:
    shown = meanings.RERANK_SHOWN | {"name": cls.__name__}
    return CommentedTable(
        "[[rerank]]", cls, keys, values, shown, {"type": (cls.__name__, meaning)}, is_active=is_active
    )


def _default(target: type, name: str) -> Any:
    return inspect.signature(target).parameters[name].default
