"""Content and segments: what features tell of films that nobody has touched, and what segments add to popularity.

    python benchmarks/bench_content.py [--seed 0]

`new films`: a fifth of the films of MovieLens small loses all its events in training; each person's held-out likes are
to be found among these films alone. `segments`: NDCG@10 on each person's last ratings, over the whole catalogue.
All parameters are the defaults but those named, so nothing is chosen on the test part.
"""

from __future__ import annotations

import argparse

import numpy as np
import results

import shortlist as sl

K = 10
HELD_OUT = 0.2
CONTENT = {
    "genres": sl.ContentBased(["genres"]),
    "genres, year": sl.ContentBased(["genres", "year"]),
    "genres, year, words of the title": sl.ContentBased(),
    "the same, weigh=rating": sl.ContentBased(weigh="rating"),
}
SEGMENTS = {
    "Popularity": sl.Popularity(),
    "ContentBased": sl.ContentBased(),
    "KMeansSegments": sl.KMeansSegments(),
    "KMeansSegments of items": sl.KMeansSegments(of="items"),
    "KMeansSegments of items, on genres": sl.KMeansSegments(of="items", on="features", columns=["genres"]),
    "WALS": sl.WALS(),
}


def new_films(data: sl.Dataset, rng: np.random.Generator) -> list[list[object]]:
    """Return for each content model NDCG@10 and hit rate of held-out likes among the held-out films."""
    held = rng.random(len(data.items)) < HELD_OUT
    log = data.interactions
    train = data.with_interactions(log.where(~held[log.item_idx]))
    liked = log.where(held[log.item_idx] & log.positive)
    warm = train.memory.history.where(train.memory.history.positive)
    users = np.intersect1d(liked.user_idx, np.flatnonzero(np.diff(warm.ptr) > 0))
    truth = [np.unique(liked.item_idx[liked.user_idx == user]) for user in users]
    ptr = np.cumsum([0, *map(len, truth)])
    films = np.flatnonzero(held)
    by_chance = np.stack([rng.permutation(films)[:K] for _ in users])
    lists = {"in random order": by_chance}
    for name, model in CONTENT.items():
        shown = model.fit(train).recommend(
            data.users.ids_of(users), K, items=data.items.ids_of(films), on_unknown="skip"
        )
        lists[name] = shown.lists.padded(K)
    rows: list[list[object]] = []
    for name, recommended in lists.items():
        hits = sl.metrics.find_hits(recommended, ptr, np.concatenate(truth))
        rows.append([name, *(float(of(hits, K).mean()) for of in (sl.metrics.ndcg, sl.metrics.hit_rate))])
        print(rows[-1], flush=True)
    return rows


def segments(data: sl.Dataset, seed: int) -> list[list[object]]:
    """Return for each model NDCG@10 of people with a past, and its interval."""
    train, test = sl.split.leave_last_out(data)
    models = {name: model.fit(train, rng=seed) for name, model in SEGMENTS.items()}
    found = sl.evaluate(models, train, test, k=K, baseline="Popularity")
    rows: list[list[object]] = []
    for name in models:
        of = found.result("ndcg", name, "warm users")
        rows.append([name, of.value, of.low, of.high])
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Print the tables and write them to benchmarks/results/content.json."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=0)
    seed = arguments.parse_args().seed
    data = sl.datasets.movielens_small()
    of_films = {"features": "", "NDCG@10": ".4f", "hit rate@10": ".4f"}
    of_models = {"model": "", "NDCG@10": ".4f", "from": ".4f", "to": ".4f"}
    tables = {
        "new_films": results.table(of_films, new_films(data, np.random.default_rng(seed))),
        "segments": results.table(of_models, segments(data, seed)),
    }
    results.write("content", {"k": K, "tables": tables}, data_hash=data.fingerprint, seed=seed)


if __name__ == "__main__":
    main()
