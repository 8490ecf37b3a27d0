"""What to ask new people: how good predictions and lists are after 5, 10 and 20 questions, by how these were chosen.

    python benchmarks/bench_questionnaire.py [--splits 8] [--seed 0]

MovieLens small. A quarter of the people is hidden from training (`split.hide`), where the questions are chosen too.
Each hidden person answers about films among the earlier 70 % of their ratings, and the later 30 % are measured:
the RMSE of each person's ratings, predicted by MatrixFactorization from the answers folded in, and NDCG@10 of WALS
lists from the answers that are likes, over the whole catalogue; people without a usable answer get the popular films.
Means over people, of the mean over the splits that have them; differences are paired bootstraps over people (95 %).
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np
import results
from cold_measures import K, PerUser, quality, wanted

import shortlist as sl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.split import HiddenSplit

SIZES = (5, 10, 20)
HIDDEN, LATER = 0.25, 0.3
CHOICES: dict[str, dict[str, Any]] = {
    "random": {"by": "random"},
    "popularity": {"by": "popularity"},
    "popularity × entropy": {"by": "popularity_entropy"},
    "error, of likes": {"by": "error", "target": "likes"},
    "error, of ratings": {"by": "error", "target": "ratings"},
}
NOTHING, EVERYTHING = "nothing asked", "all that could be answered"


class Measure:
    """The people of one split, and the models their answers are folded into."""

    def __init__(self, parts: HiddenSplit, seed: int) -> None:
        self.known, self.rest = parts.answers(LATER)
        self.truth = wanted(self.rest, parts.hidden_users)
        self.ratings = sl.MatrixFactorization().fit(parts.train, rng=seed)
        self.likes = sl.WALS(dim=32, reg=0.03, n_epochs=8).fit(parts.train, rng=seed)
        log = self.rest.interactions
        self.people = np.unique(log.user_idx)

    def answers(self, items: list[Any] | None) -> sl.Dataset:
        """Return what is answered about `items`; about everything where None."""
        log = self.known.interactions
        if items is None:
            return self.known
        about = np.isin(log.item_idx, self.known.items.index_of(items)) if items else np.zeros(len(log), bool)
        return self.known.with_interactions(log.where(about))

    def rmse(self, answers: sl.Dataset) -> NDArray[np.float64]:
        """Return the RMSE of each of `people`."""
        folded, log, model = self.ratings.fold_in_users(answers), self.rest.interactions, self.ratings
        dots = np.einsum("pd,pd->p", folded.vectors[log.user_idx], model.item_factors_[log.item_idx])
        rating = dots + folded.offsets[log.user_idx] + model.item_offsets_[log.item_idx]
        error = np.clip(rating, *log.feedback.scale) - log.value
        squares = np.bincount(log.user_idx, error.astype(np.float64) ** 2, minlength=log.n_users)
        return np.sqrt(squares[self.people] / np.bincount(log.user_idx, minlength=log.n_users)[self.people])

    def ndcg(self, answers: sl.Dataset) -> NDArray[np.float64]:
        """Return NDCG@10 of each person who likes something."""
        folded = self.likes.fold_in_users(answers).take(self.truth.users)
        shown = self.likes.recommend(folded, K, on_unknown="fallback")
        return quality(shown.lists.padded(K), self.truth)


def measure(seeds: list[int]) -> tuple[dict[str, PerUser], dict[str, list[float]], dict[str, list[str]]]:
    """Return the figures of each person by metric, the answers a person by questionnaire, and questions as a sample."""
    data = sl.datasets.movielens_small()
    found = {"rmse": PerUser(), "ndcg": PerUser()}
    counts: dict[str, list[float]] = {}
    samples: dict[str, list[str]] = {}
    for seed in seeds:
        parts = sl.split.hide(data, HIDDEN, 0, 0, rng=seed)
        one = Measure(parts, seed)
        asked: dict[str, list[Any] | None] = {NOTHING: [], EVERYTHING: None}
        for choice, given in CHOICES.items():
            questions = sl.onboarding_items(parts.train, max(SIZES), rng=seed, **given)
            samples.setdefault(choice, questions.frame["title"].to_list()[: SIZES[0]])
            asked |= {f"{choice}, {size}": questions.item_ids[:size] for size in SIZES}
        for name, items in asked.items():
            answers = one.answers(items)
            found["rmse"].add(name, one.people, one.rmse(answers))
            found["ndcg"].add(name, one.truth.users, one.ndcg(answers))
            counts.setdefault(name, []).append(len(answers.interactions) / one.people.size)
        print(seed, {name: round(float(found["rmse"].values(name).mean()), 4) for name in asked}, flush=True)
    return found, counts, samples


def rows_of(values: PerUser, counts: dict[str, list[float]]) -> list[list[Any]]:
    """Return a row for each questionnaire: mean, differences from random and popular of the same size."""
    rows: list[list[Any]] = [
        [NOTHING, 0, 0.0, values.interval(NOTHING)[0], *[None] * 6],
        [EVERYTHING, None, float(np.mean(counts[EVERYTHING])), values.interval(EVERYTHING)[0], *[None] * 6],
    ]
    for size in SIZES:
        for choice in CHOICES:
            name = f"{choice}, {size}"
            row = [choice, size, float(np.mean(counts[name])), values.interval(name)[0]]
            for other in ("random", "popularity"):
                row += [None] * 3 if choice == other else values.interval(name, f"{other}, {size}")
            rows.append(row)
    return rows


def main() -> None:
    """Print the tables and write them to benchmarks/results/questionnaire.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--splits", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found, counts, samples = measure([options.seed + n for n in range(options.splits)])
    tables = {}
    for metric, title in (("rmse", "RMSE"), ("ndcg", f"NDCG@{K}")):
        columns = {"chosen by": "", "questions": "", "answers": ".1f", title: ".4f"}
        columns |= {"minus random": "+.4f", "from": "+.4f", "to": "+.4f"}
        columns |= {"minus popularity": "+.4f", "from ": "+.4f", "to ": "+.4f"}
        tables[metric] = results.table(columns, rows_of(found[metric], counts))
    payload = {
        "tables": tables,
        "first_questions": samples,
        "splits": options.splits,
        "people": int(found["rmse"].values(NOTHING).size),
    }
    data = sl.datasets.movielens_small()
    results.write("questionnaire", payload, data_hash=data.fingerprint, seed=options.seed)


if __name__ == "__main__":
    main()
