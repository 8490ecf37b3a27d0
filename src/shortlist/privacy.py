"""What a fitted pipeline holds of people, and whether it can answer without their histories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.errors import ParameterError
from shortlist.models.bound_stages import flat
from shortlist.models.model import Model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shortlist.models.stage import Stage
    from shortlist.pipeline import Pipeline

STAYS = (
    "what the parameters of items learned from them stays until the next fit; "
    "files written before (recommend --all, exports, backups) are not changed"
)


def require_histories(pipeline: Pipeline, user_idx: NDArray[np.int32]) -> None:
    """Raise `ParameterError` where users of the data are asked for, of whom the artifact has no histories.

    Only where a rule, the scorer or a step of re-ranking goes by them, which is named. Sources that do propose nothing
    then, as for a newcomer.
    """
    if pipeline.memory_.has_histories or not (user_idx >= 0).any():
        return
    found = by_history(pipeline)
    if found:
        raise ParameterError(
            f"this artifact was saved without histories, and {', '.join(found)} would go by those of its users: "
            "hand their events in, with recommend_for or recommend_session"
        )


def require_separable(recommender: Model | Pipeline) -> None:
    """Raise `ParameterError` where a recommender, fitted or not, cannot be saved without histories, naming what."""
    if isinstance(recommender, Model):
        recommender.require_more_than_past()
        recommender.require_separable()
        return
    given = (*recommender.sources, *recommender.rules, recommender.scorer, *recommender.rerank)
    for stage in flat(given):
        if stage.model is not None:
            stage.model.require_separable()


def by_history(pipeline: Pipeline) -> list[str]:
    """Return the names of the fitted rules, scorer and steps of re-ranking that go by people's histories."""
    asked: list[Stage] = flat((*pipeline.rules_, *pipeline.rerank_))
    scorers = flat((pipeline.scorer_,))
    names = [stage.name for stage in (*asked, *scorers) if stage.goes_by_history]
    names += [
        f"{stage.name} ({type(stage.model).__name__})"
        for stage in scorers
        if stage.model is not None and stage.model.knows_by_history
    ]
    return list(dict.fromkeys(names))


def classes_of(pipeline: Pipeline) -> dict[str, type]:
    """Return the classes of a fitted pipeline's models and stages, by name."""
    models = [deep for model in pipeline.models_ for deep in model.with_models_within()]
    stages = flat((*pipeline.sources_, *pipeline.rules_, pipeline.scorer_, *pipeline.rerank_))
    return {type(part).__name__: type(part) for part in (*models, *stages)}
