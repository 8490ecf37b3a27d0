"""Pipeline: the only place where the stages meet.

Rules say what may be shown, sources propose of that, one scorer puts every candidate on one scale, adjustments change
the order.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np

from shortlist import artifacts, explanations
from shortlist.artifacts import State
from shortlist.data.memory import Limits, Memory
from shortlist.data.recommendations import Recommendations
from shortlist.data.removal import Removal
from shortlist.data.session import session_of
from shortlist.eligibility.audit import audit_of
from shortlist.eligibility.contradictions import require_consistent
from shortlist.eligibility.fresh_items import with_items
from shortlist.eligibility.within_rules import within_rules
from shortlist.errors import NotFittedError, ParameterError
from shortlist.models.answers import answer, as_ids, require_context, require_folded, require_users
from shortlist.models.bound_stages import (
    bound,
    fitted_on,
    flat,
    loaded,
    models_of,
    require_distinct,
    saved,
    uses_of,
)
from shortlist.models.fitting import require_dataset
from shortlist.models.model import artifact_info
from shortlist.models.people import people_of, request_for
from shortlist.models.vectors import UserVectors
from shortlist.parameters import generator
from shortlist.privacy import classes_of, require_histories
from shortlist.reranking.chain import UNSCORED, adjusted, chooser, finite, listed, pins_within
from shortlist.retrieval.merge import Merge
from shortlist.retrieval.pinned import with_pinned
from shortlist.retrieval.popular import Popular
from shortlist.scorer_training import taught
from shortlist.stages import Candidates, ChoosesLists, LearnsFromCandidates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from shortlist.data.audit_frame import Frame
    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureKind, FeatureTable
    from shortlist.data.memory import Moment, OnUnknown
    from shortlist.data.vocabulary import Id, Ids
    from shortlist.models.fitting import OnEpoch
    from shortlist.models.model import Model
    from shortlist.stages import Adjustment, CandidateSource, EligibilityRule, Lists, Request, Scorer

# A rule's code is an int8, and a request has three of its own.
MOST_RULES = 100


@final
class Pipeline:
    """Retrieval, scoring and re-ranking as one object with the contract of a model.

    - sources: what proposes candidates (`Nearest`, `RelatedToRecent`, `Popular`, or anything with the methods of
      `stages.CandidateSource`)
    - scorer: gives every candidate a value on one scale (`ModelScorer`, or a `stages.Scorer`)
    - rerank: `stages.Adjustment`s, applied to the scores in this order, and at last a `Select`, which chooses the list
    - rules: what may not be shown (`stages.EligibilityRule`s, at most 100); sources search what they leave, and the
      popular items that a stranger gets are sifted, too
    - merge: how many of the proposals go on to the scorer, and from which source; all of them by default

    `fit` never changes what it is given: models are cloned and the clones fitted, each distinct object once, unless
    it is already fitted on the very same data. Fitted parts stand in `sources_`, `scorer_`, `rules_`, `models_`.
    """

    sources_: tuple[CandidateSource, ...]
    rules_: tuple[EligibilityRule, ...]
    rerank_: tuple[Any, ...]  # adjustments, and at last a `Select` where there is one
    scorer_: Any  # a `Scorer`; what else it has, a `ModelScorer` its model, is its own
    models_: tuple[Model, ...]
    memory_: Memory
    user_kinds_: Mapping[str, FeatureKind]
    seed_: int | None

    def __init__(
        self,
        sources: Sequence[CandidateSource],
        scorer: Scorer,
        rerank: Sequence[Adjustment | ChoosesLists] = (),
        *,
        rules: Sequence[EligibilityRule] = (),
        merge: Merge | None = None,
    ) -> None:
        if not sources:
            raise ParameterError("a pipeline needs at least one source of candidates")
        if len(rules) > MOST_RULES:
            raise ParameterError(f"{len(rules)} rules: a pipeline has at most {MOST_RULES}")
        require_distinct(sources, "source")
        require_distinct(rules, "rule")
        require_distinct((scorer, *rerank), "step")
        require_consistent(rules)
        self.sources = tuple(sources)
        self.scorer = scorer
        self.rerank = tuple(rerank)
        if any(isinstance(step, ChoosesLists) for step in self.rerank[:-1]):
            raise ParameterError(
                "Select chooses the list, so it is the last step of rerank, and there is one at most"
            )
        self.rules = tuple(rules)
        self.merge = merge or Merge()
        self.merge.check([source.name for source in sources])

    def unfitted(self, **changes: Any) -> Pipeline:
        """Return a pipeline of the same stages that is not fitted, with `changes` of the constructor's parameters."""
        given = {name: getattr(self, name) for name in ("sources", "scorer", "rerank", "rules", "merge")}
        return Pipeline(**given | changes)

    def fit(
        self,
        dataset: Dataset,
        *,
        rng: np.random.Generator | int | None = None,
        start: Self | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Fit every model that the stages use on `dataset` and return self. Raises what the models raise.

        - start: a fitted pipeline (this very one, say) to take over from: each model starts at the one in its place
          there, as `Model.fit` does, so there must be as many, of the same classes in the same order
        - on_epoch: called with an `Epoch` after each epoch of each model in turn; its `model` is the model being
          fitted, its number counts that model's epochs

        A fit that does not come to its end leaves the pipeline as it was before. Raises `ParameterError` and
        `NotFittedError` for a `start` that does not match.
        """
        require_dataset(dataset)
        drawn_from = generator(rng)
        given = self._given()
        if start is not None:
            self.check_start(start)
        starts = [None] * len(given) if start is None else start.models_
        fitted = {
            key: fitted_on(model, dataset, drawn_from, begin, on_epoch)
            for (key, model), begin in zip(given.items(), starts, strict=True)
        }
        self.__dict__.update(  # all at once, so that nothing can come between
            models_=tuple(fitted.values()),
            **self._bound_stages(dataset, fitted, drawn_from),
            memory_=dataset.memory,
            user_kinds_={} if dataset.user_features is None else dict(dataset.user_features.kinds),
            seed_=int(rng) if isinstance(rng, int | np.integer) else None,
        )
        return self

    def _bound_stages(
        self, dataset: Dataset, fitted: Mapping[int, Model], rng: np.random.Generator
    ) -> dict[str, Any]:
        """Return the fitted stages by the name of their attribute; a scorer that learns from candidates has learned."""
        scorer = bound(self.scorer, dataset, fitted)
        if isinstance(scorer, LearnsFromCandidates):
            scorer = taught(self, scorer, dataset, rng)
        default = self._default_model(fitted)
        return {
            "sources_": tuple(bound(source, dataset, fitted) for source in self.sources),
            "rules_": tuple(bound(rule, dataset, fitted) for rule in self.rules),
            "scorer_": scorer,
            "rerank_": tuple(bound(step, dataset, fitted, default) for step in self.rerank),
        }

    def _default_model(self, fitted: Mapping[int, Model]) -> Model | None:
        """Return the model by whose vectors items are compared where nothing else is said."""
        stages = flat((self.scorer, *self.sources))
        models = (fitted[id(stage.model)] for stage in stages if stage.model is not None)
        return next((model for model in models if model.has_item_vectors), None)

    def check_start(self, start: object) -> None:
        """Raise `ParameterError` or `NotFittedError` unless `fit` may start from `start`, whatever the data."""
        if not isinstance(start, Pipeline):
            raise ParameterError(f"start must be a fitted Pipeline, got {start!r}")
        if not start.is_fitted:
            raise NotFittedError("start is a Pipeline that is not fitted; fit it first, or leave start out")
        models = list(self._given().values())
        here, there = ([type(model).__name__ for model in some] for some in (models, start.models_))
        if here != there:
            raise ParameterError(
                f"start has the models {', '.join(there)}, this pipeline {', '.join(here)}: "
                "they must be of the same classes in the same order; fit without start"
            )
        for model, begin in zip(models, start.models_, strict=True):
            model.check_start(begin)

    @property
    def is_fitted(self) -> bool:
        """Return whether `fit` has been called."""
        return hasattr(self, "memory_")

    def recommend(
        self,
        users: Id | Iterable[Id],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        items: Iterable[Id] | None = None,
        exclude: Iterable[Id] | None = None,
        at: Moment | None = None,
        context: Mapping[str, Any] | None = None,
        on_unknown: OnUnknown = "raise",
    ) -> Recommendations:
        """Return at most `k` items for each user, best first, with reasons and trace; parameters as `Model.recommend`.

        Raises `NonFiniteError` naming the stage whose scores are not finite.
        """
        self._require_ready(context)
        if isinstance(users, UserVectors):
            raise ParameterError(
                "a pipeline takes user ids; for people who are not in the data, call recommend_for"
            )
        user_ids = as_ids(users)
        limits = Limits(exclude_seen, items, exclude, at)
        request = self.memory_.request(self.memory_.users.index_of(user_ids), k, limits, context=context)
        require_histories(self, request.user_idx)
        known = (request.user_idx >= 0) & self.scorer_.knows(request)
        if on_unknown == "raise":
            require_users(self.memory_, user_ids, request.user_idx, known)
        return self._answered(user_ids, request, known, on_unknown)

    def recommend_for(
        self,
        events: Dataset | None = None,
        *,
        features: FeatureTable | None = None,
        k: int = 10,
        exclude_seen: bool = True,
        items: Iterable[Id] | None = None,
        exclude: Iterable[Id] | None = None,
        at: Moment | None = None,
        context: Mapping[str, Any] | None = None,
        on_unknown: OnUnknown = "fallback",
    ) -> Recommendations:
        """Return at most `k` items for each of some people who are not in the data, best first, with reasons and trace.

        - events: what they did; items are matched by id, and those that are not in the data are left out. All events
          count unless `at` is given. Ids need not be new: of what the data have of them nothing is used
        - features: what is known of them, one row a person, in columns of the data's user features; those of `events`
          where None. The people are all users of both
        - on_unknown: of whom the scorer has nothing to say. "fallback": the proposals of the sources in the order of
          their turns (`Merge`) with the score 1 / turn, whose ids are then in `.in_turn`, and where no source proposes
          anything the popular items (`.fallback`); "skip": no list; "raise": an error
        - all else as in `recommend`

        Each model folds them in where it can, by events or features (`Model.folds_in`). Sources and rules go by the
        history, the features and these vectors. Where fold-in is exact, somebody with the events of a user of the data
        gets the list of that user.
        Raises `DataError` unless the values mean what they did in training, `UnknownIdError`, `ParameterError`.
        """
        self._require_ready(context)
        people = people_of(events, features, self.memory_, self.user_kinds_)
        limits = Limits(exclude_seen, items, exclude, at)
        return self._for_people(people, k, limits, context, on_unknown)

    def recommend_session(
        self,
        session: Iterable[Id],
        k: int = 10,
        *,
        features: Mapping[str, Any] | None = None,
        exclude_seen: bool = True,
        items: Iterable[Id] | None = None,
        exclude: Iterable[Id] | None = None,
        at: Moment | None = None,
        context: Mapping[str, Any] | None = None,
        skip_unknown: bool = False,
    ) -> Recommendations:
        """Return at most `k` items for somebody of whom only a session is known, best first, with reasons and trace.

        - session: items that they like, the oldest first; each counts as a positive event of now. May be empty
        - features: what is known of them by the name of a user feature of the data, {"country": "France"}
        - skip_unknown: leave items of the session out that are not in the data, which raise `UnknownIdError` otherwise

        The one user of the answer is called "session". All else as in `recommend_for`.
        """
        self._require_ready(context)
        limits = Limits(exclude_seen, items, exclude, at)
        person = session_of(
            session, features, self.memory_, self.user_kinds_, at=at, skip_unknown=skip_unknown
        )
        return self._for_people(person, k, limits, context, "fallback")

    def _for_people(
        self,
        people: Dataset,
        k: int,
        limits: Limits,
        context: Mapping[str, Any] | None,
        on_unknown: OnUnknown,
    ) -> Recommendations:
        request = request_for(people, self.models_, self.memory_, k, limits, context)
        known = self.scorer_.knows(request)
        if on_unknown == "raise":
            require_folded(people.users.ids, known)
        return self._answered(people.users.ids, request, known, on_unknown, in_turn=on_unknown == "fallback")

    def _answered(
        self,
        user_ids: Ids,
        request: Request,
        known: NDArray[np.bool_],
        on_unknown: OnUnknown,
        *,
        in_turn: bool = False,
    ) -> Recommendations:
        """Return the lists; those of unknown people are, `in_turn`, what the sources propose in the order of turns."""
        parts, kept = [], np.zeros(len(request), np.int64)
        for rows, part in self._alike(request):
            # A frame library takes longer to gather one id than a kernel to choose a list.
            ids = user_ids if rows.size == len(request) else user_ids.gather(rows)
            listed_here = known[rows]
            candidates = self._candidates(part, listed_here, in_turn=in_turn)
            if in_turn:
                proposed = candidates.kept & (candidates.source_rank > 0).any(axis=1)
                listed_here = listed_here | (np.bincount(candidates.row[proposed], minlength=len(part)) > 0)
            best, candidates = listed(self.rerank_, part, candidates)
            kept[rows] = np.bincount(candidates.row[candidates.kept], minlength=len(part))
            shown = answer(self.memory_, ids, part, best, listed_here, on_unknown, popular=self._popular())
            turned = np.flatnonzero(listed_here & ~known[rows])
            unscored = frozenset(ids.gather(turned).to_list() if turned.size else ())
            parts.append((rows, replace(shown, candidates=candidates, in_turn=unscored)))
        shown = parts[0][1] if len(parts) == 1 else Recommendations.joined(user_ids, parts)
        return replace(
            shown,
            shortfalls=explanations.shortfalls(self, shown, kept) if shown.shortfalls else shown.shortfalls,
            reason_of=partial(explanations.reasons, self, request),
            explain_of=partial(explanations.explained_list, self, request),
            effects_of=partial(explanations.effects_on_list, self, request),
            notes_of=partial(explanations.notes, self, request),
            objective=getattr(self.scorer_, "says", None),
            chosen_by=getattr(chooser(self.rerank_), "says", None),
        )

    def _alike(self, request: Request) -> Iterable[tuple[NDArray[np.int64], Request]]:
        """Return the parts of the request whose users share one mask, in order within a part: (rows, part)."""
        if not self.rules_:
            return [(np.arange(len(request)), request)]
        return within_rules(request, self.rules_)

    def _popular(self) -> Callable[[Request], Lists] | None:
        """Return what ranks items for strangers: the first `Popular` source, None where there is none."""
        return next(
            (source.model.most_popular for source in self.sources_ if isinstance(source, Popular)), None
        )

    def candidates(self, request: Request) -> Candidates:
        """Return all candidates of a request (users unknown to the scorer have none): proposed, sifted and scored."""
        self._require_fitted()
        known = ((request.user_idx >= 0) | bool(request.people)) & self.scorer_.knows(request)
        parts = [(rows, self._candidates(part, known[rows])) for rows, part in self._alike(request)]
        return parts[0][1] if len(parts) == 1 else Candidates.joined(parts, len(request))

    def _candidates(self, request: Request, known: NDArray[np.bool_], *, in_turn: bool = False) -> Candidates:
        """Return the scored candidates of known users; of the others none or, `in_turn`, the order of turns."""
        if known.all():
            return self._scored(request)
        scored, others = np.flatnonzero(known), np.flatnonzero(~known)
        parts = [(scored, self._scored(request.rows(scored)))]
        if in_turn:
            parts.append((others, self._in_turn(request.rows(others))))
        return Candidates.joined(parts, len(request))

    def _scored(self, request: Request) -> Candidates:
        merged = self.merge(self._proposals(request), request)
        merged = with_pinned(merged, request, pins_within(self.rerank_, request.k))
        merged = self._without(merged, ~self.scorer_.can_score(request, merged))
        score = finite(self.scorer_.score(request, merged), self.scorer_)
        return self._adjusted(request, replace(merged, score=score))

    def _in_turn(self, request: Request) -> Candidates:
        merged = self.merge.in_turn(self._proposals(request), request)
        somebody = np.bincount(merged.row[merged.kept], minlength=len(request)) > 0
        merged = with_pinned(merged, request, pins_within(self.rerank_, request.k), somebody)
        return self._adjusted(request, self._without(merged, np.zeros(merged.score.size, bool)))

    def _proposals(self, request: Request) -> list[Candidates]:
        return [source.propose(request) for source in self.sources_]

    def _without(self, merged: Candidates, silent: NDArray[np.bool_]) -> Candidates:
        """Return the candidates, those that the scorer is silent about removed."""
        return merged.remove(silent.astype(np.int8), (f"{UNSCORED} {self.scorer_.name}",))

    def _adjusted(self, request: Request, scored: Candidates) -> Candidates:
        return adjusted(self.rerank_, request, scored, self.scorer_.name)

    def with_items(self, table: FeatureTable | Dataset) -> Self:
        """Return this fitted pipeline with rules that go by newer features of items; it is not changed itself.

        - table: a row for each item; one that has no row has no values. A rule of whose columns `table` has none stays
          as it is. The models, and sources that go by features, stay as they were fitted

        Raises `UnknownIdError` for items that are not in the data, `DataError` where `table` has some but not all of
        the columns of a rule, or no column that a rule goes by. Cost: that of preparing the rules, no fit.
        """
        self._require_fitted()
        renewed = copy.copy(self)
        renewed.rules_ = with_items(self.rules_, table, self.memory_)
        return renewed

    def audit(self) -> Frame:
        """Return one row for each item that a safety rule refuses to everybody: what refuses it, for the record.

        Columns: item_id, title (where known), rule, column, value ("missing": the attribute is not known, and safety
        rules deny that). A frame, to be kept with `.write_csv` or `.write_ndjson`; empty where nothing is refused.
        """
        self._require_fitted()
        return audit_of(self.rules_, self.memory_)

    def save(self, path: str | Path, *, histories: bool = True) -> Path:
        """Save the fitted pipeline as an artifact (a folder) and return its path; `shortlist.load` reads it.

        With histories=False it holds nobody's events (docs/concepts/privacy.md says what works then). Raises
        `ArtifactError` when a stage is not one of shortlist's own, or the folder cannot be written, and with
        histories=False `ParameterError` where a model is nothing but histories, naming it.
        """
        self._require_fitted()
        memory = self.memory_ if histories else self.memory_.without_histories()
        return artifacts.write(path, self.to_state(histories=histories), artifact_info(memory, self.seed_))

    def without_users(self, users: Id | Iterable[Id]) -> Self:
        """Return a fitted pipeline without `users` (ids); this one stays as it is.

        Their ids, events, vectors and what rules and sources hold of them are gone; everybody else's lists are what
        they were at the same moment, but for what is counted anew (`Trending`; first events in `Fresh`, `Freshness`)
        or comes from the events of other people (`UserNeighbors`). What items' parameters learned from the removed
        people stays until the next fit. Raises `UnknownIdError`, `ParameterError` where nobody would be left,
        `ArtifactError` where a stage is not one of shortlist's own.
        """
        self._require_fitted()
        removal = Removal.of(self.memory_, users)
        return type(self).from_state(self.to_state(removal=removal), classes_of(self).__getitem__)

    def to_state(self, *, histories: bool = True, removal: Removal | None = None) -> State:
        """Return the state: one memory, each model once, and the stages with the position of their model.

        histories: False leaves everybody's events out; removal: leaves some people out.
        """
        self._require_fitted()
        stages = (*self.sources_, *self.rules_, self.scorer_, *self.rerank_)
        memory = self.memory_ if removal is None else removal.memory
        parts = {"memory": (memory if histories else memory.without_histories()).to_state()}
        parts |= {
            f"model.{m}": model.to_state(with_memory=False, histories=histories, removal=removal)
            for m, model in enumerate(self.models_)
        }
        parts |= saved(stages, histories=histories, removal=removal)
        uses = uses_of(stages, self.models_)
        values = {
            "n_models": len(self.models_),
            "n_sources": len(self.sources_),
            "n_rules": len(self.rules_),
            "merge": self.merge.to_values(),
            "user_kinds": dict(self.user_kinds_),
            "uses": uses,
            "seed": self.seed_,
        }
        return State("Pipeline", values, {}, parts)

    @classmethod
    def from_state(cls, state: State, class_of: Callable[[str], Any]) -> Self:
        """Return the fitted pipeline that `to_state` described; `class_of` finds a class by its name."""
        values, parts = state.values, state.parts
        memory = Memory.from_state(parts["memory"])
        saved = [parts[f"model.{m}"] for m in range(values["n_models"])]
        models = tuple(class_of(part.type).from_state(part, memory, class_of) for part in saved)
        uses = [None if m is None else models[m] for m in values["uses"]]
        stages = loaded(parts, uses, class_of)
        rules = values["n_sources"]
        scorer = rules + values["n_rules"]
        pipeline = cls(
            stages[:rules],
            stages[scorer],
            stages[scorer + 1 :],
            rules=stages[rules:scorer],
            merge=Merge.from_values(values["merge"]),
        )
        pipeline.sources_, pipeline.rules_ = pipeline.sources, pipeline.rules
        pipeline.scorer_, pipeline.rerank_ = pipeline.scorer, pipeline.rerank
        pipeline.models_, pipeline.memory_, pipeline.seed_ = models, memory, values["seed"]
        pipeline.user_kinds_ = values["user_kinds"]
        return pipeline

    def _given(self) -> dict[int, Model]:
        """Return each distinct model of the stages, in the order of its first use, by its `id`."""
        return models_of((*self.sources, *self.rules, self.scorer, *self.rerank))

    def _require_ready(self, context: Mapping[str, Any] | None) -> None:
        """Raise `NotFittedError` before `fit`, `ParameterError` for context that no model goes by."""
        self._require_fitted()
        columns = {name for model in self.models_ for name in model.context_columns}
        require_context(context, sorted(columns), "this pipeline")

    def _require_fitted(self) -> None:
        if not self.is_fitted:
            raise NotFittedError("this Pipeline is not fitted; call fit(dataset) first")

    def __repr__(self) -> str:
        shown = {"sources": self.sources, "scorer": self.scorer, "rerank": self.rerank, "rules": self.rules}
        shown |= {"merge": self.merge} if self.merge != Merge() else {}
        parts = (
            f"{name}={list(part) if isinstance(part, tuple) else part!r}"
            for name, part in shown.items()
            if part
        )
        return f"Pipeline({', '.join(parts)})"
