"""shortlist: recommendations from raw interactions to a served and explained list.

Names are imported when they are first used, so that `import shortlist` and the command line start fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shortlist import metrics as metrics
    from shortlist.data import datasets as datasets
    from shortlist.data import split as split
    from shortlist.data.batch import recommend_all as recommend_all
    from shortlist.data.context_columns import with_time_parts as with_time_parts
    from shortlist.data.dataset import Dataset as Dataset
    from shortlist.data.derived_features import DerivedFeatures as DerivedFeatures
    from shortlist.data.event_encoder import EventEncoder as EventEncoder
    from shortlist.data.feature_encoder import FeatureEncoder as FeatureEncoder
    from shortlist.data.features import FeatureTable as FeatureTable
    from shortlist.data.feedback import Feedback as Feedback
    from shortlist.data.import_report import ImportReport as ImportReport
    from shortlist.data.interactions import Interactions as Interactions
    from shortlist.data.labelled_candidates import LabelledCandidates as LabelledCandidates
    from shortlist.data.labelled_candidates import labelled_candidates as labelled_candidates
    from shortlist.data.labels import Labels as Labels
    from shortlist.data.leak_check import leak_check as leak_check
    from shortlist.data.popular_history import PopularHistory as PopularHistory
    from shortlist.data.read import check as check
    from shortlist.data.read import read as read
    from shortlist.data.recommendations import Recommendations as Recommendations
    from shortlist.data.sql import Query as Query
    from shortlist.data.vocabulary import Vocabulary as Vocabulary
    from shortlist.eligibility.age_limit import AgeLimit as AgeLimit
    from shortlist.eligibility.allow_list import AllowList as AllowList
    from shortlist.eligibility.available import Available as Available
    from shortlist.eligibility.content_policy import ContentPolicy as ContentPolicy
    from shortlist.eligibility.deny_category import DenyCategory as DenyCategory
    from shortlist.eligibility.deny_list import DenyList as DenyList
    from shortlist.eligibility.disliked import Disliked as Disliked
    from shortlist.eligibility.hidden import Hidden as Hidden
    from shortlist.eligibility.in_country import InCountry as InCountry
    from shortlist.eligibility.in_stock import InStock as InStock
    from shortlist.eligibility.only_category import OnlyCategory as OnlyCategory
    from shortlist.eligibility.user_blocks import UserBlocks as UserBlocks
    from shortlist.experiments.comparing.compare import compare as compare
    from shortlist.experiments.evaluate import evaluate as evaluate
    from shortlist.experiments.onboarding import Questionnaire as Questionnaire
    from shortlist.experiments.onboarding import onboarding_items as onboarding_items
    from shortlist.experiments.report.report import report as report
    from shortlist.experiments.sweep.sweep import sweep as sweep
    from shortlist.experiments.tuning.tune import tune as tune
    from shortlist.models import k_means as k_means
    from shortlist.models.blend import Blend as Blend
    from shortlist.models.bpr import BPR as BPR
    from shortlist.models.buy_again import BuyAgain as BuyAgain
    from shortlist.models.content_based import ContentBased as ContentBased
    from shortlist.models.deep_fm import DeepFM as DeepFM
    from shortlist.models.ease import EASE as EASE
    from shortlist.models.factorization_machine import FactorizationMachine as FactorizationMachine
    from shortlist.models.feature_mapping import FeatureMapping as FeatureMapping
    from shortlist.models.fitting import Epoch as Epoch
    from shortlist.models.graph_filter import GraphFilter as GraphFilter
    from shortlist.models.item_neighbors import ItemNeighbors as ItemNeighbors
    from shortlist.models.k_means_segments import KMeansSegments as KMeansSegments
    from shortlist.models.linear_on_features import LinearOnFeatures as LinearOnFeatures
    from shortlist.models.matrix_factorization import MatrixFactorization as MatrixFactorization
    from shortlist.models.model import Model as Model
    from shortlist.models.popularity import Popularity as Popularity
    from shortlist.models.pure_svd import PureSVD as PureSVD
    from shortlist.models.rp3beta import RP3beta as RP3beta
    from shortlist.models.softmax_net import SoftmaxNet as SoftmaxNet
    from shortlist.models.two_tower import TwoTower as TwoTower
    from shortlist.models.user_neighbors import UserNeighbors as UserNeighbors
    from shortlist.models.vectors import EmbeddingModel as EmbeddingModel
    from shortlist.models.vectors import UserVectors as UserVectors
    from shortlist.models.wals import WALS as WALS
    from shortlist.pipeline import Pipeline as Pipeline
    from shortlist.registry import load as load
    from shortlist.reranking.boost import Boost as Boost
    from shortlist.reranking.freshness import Freshness as Freshness
    from shortlist.reranking.greedy_map import greedy_map as greedy_map
    from shortlist.reranking.group_terms import Calibration as Calibration
    from shortlist.reranking.group_terms import Exposure as Exposure
    from shortlist.reranking.select import Select as Select
    from shortlist.reranking.similarity_terms import DPP as DPP
    from shortlist.reranking.similarity_terms import MMR as MMR
    from shortlist.retrieval.again import Again as Again
    from shortlist.retrieval.bought_together import BoughtTogether as BoughtTogether
    from shortlist.retrieval.fresh import Fresh as Fresh
    from shortlist.retrieval.index.approximate_index import ApproximateIndex as ApproximateIndex
    from shortlist.retrieval.index.exact_index import ExactIndex as ExactIndex
    from shortlist.retrieval.merge import Merge as Merge
    from shortlist.retrieval.nearest import Nearest as Nearest
    from shortlist.retrieval.next_item import NextItem as NextItem
    from shortlist.retrieval.popular import Popular as Popular
    from shortlist.retrieval.precomputed_lists import PrecomputedLists as PrecomputedLists
    from shortlist.retrieval.related import RelatedToRecent as RelatedToRecent
    from shortlist.retrieval.related_items import RelatedItems as RelatedItems
    from shortlist.retrieval.top_in_group import TopInGroup as TopInGroup
    from shortlist.retrieval.top_in_segment import TopInSegment as TopInSegment
    from shortlist.retrieval.top_in_user_group import TopInUserGroup as TopInUserGroup
    from shortlist.retrieval.trending import Trending as Trending
    from shortlist.scoring.lambda_mart import LambdaMARTScorer as LambdaMARTScorer
    from shortlist.scoring.model_scorer import ModelScorer as ModelScorer
    from shortlist.scoring.objective import Objective as Objective
    from shortlist.stages import Candidates as Candidates
    from shortlist.stages import Request as Request
    from shortlist.threads import num_threads as num_threads
    from shortlist.threads import set_num_threads as set_num_threads

__version__ = "0.1.0"

# name → module that defines it; "" where the name is itself a module
_HOME = {
    "Again": "shortlist.retrieval.again",
    "AgeLimit": "shortlist.eligibility.age_limit",
    "AllowList": "shortlist.eligibility.allow_list",
    "ApproximateIndex": "shortlist.retrieval.index.approximate_index",
    "Available": "shortlist.eligibility.available",
    "BPR": "shortlist.models.bpr",
    "Blend": "shortlist.models.blend",
    "BoughtTogether": "shortlist.retrieval.bought_together",
    "BuyAgain": "shortlist.models.buy_again",
    "Candidates": "shortlist.stages",
    "ContentBased": "shortlist.models.content_based",
    "ContentPolicy": "shortlist.eligibility.content_policy",
    "Dataset": "shortlist.data.dataset",
    "DeepFM": "shortlist.models.deep_fm",
    "DenyCategory": "shortlist.eligibility.deny_category",
    "DenyList": "shortlist.eligibility.deny_list",
    "DerivedFeatures": "shortlist.data.derived_features",
    "Disliked": "shortlist.eligibility.disliked",
    "EASE": "shortlist.models.ease",
    "EmbeddingModel": "shortlist.models.vectors",
    "Epoch": "shortlist.models.fitting",
    "EventEncoder": "shortlist.data.event_encoder",
    "ExactIndex": "shortlist.retrieval.index.exact_index",
    "FactorizationMachine": "shortlist.models.factorization_machine",
    "FeatureEncoder": "shortlist.data.feature_encoder",
    "FeatureMapping": "shortlist.models.feature_mapping",
    "FeatureTable": "shortlist.data.features",
    "Feedback": "shortlist.data.feedback",
    "Fresh": "shortlist.retrieval.fresh",
    "GraphFilter": "shortlist.models.graph_filter",
    "Hidden": "shortlist.eligibility.hidden",
    "ImportReport": "shortlist.data.import_report",
    "InCountry": "shortlist.eligibility.in_country",
    "InStock": "shortlist.eligibility.in_stock",
    "Interactions": "shortlist.data.interactions",
    "ItemNeighbors": "shortlist.models.item_neighbors",
    "KMeansSegments": "shortlist.models.k_means_segments",
    "LabelledCandidates": "shortlist.data.labelled_candidates",
    "Labels": "shortlist.data.labels",
    "LinearOnFeatures": "shortlist.models.linear_on_features",
    "MatrixFactorization": "shortlist.models.matrix_factorization",
    "Merge": "shortlist.retrieval.merge",
    "Model": "shortlist.models.model",
    "ModelScorer": "shortlist.scoring.model_scorer",
    "Boost": "shortlist.reranking.boost",
    "Calibration": "shortlist.reranking.group_terms",
    "Exposure": "shortlist.reranking.group_terms",
    "DPP": "shortlist.reranking.similarity_terms",
    "MMR": "shortlist.reranking.similarity_terms",
    "Freshness": "shortlist.reranking.freshness",
    "Select": "shortlist.reranking.select",
    "LambdaMARTScorer": "shortlist.scoring.lambda_mart",
    "Objective": "shortlist.scoring.objective",
    "Nearest": "shortlist.retrieval.nearest",
    "NextItem": "shortlist.retrieval.next_item",
    "OnlyCategory": "shortlist.eligibility.only_category",
    "Pipeline": "shortlist.pipeline",
    "Popular": "shortlist.retrieval.popular",
    "PopularHistory": "shortlist.data.popular_history",
    "Popularity": "shortlist.models.popularity",
    "PrecomputedLists": "shortlist.retrieval.precomputed_lists",
    "PureSVD": "shortlist.models.pure_svd",
    "Query": "shortlist.data.sql",
    "Questionnaire": "shortlist.experiments.onboarding",
    "RP3beta": "shortlist.models.rp3beta",
    "Recommendations": "shortlist.data.recommendations",
    "RelatedItems": "shortlist.retrieval.related_items",
    "RelatedToRecent": "shortlist.retrieval.related",
    "Request": "shortlist.stages",
    "SoftmaxNet": "shortlist.models.softmax_net",
    "TopInGroup": "shortlist.retrieval.top_in_group",
    "TopInSegment": "shortlist.retrieval.top_in_segment",
    "TopInUserGroup": "shortlist.retrieval.top_in_user_group",
    "Trending": "shortlist.retrieval.trending",
    "TwoTower": "shortlist.models.two_tower",
    "UserBlocks": "shortlist.eligibility.user_blocks",
    "UserNeighbors": "shortlist.models.user_neighbors",
    "UserVectors": "shortlist.models.vectors",
    "Vocabulary": "shortlist.data.vocabulary",
    "WALS": "shortlist.models.wals",
    "check": "shortlist.data.read",
    "compare": "shortlist.experiments.comparing.compare",
    "evaluate": "shortlist.experiments.evaluate",
    "greedy_map": "shortlist.reranking.greedy_map",
    "labelled_candidates": "shortlist.data.labelled_candidates",
    "leak_check": "shortlist.data.leak_check",
    "load": "shortlist.registry",
    "num_threads": "shortlist.threads",
    "onboarding_items": "shortlist.experiments.onboarding",
    "read": "shortlist.data.read",
    "recommend_all": "shortlist.data.batch",
    "report": "shortlist.experiments.report.report",
    "set_num_threads": "shortlist.threads",
    "sweep": "shortlist.experiments.sweep.sweep",
    "tune": "shortlist.experiments.tuning.tune",
    "with_time_parts": "shortlist.data.context_columns",
}
_MODULES = {
    "datasets": "shortlist.data.datasets",
    "errors": "shortlist.errors",
    "k_means": "shortlist.models.k_means",
    "metrics": "shortlist.metrics",
    "split": "shortlist.data.split",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        value: Any = import_module(_MODULES[name])
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'shortlist' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(["__version__", *_HOME, *_MODULES])
