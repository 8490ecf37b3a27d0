"""The one table of classes that can be named in a configuration and loaded from an artifact."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from shortlist import artifacts
from shortlist.errors import ArtifactError
from shortlist.pipeline import Pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from shortlist.models.model import Model

MODELS = {
    "BPR": "shortlist.models.bpr:BPR",
    "Blend": "shortlist.models.blend:Blend",
    "BuyAgain": "shortlist.models.buy_again:BuyAgain",
    "ContentBased": "shortlist.models.content_based:ContentBased",
    "DeepFM": "shortlist.models.deep_fm:DeepFM",
    "EASE": "shortlist.models.ease:EASE",
    "FactorizationMachine": "shortlist.models.factorization_machine:FactorizationMachine",
    "FeatureMapping": "shortlist.models.feature_mapping:FeatureMapping",
    "GraphFilter": "shortlist.models.graph_filter:GraphFilter",
    "ItemNeighbors": "shortlist.models.item_neighbors:ItemNeighbors",
    "KMeansSegments": "shortlist.models.k_means_segments:KMeansSegments",
    "LinearOnFeatures": "shortlist.models.linear_on_features:LinearOnFeatures",
    "MatrixFactorization": "shortlist.models.matrix_factorization:MatrixFactorization",
    "Popularity": "shortlist.models.popularity:Popularity",
    "PureSVD": "shortlist.models.pure_svd:PureSVD",
    "RP3beta": "shortlist.models.rp3beta:RP3beta",
    "SoftmaxNet": "shortlist.models.softmax_net:SoftmaxNet",
    "TwoTower": "shortlist.models.two_tower:TwoTower",
    "UserNeighbors": "shortlist.models.user_neighbors:UserNeighbors",
    "WALS": "shortlist.models.wals:WALS",
}
SOURCES = {
    "Again": "shortlist.retrieval.again:Again",
    "BoughtTogether": "shortlist.retrieval.bought_together:BoughtTogether",
    "Fresh": "shortlist.retrieval.fresh:Fresh",
    "Nearest": "shortlist.retrieval.nearest:Nearest",
    "NextItem": "shortlist.retrieval.next_item:NextItem",
    "Popular": "shortlist.retrieval.popular:Popular",
    "PrecomputedLists": "shortlist.retrieval.precomputed_lists:PrecomputedLists",
    "RelatedToRecent": "shortlist.retrieval.related:RelatedToRecent",
    "TopInGroup": "shortlist.retrieval.top_in_group:TopInGroup",
    "TopInSegment": "shortlist.retrieval.top_in_segment:TopInSegment",
    "TopInUserGroup": "shortlist.retrieval.top_in_user_group:TopInUserGroup",
    "Trending": "shortlist.retrieval.trending:Trending",
}
RULES = {
    "AgeLimit": "shortlist.eligibility.age_limit:AgeLimit",
    "AllowList": "shortlist.eligibility.allow_list:AllowList",
    "Available": "shortlist.eligibility.available:Available",
    "ContentPolicy": "shortlist.eligibility.content_policy:ContentPolicy",
    "DenyCategory": "shortlist.eligibility.deny_category:DenyCategory",
    "DenyList": "shortlist.eligibility.deny_list:DenyList",
    "Disliked": "shortlist.eligibility.disliked:Disliked",
    "Hidden": "shortlist.eligibility.hidden:Hidden",
    "InCountry": "shortlist.eligibility.in_country:InCountry",
    "InStock": "shortlist.eligibility.in_stock:InStock",
    "OnlyCategory": "shortlist.eligibility.only_category:OnlyCategory",
    "UserBlocks": "shortlist.eligibility.user_blocks:UserBlocks",
}
SCORERS = {
    "LambdaMARTScorer": "shortlist.scoring.lambda_mart:LambdaMARTScorer",
    "ModelScorer": "shortlist.scoring.model_scorer:ModelScorer",
    "Objective": "shortlist.scoring.objective:Objective",
}
RERANK = {
    "Boost": "shortlist.reranking.boost:Boost",
    "Freshness": "shortlist.reranking.freshness:Freshness",
    "Select": "shortlist.reranking.select:Select",
}
TERMS = {
    "Calibration": "shortlist.reranking.group_terms:Calibration",
    "DPP": "shortlist.reranking.similarity_terms:DPP",
    "Exposure": "shortlist.reranking.group_terms:Exposure",
    "MMR": "shortlist.reranking.similarity_terms:MMR",
}
CLASSES = MODELS | SOURCES | RULES | SCORERS | RERANK | TERMS


def class_of(name: str) -> Any:
    """Return the class that the table calls `name`. Raises `ArtifactError` for a name that is not in it."""
    if name not in CLASSES:
        raise ArtifactError(
            f"unknown class {name!r}; this version of shortlist knows {', '.join(sorted(CLASSES))}"
        )
    module, attribute = CLASSES[name].split(":")
    return getattr(import_module(module), attribute)


def load(path: str | Path) -> Model | Pipeline:
    """Return the model or pipeline saved at `path`, with the ids, histories and parameters it was saved with.

    Every checksum is verified. Raises `ArtifactError` for a missing, truncated, altered or newer-format artifact.
    """
    state, _ = artifacts.read(path)
    # Arrays and values are what was saved; but a program older or newer than this one may have saved others.
    try:
        if state.type == "Pipeline":
            return Pipeline.from_state(state, class_of)
        loaded: Model = class_of(state.type).from_state(state, class_of=class_of)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{path} was saved by another version of shortlist ({error!r}); fit again"
        ) from error
    return loaded
