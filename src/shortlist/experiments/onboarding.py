"""onboarding_items: what to ask people of whom nothing is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from shortlist.errors import DataError, ParameterError
from shortlist.models.matrix_factorization import MatrixFactorization
from shortlist.models.questionnaire import Panel, greedy_questions
from shortlist.models.rating_objective import frequency_scale
from shortlist.models.wals import WALS
from shortlist.parameters import generator, number, one_of, whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from scipy import sparse

    from shortlist.data.dataset import Dataset
    from shortlist.data.vocabulary import Id

    Floats = NDArray[np.float64]

By = Literal["error", "popularity", "popularity_entropy", "random"]
Target = Literal["ratings", "likes"]
N_HALVES = 2


@dataclass(frozen=True, eq=False)
class Questionnaire:
    """The items to ask about, in the order of asking.

    - item_ids: theirs; by: how they were chosen
    - frame: one row an item: rank (Int32, from 1), item_id, title (where the data has titles), known (share of the
      people with an event, who have one with this item), liked (share of those with a positive one), spread (standard
      deviation of their values; null for events, which all say the same), error (share of the error without an answer
      that is left after this question; null unless by="error")
    """

    frame: pl.DataFrame
    by: By

    @property
    def item_ids(self) -> list[Id]:
        """Return the ids of the items, in the order of asking."""
        ids: list[Id] = self.frame["item_id"].to_list()
        return ids

    def __len__(self) -> int:
        return self.frame.height

    def __repr__(self) -> str:
        with pl.Config(tbl_rows=-1, fmt_str_lengths=60):
            return f"Questionnaire(by={self.by!r})\n{self.frame}"


def onboarding_items(
    dataset: Dataset,
    n: int = 10,
    *,
    by: By = "error",
    target: Target | None = None,
    items: Iterable[Id] | None = None,
    n_candidates: int = 500,
    n_people: int = 2000,
    dim: int = 16,
    shrinkage: float = 100.0,
    rng: np.random.Generator | int | None = 0,
) -> Questionnaire:
    """Return a questionnaire of `n` items, to be asked of new people whose answers `fold_in_users` makes a vector of.

    - by: "error": each next item is the one whose answers, added to the earlier ones, most lower the error of what is
      predicted of everything else (`models.questionnaire` has the formulas and the source). It favours items that many
      know and that divide them, and passes over items that are answered like one that is asked already.
      "popularity": what most people know. "popularity_entropy": the largest log(people who know it) times entropy of
      their values (Rashid et al. 2002, §3.3). "random": drawn from the candidates
    - target: what the answers are to predict and "error" goes by: "ratings", or "likes" (what is positive, beside all
      that is not). None: ratings where the data has them
    - items: only these may be asked about; n_candidates: and of these the ones that most people know
    - n_people, dim, rng: of "error": at most so many people, drawn at random, measure it; the items' vectors are those
      of a `MatrixFactorization` (of a `WALS` for likes) of this size, fitted on the half of the people that a person
      who measures is not in
    - shrinkage ≥ 0, in people: what few people's answers tell is taken with so much of what the model expects

    People know an item if they have an event with it. Ties go by id.
    Raises `ParameterError` where there are fewer than `n` candidates that somebody knows, `DataError` for fewer than
    two people with two events each, for ratings as target of other data, and for by="popularity_entropy" of events,
    whose values all say the same.
    Cost: two fits, and n times O(pairs · dim²) over the pairs of a person that measures and a candidate they know.
    Sources: Rashid et al., Getting to Know You, IUI 2002; Golbandi, Koren and Lempel, CIKM 2010.
    """
    one_of("by", by, By)
    number("shrinkage", shrinkage)
    for name, value in (("n", n), ("n_candidates", n_candidates), ("n_people", n_people), ("dim", dim)):
        whole(name, value, least=1)
    known = _n_who_know(dataset)
    candidates = _candidates(dataset, known, n, items, n_candidates)
    rng = generator(rng)
    errors = np.full(n, np.nan)
    if by == "error":
        panels = _panels(dataset, _target(dataset, target), candidates, n, n_people, dim, rng)
        chosen, left = greedy_questions(panels, n, shrinkage)
        if chosen.size < n:
            raise ParameterError(
                f"the people who measure know {chosen.size} of the candidates, and {n} are asked for: raise n_people"
            )
        chosen, errors = candidates[chosen], left[1:]
    elif by == "random":
        chosen = rng.permutation(candidates)[:n]
    else:
        worth = known.astype(np.float64)
        if by == "popularity_entropy":
            worth = np.log(np.maximum(known, 1)) * _entropies(dataset)
        chosen = candidates[np.argsort(-worth[candidates], kind="stable")[:n]]
    return Questionnaire(_described(dataset, chosen, known, errors), by)


def _n_who_know(dataset: Dataset) -> NDArray[np.int64]:
    return np.bincount(dataset.interactions.matrix("count").indices, minlength=len(dataset.items))


def _candidates(
    dataset: Dataset, known: NDArray[np.int64], n: int, items: Iterable[Id] | None, n_candidates: int
) -> NDArray[np.int64]:
    """Return the positions of the items that may be asked about, ascending."""
    allowed = np.arange(known.size)
    if items is not None:
        allowed = np.unique(dataset.items.require(items, "item")).astype(np.int64)
    allowed = allowed[known[allowed] > 0]
    best = np.sort(allowed[np.argsort(-known[allowed], kind="stable")[:n_candidates]])
    if best.size < n:
        raise ParameterError(
            f"n={n} items are asked for, and {best.size} may be asked about: those that somebody has an event with"
            f"{' among items' if items is not None else ''}, {n_candidates} at most (n_candidates)"
        )
    return best


def _target(dataset: Dataset, target: Target | None) -> Target:
    if target is None:
        return "ratings" if dataset.feedback.kind == "ratings" else "likes"
    if one_of("target", target, Target) == "ratings":
        dataset.feedback.require_ratings('onboarding_items(target="ratings")')
    return target


def _panels(
    dataset: Dataset,
    target: Target,
    candidates: NDArray[np.int64],
    n: int,
    n_people: int,
    dim: int,
    rng: np.random.Generator,
) -> list[Panel]:
    """Return two panels: people of one half, with the vectors of items as the other half sees them."""
    log = dataset.interactions
    counted = log.where(log.positive) if target == "likes" else log
    length = np.diff(counted.matrix("last").indptr)
    people = rng.permutation(np.flatnonzero(length > 1))
    if people.size < N_HALVES:
        raise DataError(
            f"{people.size} people have two {'likes' if target == 'likes' else 'ratings'} or more; choosing by the "
            'error needs two such people: by="popularity" needs none'
        )
    half = np.full(log.n_users, -1)
    half[rng.permutation(log.n_users)] = np.arange(log.n_users) % N_HALVES
    half[people] = np.arange(people.size) % N_HALVES
    panel_of = {"ratings": _rating_panel, "likes": _like_panel}[target]
    panels = []
    for other in range(N_HALVES):
        train = dataset.with_interactions(counted.where(half[counted.user_idx] == other))
        own = np.sort(people[half[people] != other][: -(-n_people // N_HALVES)])
        panels.append(panel_of(train, counted.matrix("last")[own], candidates, n, dim, rng))
    return panels


def _rating_panel(
    train: Dataset,
    ratings: sparse.csr_array,
    candidates: NDArray[np.int64],
    n: int,
    dim: int,
    rng: np.random.Generator,
) -> Panel:
    """Return people with their ratings less what the model says of the item, in the model's space and a bias."""
    model = MatrixFactorization(dim).fit(train, rng=rng)
    vectors = np.column_stack([model.item_factors_, np.ones(len(train.items))]).astype(np.float64)
    values = ratings.astype(np.float64)
    values.data -= model.item_offsets_[values.indices]
    penalty = np.append(np.full(dim, model.reg), model.bias_reg)
    scale = frequency_scale(np.array([n]), model.reg_exponent)[0]
    return Panel(values, vectors, np.diag(np.maximum(scale * penalty, 1e-9)), candidates)


def _like_panel(
    train: Dataset,
    likes: sparse.csr_array,
    candidates: NDArray[np.int64],
    n: int,
    dim: int,
    rng: np.random.Generator,
) -> Panel:
    """Return people with 1 for what they like, in the space of WALS, which takes all the rest for 0."""
    model = WALS(dim).fit(train, rng=rng)
    vectors = model.item_factors_.astype(np.float64)
    values = likes.astype(np.float64)
    values.data[:] = 1.0
    weight = model.unobserved_weight
    penalty = model.reg * (n + weight * np.count_nonzero(model.known_items_)) ** model.reg_exponent
    prior = weight * vectors.T @ vectors + penalty * np.eye(dim)
    return Panel(values, vectors, prior, candidates, weight)


def _entropies(dataset: Dataset) -> Floats:
    """Return float64[n_items]: the entropy, in bits, of the values that people give each item."""
    if dataset.feedback.kind == "events":
        raise DataError(
            'by="popularity_entropy" needs ratings or labels, and events all say the same: by="error" or "popularity"'
        )
    matrix = dataset.interactions.matrix("last")
    levels, level = np.unique(matrix.data, return_inverse=True)
    entropy = np.zeros(matrix.shape[1])
    n = np.maximum(np.bincount(matrix.indices, minlength=matrix.shape[1]), 1)
    for at in range(levels.size):
        share = np.bincount(matrix.indices[level == at], minlength=matrix.shape[1]) / n
        entropy -= share * np.log2(np.where(share > 0, share, 1.0))
    return entropy


def _described(
    dataset: Dataset, chosen: NDArray[np.int64], known: NDArray[np.int64], errors: Floats
) -> pl.DataFrame:
    matrix = dataset.interactions.matrix("last")
    n_people = max(int(np.count_nonzero(np.diff(matrix.indptr))), 1)
    own = matrix.tocsc()[:, chosen]
    values = [own.data[own.indptr[at] : own.indptr[at + 1]] for at in range(chosen.size)]
    is_event = dataset.feedback.kind == "events"
    columns = {
        "rank": pl.Series(np.arange(1, chosen.size + 1), dtype=pl.Int32),
        "item_id": dataset.items.ids_of(chosen.astype(np.int32)),
        **({} if dataset.titles is None else {"title": dataset.titles.gather(chosen)}),
        "known": known[chosen] / n_people,
        "liked": np.array([dataset.feedback.is_positive(of).mean() for of in values]),
        "spread": pl.Series([None if is_event else float(of.std()) for of in values], dtype=pl.Float64),
        "error": pl.Series(errors).fill_nan(None),
    }
    return pl.DataFrame(columns)
