"""LambdaMARTScorer: gradient-boosted trees that learn the order of candidates from what people took."""

from __future__ import annotations

import copy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from shortlist.contributions import Contributions
from shortlist.errors import DataError, MissingExtraError, NotFittedError
from shortlist.models.scores_by_request import scores_by_request
from shortlist.models.stage import Stage
from shortlist.parameters import number, one_of, whole
from shortlist.scoring.candidate_features import CandidateRows, candidate_features, names_differ
from shortlist.scoring.grown_trees import GrownTrees
from shortlist.scoring.item_facts import ItemFacts
from shortlist.scoring.user_facts import UserFacts
from shortlist.threads import num_threads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.models.model import Model
    from shortlist.stages import CandidateExamples, Candidates, Request

Loss = Literal["lambdarank", "xendcg"]

# People whose candidates tell when to stop, out of all with examples; and how many of these it needs.
_VALIDATION_SHARE = 0.2
FEWEST_PEOPLE = 10


class LambdaMARTScorer(Stage):
    """Scores candidates by trees that were taught which of a person's candidates come first (LambdaMART).

    It learns from candidates such as it will score: sources fitted on what was before a cut propose, and what people
    took after it is 1, the rest 0, a group a person; those who took none of theirs teach no order and are left out. Its
    features are those of `candidate_features`. Its score orders the candidates of one person and is no probability.

    - model: its score of each candidate is one more feature, and may be left out
    - n_trees: the most trees; after `patience` without a better NDCG@10 of people held back, no more are added. 0:
      nobody is held back, which suits some hundred people, whose NDCG says little
    - learning_rate above 0; n_leaves: of a tree; min_rows: candidates in a leaf
    - feature_share, row_share: of the features and of the candidates, drawn anew for each tree, above 0, at most 1
    - loss: "lambdarank", or "xendcg", the cross-entropy of Bruch 2021, An alternative cross entropy loss for
      learning-to-rank, which is calmer with few people

    To learn it needs LightGBM, the extra `ranker`; the trees are kept as arrays, so that a fitted pipeline is saved,
    loaded, asked and explained without it, bit for bit. Burges 2010, From RankNet to LambdaRank to LambdaMART, with
    LightGBM's gradients (truncated at 30, normalised by person). The same seed gives the same trees on any number of
    threads.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("names_",)
    goes_by_history: ClassVar[bool] = True
    STATES: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"facts_": ItemFacts, "people_": UserFacts, "trees_": GrownTrees}
    )

    facts_: ItemFacts
    people_: UserFacts
    trees_: GrownTrees
    names_: Sequence[str]

    def __init__(
        self,
        model: Model | None = None,
        *,
        n_trees: int = 300,
        learning_rate: float = 0.05,
        n_leaves: int = 15,
        min_rows: int = 50,
        patience: int = 30,
        feature_share: float = 1.0,
        row_share: float = 1.0,
        loss: Loss = "lambdarank",
        name: str | None = None,
    ) -> None:
        self._set(model, name)
        self.n_trees = whole("n_trees", n_trees, least=1)
        self.learning_rate = number("learning_rate", learning_rate, above_zero=True)
        self.n_leaves = whole("n_leaves", n_leaves, least=2)
        self.min_rows = whole("min_rows", min_rows, least=1)
        self.patience = whole("patience", patience, least=0)
        self.feature_share = number("feature_share", feature_share, above_zero=True, most=1.0)
        self.row_share = number("row_share", row_share, above_zero=True, most=1.0)
        self.loss: Loss = one_of("loss", loss, Loss)

    def _prepare(self, dataset: Dataset) -> None:
        require_lightgbm(self.name)
        self.facts_ = ItemFacts.of(dataset, self.name)
        self.people_ = UserFacts.of(dataset, self.name)
        self.trees_, self.names_ = GrownTrees.none(), []

    def knows(self, request: Request) -> NDArray[np.bool_]:
        """Return bool[n]: everybody of whom there is an event or a model's word."""
        known = np.diff(request.history.ptr) > 0
        return known if self.model is None else known | self.model.knows(request.user_idx)

    def can_score(self, _request: Request, candidates: Candidates) -> NDArray[np.bool_]:
        """Return bool[m], true: trees have something to say about any candidate."""
        return np.ones(candidates.item_idx.size, bool)

    def features(self, request: Request, candidates: Candidates) -> CandidateRows:
        """Return a row of numbers for each candidate, NaN where nothing is known, and the names of its columns."""
        scores, model = None, self.model
        if model is not None:
            scores = scores_by_request(model, request, candidates.row, candidates.item_idx)
        of = self.facts_, self.people_
        return candidate_features(request, candidates, *of, scores, type(model).__name__)

    def score(self, request: Request, candidates: Candidates) -> NDArray[np.float32]:
        """Return float32[m]; 0 for candidates that are removed already.

        Raises `NotFittedError` before it has learned.
        """
        self._require_trees()
        out = np.zeros(candidates.item_idx.size, np.float32)
        kept = np.flatnonzero(candidates.kept)
        if kept.size:
            out[kept] = self.trees_.scores(self._rows(request, candidates).values)
        return out

    def contributions(
        self, request: Request, candidates: Candidates, at: NDArray[np.int64]
    ) -> Contributions | None:
        """Return what the scores of the candidates at the positions `at` are made of: Shapley values of the features.

        Features about one thing ("its popularity") are one player, so that what they know together is theirs and is
        not divided by how they overlap. The base is the mean score of the candidates that it learned from; candidates
        that are removed have amounts of 0.
        """
        self._require_trees()
        rows, kept = self._rows(request, candidates), candidates.kept
        about, player = np.unique(rows.about, return_inverse=True)
        shares = np.zeros((at.size, about.size))
        place = (np.cumsum(kept) - 1)[at[kept[at]]]
        shares[kept[at]] = self.trees_.shares(rows.values[place], player.astype(np.int32), about.size)
        base = np.full(at.size, self.trees_.base)
        return Contributions(candidates.item_idx[at], features=about.tolist(), of_features=shares, base=base)

    def _rows(self, request: Request, candidates: Candidates) -> CandidateRows:
        rows = self.features(request, candidates.where(candidates.kept))  # it learned from such alone
        differs = names_differ(rows.names, self.names_)
        if differs is not None:
            raise NotFittedError(
                f"{self.name} learned from other features ({differs!r} is in one of the two alone): "
                "fit the pipeline again"
            )
        return rows

    def _require_trees(self) -> None:
        if not len(self.trees_):
            raise NotFittedError(f"{self.name} has not learned from candidates yet: fit the pipeline")

    def with_as_many_trees(self, learned: Self) -> Self:
        """Return this scorer, set to grow the number of trees that `learned` has, and to hold nobody back."""
        same = copy.copy(self)
        same.n_trees, same.patience = len(learned.trees_), 0
        return same

    def learned_from(self, examples: CandidateExamples, before: Self, rng: np.random.Generator) -> Self:
        """Return this scorer with trees grown on `examples`; `before` is it, bound to what was before the cut."""
        examples = examples.of(examples.took)
        if len(examples.request) < FEWEST_PEOPLE:
            raise DataError(
                f"{self.name} has candidates of {len(examples.request)} people who took one to learn from and needs "
                f"{FEWEST_PEOPLE}: retrieve more, cut elsewhere, or use a ModelScorer"
            )
        learned = self._made(self.params(), self.model, ())
        rows = before.features(examples.request, examples.candidates)
        learned.facts_, learned.people_ = self.facts_, self.people_
        learned.trees_ = self._grown(rows.values, examples, rng)
        learned.names_ = rows.names
        return learned

    def _grown(
        self, rows: NDArray[np.float32], examples: CandidateExamples, rng: np.random.Generator
    ) -> GrownTrees:
        lightgbm = require_lightgbm(self.name)
        held_back = self._held_back(len(examples.request), rng)
        size = np.diff(examples.candidates.ptr)
        parts = []
        for people in (~held_back, held_back):
            mine = people[examples.candidates.row]
            label = examples.positive[mine].astype(np.float32)
            parts.append(lightgbm.Dataset(rows[mine], label, group=size[people], params={"verbosity": -1}))
        stops = [lightgbm.early_stopping(self.patience, verbose=False)] if self.patience else []
        booster = lightgbm.train(
            self._settings(int(rng.integers(2**31))),
            parts[0],
            self.n_trees,
            valid_sets=parts[1:] if stops else None,
            callbacks=stops,
        )
        best = booster.best_iteration if stops else self.n_trees
        return GrownTrees.of_text(booster.model_to_string(num_iteration=best))

    def _held_back(self, n: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        """Return bool[n]: whose candidates tell when to stop."""
        held_back = np.zeros(n, bool)
        if self.patience:
            held_back[rng.permutation(n)[: max(1, int(n * _VALIDATION_SHARE))]] = True
        return held_back

    def _settings(self, seed: int) -> dict[str, Any]:
        return {
            "objective": {"lambdarank": "lambdarank", "xendcg": "rank_xendcg"}[self.loss],
            "metric": "ndcg",
            "eval_at": [10],
            "learning_rate": self.learning_rate,
            "num_leaves": self.n_leaves,
            "min_data_in_leaf": self.min_rows,
            "feature_fraction": self.feature_share,
            "bagging_fraction": self.row_share,
            "bagging_freq": int(self.row_share < 1),
            "seed": seed,
            "num_threads": num_threads(),
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }


def require_lightgbm(who: str) -> Any:
    """Return the module `lightgbm`. Raises `MissingExtraError` where it is not installed or cannot be loaded."""
    try:
        import lightgbm  # noqa: PLC0415  an extra
    except ModuleNotFoundError:
        raise MissingExtraError(
            f"{who} needs LightGBM, which is not installed: pip install 'shortlist[ranker]'"
        ) from None
    except OSError as error:
        raise MissingExtraError(
            f"{who} needs LightGBM, which is installed and cannot be loaded ({error}); on Debian and Ubuntu: "
            "apt install libgomp1"
        ) from error
    return lightgbm
