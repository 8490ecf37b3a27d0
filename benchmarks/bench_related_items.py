"""The related items of every item: how many items a second are built, and what an update of a few of them costs.

    python benchmarks/bench_related_items.py [--only update|million|index] [--items N] [--seed 0]

The vectors are synthetic: 64 numbers around one of 1,000 centres. `update` builds the related items of 50,000 items,
changes, adds and removes one in a hundred, and checks that the update equals building anew. `million` is one run over
a million items, exact; what is done is kept in benchmarks/data/related_items, so that a run that was cut off goes on.
`index` is the same by an approximate index, whose making is part of the time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from typing import Any, ClassVar

import numpy as np
import results

from shortlist.data.dataset import Dataset
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.vocabulary import Vocabulary
from shortlist.models.model import Model
from shortlist.models.vectors import DotProduct
from shortlist.retrieval.compared_items import ComparedItems
from shortlist.retrieval.related_items import RelatedItems

DIM, CENTRES, N = 64, 1000, 20
ITEMS_OF_AN_UPDATE, ITEMS_OF_A_RUN, ITEMS_OF_A_PART = 50_000, 1_000_000, 32_768
TARGET_RECALL = 0.95
KEPT = results.DATA / "related_items"


class Given(DotProduct, Model):
    """A model whose item vectors are given."""

    FITTED: ClassVar[tuple[str, ...]] = ("item_factors_", "item_offsets_")

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors

    def _fit(self, dataset: Dataset, fitting: object) -> None:
        self.item_factors_, self.item_offsets_ = self.vectors, np.zeros(len(self.vectors), np.float32)
        self.known_users_ = np.ones(1, bool)
        self.known_items_ = self.listed_items_ = np.ones(len(self.vectors), bool)

    def user_vectors(self, user_idx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the vectors of the one user there is."""
        return np.zeros((user_idx.size, DIM), np.float32), np.zeros(user_idx.size, np.float32)


def clustered(n: int, seed: int) -> np.ndarray:
    """Return float32[n, DIM] around CENTRES centres."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((CENTRES, DIM), np.float32)
    noise = rng.standard_normal((n, DIM), np.float32)
    return centres[rng.integers(0, CENTRES, n)] + np.float32(0.7) * noise


def given(vectors: np.ndarray, ids: np.ndarray) -> Given:
    """Return a fitted model of items `ids`, ascending, with `vectors`."""
    event = np.zeros(1, np.int64)
    log = Interactions.of(event, event, np.ones(1, np.float32), None, 1, ids.size, Feedback.events())
    return Given(vectors).fit(Dataset(log, Vocabulary.of([0]), Vocabulary.of(ids)))


def update(n_items: int, seed: int) -> dict[str, Any]:
    """Return the seconds of a build, and of an update after one item in a hundred changed, came and went."""
    rng, few = np.random.default_rng(seed + 1), n_items // 300
    vectors, ids = clustered(n_items + few, seed), np.arange(n_items + few)
    before = given(vectors[:n_items], ids[:n_items])
    started = time.perf_counter()
    related = RelatedItems.build(before, N)
    build = time.perf_counter() - started
    vectors[rng.choice(n_items, few, replace=False)] += rng.standard_normal((few, DIM), np.float32)
    left = np.delete(ids, rng.choice(n_items, few, replace=False))
    after = given(vectors[left], left)
    started = time.perf_counter()
    updated = related.update(after)
    seconds = time.perf_counter() - started
    anew = RelatedItems.build(after, N)
    every = np.arange(left.size, dtype=np.int32)
    same = [np.array_equal(*pair) for pair in zip(_arrays(updated, every), _arrays(anew, every), strict=True)]
    if not all(same):
        raise SystemExit("the update differs from building anew")
    changes = updated.changes
    return {
        "items": n_items, "build_seconds": build, "items_a_second": n_items / build, "update_seconds": seconds,
        "changed": changes.changed, "removed": changes.removed, "searched": changes.searched,
    }  # fmt: skip


def _arrays(related: RelatedItems, every: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lists = related.lists(every)
    return lists.item_idx, lists.score


def million(n_items: int, seed: int) -> dict[str, Any]:
    """Return the seconds of the related items of `n_items` items; parts that are kept are not searched again."""
    compared = ComparedItems.of(given(clustered(n_items, seed), np.arange(n_items)), None)
    folder = KEPT / f"{n_items}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    seconds = []
    for start in range(0, n_items, ITEMS_OF_A_PART):
        seconds.append(
            _part(compared, np.arange(start, min(start + ITEMS_OF_A_PART, n_items), dtype=np.int32), folder)
        )
        print(f"{start + ITEMS_OF_A_PART:,} items, {sum(seconds):,.0f} s", flush=True)
    total = sum(seconds)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    return {"items": n_items, "n": N, "dim": DIM, "seconds": total, "items_a_second": n_items / total}


def _part(compared: ComparedItems, items: np.ndarray, folder: Any) -> float:
    """Return the seconds that the lists of `items` took, now or in a run before."""
    kept = folder / f"{items[0]:08}.npz"
    if kept.exists():
        with np.load(kept) as found:
            return float(found["seconds"])
    started = time.perf_counter()
    lists = compared.nearest(items, N)
    seconds = time.perf_counter() - started
    unfinished = kept.with_suffix(".unfinished.npz")
    np.savez(unfinished, item_idx=lists.item_idx, score=lists.score, ptr=lists.ptr, seconds=seconds)
    unfinished.replace(kept)
    return seconds


def by_index(n_items: int, seed: int) -> dict[str, Any]:
    """Return the seconds, building an index among them, and the recall of the related items of `n_items` items."""
    model = given(clustered(n_items, seed), np.arange(n_items))
    started = time.perf_counter()
    related = RelatedItems.build(model, N, target_recall=TARGET_RECALL, on_block=_say)
    seconds = time.perf_counter() - started
    return {
        "items": n_items,
        "seconds": seconds,
        "items_a_second": n_items / seconds,
        "recall": related.recall_,
    }


def _say(done: int, total: int) -> None:
    print(f"{done:,} of {total:,} items", flush=True)


def kept_before() -> dict[str, Any]:
    """Return the parts of the result file that is there."""
    file = results.DIRECTORY / "related_items.json"
    return json.loads(file.read_text(encoding="utf-8"))["results"].get("parts", {}) if file.is_file() else {}


def tables(parts: dict[str, Any]) -> dict[str, Any]:
    """Return the tables of the parts that are measured."""
    rows: list[list[Any]] = []
    if once := parts.get("update"):
        rows.append([once["items"], "exact", None, once["build_seconds"], once["items_a_second"]])
    for name, search in (("million", "exact"), ("index", "approximate")):
        if part := parts.get(name):
            rows.append([part["items"], search, part.get("recall"), part["seconds"], part["items_a_second"]])
    columns = {"items": ",d", "search": "", "recall": ".3f", "seconds": ",.1f", "items a second": ",.0f"}
    found = {"rate": results.table(columns, rows)}
    if once:
        columns = {
            "items": ",d", "new or changed": ",d", "gone": ",d", "searched": ",d", "seconds of the update": ",.2f",
            "of building anew": ",.2f",
        }  # fmt: skip
        row = [
            once[name]
            for name in ("items", "changed", "removed", "searched", "update_seconds", "build_seconds")
        ]
        found["update"] = results.table(columns, [row])
    return found


def main() -> None:
    """Measure the parts that are asked for and write them to benchmarks/results/related_items.json."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--only", choices=["update", "million", "index"])
    arguments.add_argument("--items", type=int, help="of the part, instead of 50,000 and a million")
    arguments.add_argument("--seed", type=int, default=0)
    asked = arguments.parse_args()
    parts = kept_before()
    if asked.only in {None, "update"}:
        parts["update"] = update(asked.items or ITEMS_OF_AN_UPDATE, asked.seed)
        print(parts["update"], flush=True)
    if asked.only in {None, "million"}:
        parts["million"] = million(asked.items or ITEMS_OF_A_RUN, asked.seed)
        print(parts["million"], flush=True)
    if asked.only in {None, "index"}:
        parts["index"] = by_index(asked.items or ITEMS_OF_A_RUN, asked.seed)
        print(parts["index"], flush=True)
    data_hash = hashlib.sha256(clustered(10_000, asked.seed).tobytes()).hexdigest()
    results.write(
        "related_items", {"parts": parts, "tables": tables(parts)}, data_hash=data_hash, seed=asked.seed
    )


if __name__ == "__main__":
    main()
