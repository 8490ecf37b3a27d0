"""Explanations: whether a score falls by more without what they cite than without something else.

    python benchmarks/bench_explanations.py [--only history | features] [--people 200] [--seed 0]

Each part is kept by itself in benchmarks/results/explanations.json, so that one may be measured again alone.

- history (`faithfulness`): on MovieLens small, people drawn at random and the five items that each model shows them;
  the item of the history that contributes most is taken away, and another item of the history, drawn at random.
- features (`explained_features`): the same of films' genres and years, and of the film and the person as such, by
  models that go by features; and of SoftmaxNet, which goes by the history.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import results
from explained_features import features
from faithfulness import cases_of, row_of

import shortlist as sl
from shortlist.contributions import Contributions
from shortlist.data.feedback import Feedback

if TYPE_CHECKING:
    from collections.abc import Callable

    from faithfulness import Explain
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.models.model import Model
    from shortlist.stages import Request

NAME = "explanations"
SHOWN = 5
# What `row_of` returns, its title in the table, and the format.
COLUMNS = (
    ("model", "model", ""),
    ("cases", "shown items", ",d"),
    ("share", "falls by more", ".3f"),
    ("low", "95 % from", ".3f"),
    ("high", "to", ".3f"),
    ("fell", "falls at all", ".3f"),
)


class Explained(NamedTuple):
    """A model, whether it goes by all ratings and not by likes alone, and whether by labels made of the ratings.

    explain: what stands in for the model's own contributions.
    """

    model: Model
    rated: bool = False
    labels: bool = False
    explain: Explain | None = None


def as_hu(model: Model, request: Request, item_idx: NDArray[np.int32]) -> Contributions:
    """Return what Hu, Koren and Volinsky 2008, section 5, say that likes add to scores of a WALS without weights.

    With W = (w0 YᵀY + Σ_j y_j y_jᵀ + λ I)⁻¹ it is y_i·W y_j for each item j of the history.
    """
    if not isinstance(model, sl.WALS):
        raise TypeError(f"these are the amounts of WALS, not of {type(model).__name__}")
    liked = request.history.where(request.history.positive)
    past, factors = np.unique(liked.item_idx), model.item_factors_.astype(np.float64)
    cells = past.size + model.unobserved_weight * np.count_nonzero(model.known_items_)
    matrix = model.unobserved_weight * factors.T @ factors + factors[past].T @ factors[past]
    matrix += model.reg * cells**model.reg_exponent * np.eye(model.dim)
    return Contributions(item_idx, past, factors[item_idx] @ np.linalg.solve(matrix, factors[past].T))


def models() -> dict[str, Explained]:
    """Return the models that explain scores by the history."""
    return {
        "WALS": Explained(sl.WALS()),
        "WALS, shared out as Hu et al. do": Explained(sl.WALS(), explain=as_hu),
        "WALS, 16 dimensions": Explained(sl.WALS(16)),
        "WALS, 16 dimensions, as Hu et al.": Explained(sl.WALS(16), explain=as_hu),
        "WALS, cg": Explained(sl.WALS(solver="cg")),
        "WALS, complement, weights by frequency": Explained(
            sl.WALS(unobserved="complement", item_weight_exponent=0.3, user_weight_exponent=0.3)
        ),
        "WALS, gravity": Explained(sl.WALS(solver="gravity")),
        "WALS, sgd": Explained(sl.WALS(solver="sgd")),
        "MatrixFactorization": Explained(sl.MatrixFactorization(), rated=True),
        "MatrixFactorization, binary": Explained(
            sl.MatrixFactorization(objective="binary"), rated=True, labels=True
        ),
        "PureSVD": Explained(sl.PureSVD()),
        "BPR": Explained(sl.BPR()),
        "ItemNeighbors": Explained(sl.ItemNeighbors()),
        "ItemNeighbors, neighbours of the past": Explained(sl.ItemNeighbors(neighbors_of="past")),
        "ItemNeighbors, explicit": Explained(
            sl.ItemNeighbors(feedback="explicit", similarity="adjusted_cosine"), rated=True
        ),
        "UserNeighbors": Explained(sl.UserNeighbors()),
        "RP3beta": Explained(sl.RP3beta()),
        "EASE": Explained(sl.EASE()),
        "GraphFilter": Explained(sl.GraphFilter()),
    }


def labelled(data: Dataset) -> Dataset:
    """Return the same events with 1 for a positive rating and 0 for another."""
    log = data.interactions
    value = log.positive.astype(np.float32)
    return data.with_interactions(replace(log, value=value, feedback=Feedback.binary()))


def history(n_people: int, seed: int) -> dict[str, Any]:
    """Return the table of all models that explain by the history."""
    data = sl.datasets.movielens_small()
    rng = np.random.default_rng(seed)
    users = rng.choice(len(data.users), min(n_people, len(data.users)), replace=False).astype(np.int32)
    rows = []
    for name, (model, rated, labels, explain) in models().items():
        model.fit(labelled(data) if labels else data, rng=seed)
        cases = cases_of(model, np.sort(users), SHOWN, rng, rated=rated, explain=explain)
        found = row_of(name, cases, seed)
        print({key: round(value, 3) if isinstance(value, float) else value for key, value in found.items()})
        rows.append(found)
    columns = {name: spec for _, name, spec in COLUMNS}
    table = results.table(columns, [[row[key] for key, _, _ in COLUMNS] for row in rows])
    return {"tables": {"history": table}, "rows": rows, "shown": SHOWN}


# What can be measured, by name: (number of people, seed) → what is kept, its tables under "tables".
PARTS: dict[str, Callable[[int, int], dict[str, Any]]] = {"history": history, "features": features}


def kept() -> dict[str, Any]:
    """Return the results of the parts that were measured before."""
    path = results.DIRECTORY / f"{NAME}.json"
    if not path.is_file():
        return {"tables": {}}
    payload: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["results"]
    return payload


def main() -> None:
    """Measure the parts asked for, keep the others, and write benchmarks/results/explanations.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for part in PARTS if options.only is None else (options.only,):
        found = PARTS[part](options.people, options.seed)
        # Read only now, so that another part may have been measured meanwhile.
        payload = kept()
        payload["tables"] |= found.pop("tables")
        payload[part] = {**found, "people": options.people}
        data = sl.datasets.movielens_small()
        results.write(NAME, payload, data_hash=data.fingerprint, seed=options.seed)


if __name__ == "__main__":
    main()
