"""A small world whose users, items and moments have features, and the same world without one of them."""

from dataclasses import replace

import numpy as np
import polars as pl

import shortlist as sl
from shortlist.data.features import FeatureTable
from shortlist.data.memory import Limits

GENRES, COUNTRIES, DEVICES = ("Comedy", "Crime", "Drama", "Western"), ("France", "Norway"), ("phone", "tv")
KINDS = {
    "users": {"country": "categorical", "age": "numeric"},
    "items": {"genres": "tags", "year": "numeric", "title": "text"},
}


def world(kind="ratings", *, seed=0, n_users=24, n_items=18):
    """Return events of users 0 … with items 100 …; the last user and the last two items have none, but features."""
    rng = np.random.default_rng(seed)
    tags = [[g for g in GENRES if rng.random() < 0.45] or ["Drama"] for _ in range(n_items)]
    countries = [COUNTRIES[u % 2] for u in range(n_users)]
    users = pl.DataFrame(
        {"user_id": range(n_users), "country": countries, "age": rng.integers(18, 80, n_users).astype(float)}
    )
    items = pl.DataFrame(
        {
            "item_id": range(100, 100 + n_items),
            "genres": tags,
            "year": rng.integers(1950, 2020, n_items).astype(float),
            "title": [f"tale {'old' if i % 3 else 'new'} story {i}" for i in range(n_items)],
        }
    )
    rows = [
        (u, 100 + i, value_of(kind, (GENRES[u % 4] in tags[i]) + rng.random()), DEVICES[rng.integers(2)], at)
        for at, (u, i) in enumerate((u, i) for u in range(n_users - 1) for i in range(n_items - 2))
        if rng.random() < 0.55
    ]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "value", "device", "timestamp"], orient="row")
    # So wide a scale that no prediction is cut off.
    said = {"kind": kind, "scale": (-100, 100), "positive_from": 3} if kind == "ratings" else {"kind": kind}
    return sl.read(frame, users=users, items=items, features=KINDS, context=["device"], **said)


def value_of(kind, liking):
    """Return a rating around 1 to 5, or a label."""
    return 1.0 + 2 * liking if kind == "ratings" else float(liking > 0.8) if kind == "binary" else 1.0


def without(table, row, name):
    """Return the feature table without what is called `name` in one row, and the name of the column."""
    column = next(c for c in table.kinds if name.removeprefix("your ").startswith(c))
    cells = table.frame[column].to_list()
    label = name.removeprefix("your ").removeprefix(column).lstrip(": ")
    if table.kinds[column] == "tags":
        cells[row] = [tag for tag in cells[row] if tag != label]
    elif table.kinds[column] == "text":
        cells[row] = " ".join(word for word in cells[row].split() if word != label)
    else:
        cells[row] = None
    series = pl.Series(column, cells, dtype=table.frame[column].dtype)
    return FeatureTable(table.frame.with_columns(series), table.kinds)


def asked(model, user, *, at=None, context=None):
    """Return the request of one user of the data, by id."""
    index = model.memory_.users.index_of([user])
    return model.memory_.request(index, 1, Limits(exclude_seen=False, at=at), context=context)


def asked_folded(model, folded, features, context=None):
    """Return the request of one person folded in, of whom `features` are said."""
    limits = Limits(exclude_seen=False)
    request = model.memory_.request(np.array([-1], np.int32), 1, limits, folded.history, context)
    cells = {}
    for name, value in features.items():
        cells[name] = np.empty(1, object)
        cells[name][0] = value
    return replace(request, people={model.space: folded}, features=cells)
