"""template: the commented configuration file for data that was looked at.

Every key that a file may hold stands there with what it does: set where the data decides it, else commented out with
its default.
"""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shortlist.config import key_meanings as meanings
from shortlist.config.arguments import SEED
from shortlist.config.commented_table import CommentedTable, entry
from shortlist.config.template_order import order_tables
from shortlist.config.template_stages import can_relate, rule_tables, source_tables
from shortlist.config.toml_text import toml, toml_key
from shortlist.data import split
from shortlist.data.import_report import describe, iso_time
from shortlist.data.read import read
from shortlist.data.sql import Query
from shortlist.errors import ParameterError
from shortlist.models.buy_again import BuyAgain
from shortlist.models.item_neighbors import ItemNeighbors
from shortlist.models.matrix_factorization import MatrixFactorization
from shortlist.models.popularity import Popularity
from shortlist.models.wals import WALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from shortlist.data.dataset import Dataset
    from shortlist.data.discovery import Discovery

SMALLEST_DIM = 2

SPLITS: dict[str, tuple[Callable[..., Any], str]] = {
    "global_time": (split.global_time, "everything before a moment trains, everything after it tests"),
    "leave_last_out": (split.leave_last_out, "each user's last events test"),
    "random": (split.random, "events are drawn: flatters, since later events train earlier ones"),
}


def template(found: Discovery, folder: Path, evaluate: Callable[..., Any], tune: Callable[..., Any]) -> str:
    """Return the text of a configuration file in `folder` for data that was looked at.

    `evaluate` and `tune` are the functions whose arguments [evaluate] and [tune] hold.
    Raises `ParameterError` where a path or the name of a column is no Unicode text.
    """
    tables = [
        *_splits(found),
        *_models(found),
        *source_tables(found),
        *rule_tables(found),
        *order_tables(found),
        CommentedTable(
            "[evaluate]",
            evaluate,
            meanings.EVALUATE_KEYS,
            {"k": _default(evaluate, "k")},
            meanings.EVALUATE_SHOWN,
            about=("For `shortlist evaluate`.",),
        ),
        CommentedTable(
            "[tune]",
            tune,
            meanings.TUNE_KEYS,
            {},
            meanings.TUNE_SHOWN,
            about=("For `shortlist tune`, which finds better parameters on a validation part.",),
            is_active=False,
        ),
    ]
    seed = entry(SEED, "0", "of fits, splits and intervals: the same gives the same")
    data = [_data(found, folder).to_text(), *_features(found)]
    parts = ["\n".join([*_heading(found), seed]), *data, *(table.to_text() for table in tables)]
    return "\n\n".join(parts) + "\n"


def dim_for(data: Dataset) -> int:
    """Return a length of vectors that so few users or items can fill: a power of two, at most the default of `WALS`.

    At least four users and four items stand behind each coordinate.
    """
    largest = min(_default(WALS, "dim"), min(len(data.users), len(data.items)) // 4)
    dim = SMALLEST_DIM
    while 2 * dim <= largest:
        dim *= 2
    return dim


def _heading(found: Discovery) -> list[str]:
    data, log = found.data, found.data.interactions
    span = (
        "without times"
        if log.timestamp is None
        else f"{iso_time(int(log.timestamp[0]))} to {iso_time(log.now or 0)}"
    )
    return [
        "# Written by `shortlist init`. Keys behind a # are off; they stand with their default, or with an example",
        "# where there is none.",
        f"# The data: {len(log):,} events of {len(data.users):,} users and {len(data.items):,} items, {span};",
        f"# {describe(data.feedback)}.",
        "# Next: shortlist evaluate THIS_FILE; shortlist tune THIS_FILE; shortlist fit THIS_FILE --out FOLDER",
    ]


def _data(found: Discovery, folder: Path) -> CommentedTable:
    feedback = found.data.feedback
    values: dict[str, Any] = {role: _source(source, folder) for role, source in found.sources.items()} | {
        "kind": feedback.kind
    }
    if feedback.kind == "ratings" and feedback.scale is not None:
        values |= {"scale": list(feedback.scale), "positive_from": feedback.positive_from}
    values |= {name: found.given[name] for name in ("delimiter", "encoding") if name in found.given}
    if found.columns:
        values["columns"] = found.columns
    if found.repeats:
        values["repeats"] = True
    keys = {
        key: meaning for key, meaning in meanings.DATA_KEYS.items() if key != "features" or not found.features
    }
    if "scale" not in found.given:
        keys["scale"] += meanings.AS_OBSERVED
    return CommentedTable("[data]", read, keys, values, meanings.DATA_SHOWN)


def _features(found: Discovery) -> list[str]:
    """Return a table for the features of each side, which have to stand below the other keys of [data]."""
    about = f"# {meanings.DATA_KEYS['features']}"
    return [
        "\n".join(
            [
                about,
                f"[data.features.{side}]",
                *(f"{toml_key(name)} = {toml(kind)}" for name, kind in kinds.items()),
            ]
        )
        for side, kinds in found.features.items()
    ]


def path_from(folder: str | os.PathLike[str], source: str | os.PathLike[str]) -> str:
    """Return the path `source` as a file in `folder` names it: relative to it, with forward slashes.

    Absolute where the relative path would begin with "~", which a file would take for the home folder.
    """
    try:
        relative = os.path.relpath(source, folder)
    except ValueError:  # on another drive
        relative = str(Path(source).absolute())
    if relative.startswith("~"):
        relative = str(Path(source).absolute())
    return relative.replace(os.sep, "/")


def _source(source: Any, folder: Path) -> Any:
    if isinstance(source, Query):
        beside = path_from(folder, source.folder)
        return {"url": source.url, "query": source.query} | ({} if beside == "." else {"folder": beside})
    if isinstance(source, list | tuple):
        return [_source(one, folder) for one in source]
    if not isinstance(source, str | os.PathLike):
        raise ParameterError(f"a configuration file names files, and this is a {type(source).__name__}")
    return path_from(folder, source)


def _splits(found: Discovery) -> list[CommentedTable]:
    kinds = [found.cut.kind, *(kind for kind in SPLITS if kind != found.cut.kind)]
    return [
        CommentedTable(
            "[split]",
            SPLITS[kind][0],
            meanings.SPLIT_KEYS[kind],
            {"fraction": _default(SPLITS[kind][0], "fraction")},
            meanings.SPLIT_SHOWN,
            {"kind": (kind, SPLITS[kind][1])},
            ("How a test part is held back, for `shortlist evaluate`.", f"Chosen since {found.cut.why}.")
            if at == 0
            else ("Or instead:",),
            is_active=at == 0,
        )
        for at, kind in enumerate(kinds)
    ]


def _models(found: Discovery) -> list[CommentedTable]:
    core = {"dim": dim_for(found.data)}
    core |= {name: _default(WALS, name) for name in ("unobserved_weight", "reg")}
    models = [
        _model("taste", WALS, meanings.WALS_KEYS, core, "what people with like taste chose"),
        _model(
            "popular",
            Popularity,
            meanings.POPULARITY_KEYS,
            {"by": _default(Popularity, "by")},
            "what most people chose",
        ),
    ]
    near = {"n_neighbors": _default(ItemNeighbors, "n_neighbors")}
    models.append(
        _model(
            "neighbours",
            ItemNeighbors,
            meanings.NEIGHBORS_KEYS,
            near,
            "what the same people chose",
            is_active=can_relate(found.data),
        )
    )
    if found.repeats:
        half_life = {"half_life_days": _default(BuyAgain, "half_life_days")}
        models.append(
            _model("again", BuyAgain, meanings.BUY_AGAIN_KEYS, half_life, "what a person chose before")
        )
    if found.data.feedback.kind == "ratings":
        about = (
            "Or, to predict ratings (`rmse`, `mae`): this as the only model, no [[sources]], [scorer] and [[rerank]].",
        )
        models.append(
            _model(
                "ratings",
                MatrixFactorization,
                meanings.FACTORIZATION_KEYS,
                {},
                "predicts ratings",
                about,
                is_active=False,
            )
        )
    return models


def _model(
    name: str,
    cls: type,
    keys: dict[str, str],
    values: dict[str, Any],
    meaning: str,
    about: tuple[str, ...] = (),
    *,
    is_active: bool = True,
) -> CommentedTable:
    return CommentedTable(
        f"[models.{name}]",
        cls,
        keys,
        values,
        meanings.FACTORIZATION_SHOWN,
        {"type": (cls.__name__, meaning)},
        about,
        is_active,
    )


def _default(target: Callable[..., Any], name: str) -> Any:
    return inspect.signature(target).parameters[name].default
