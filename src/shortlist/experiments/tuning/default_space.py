"""What is searched where nothing else is said: the parameters of each model and source that decide its quality most.

Of sources what they propose, not how much: more is always found, and costs time; their sizes are to be named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.errors import ParameterError
from shortlist.experiments.tuning.search_space import Choices, Dimension, Range

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shortlist.data.dataset import Dataset
    from shortlist.experiments.tuning.parts import Builder, Parts
    from shortlist.experiments.tuning.search_space import Space

# Every model of the registry has a row, and a source with more than sizes; the constructors' defaults lie within.
DEFAULTS: Mapping[str, Mapping[str, Dimension]] = {
    "Blend": {},  # its weights are found when it is fitted, its models have rows of their own
    "BPR": {
        "learning_rate": Range(0.01, 0.5, log=True),
        "user_reg": Range(1e-4, 0.1, log=True),
        "item_reg": Range(1e-4, 0.1, log=True),
        "dim": Range(8, 256, log=True, whole=True),
        "sampler": Choices(("uniform", "popularity", "dynamic")),
        "n_epochs": Range(10, 200, log=True, whole=True),
    },
    "BuyAgain": {
        "half_life_days": Range(7.0, 3000.0, log=True),
        "repeat_rates": Choices((True, False)),
        "shrinkage": Range(1.0, 500.0, log=True),
    },
    "ContentBased": {
        "measure": Choices(("cosine", "dot")),
    },
    "DeepFM": {
        "dim": Range(4, 64, log=True, whole=True),
        "reg": Range(1e-4, 0.3, log=True),
        "dropout": Range(0.0, 0.5),
        "learning_rate": Range(3e-4, 0.03, log=True),
    },
    "EASE": {
        "reg": Range(10.0, 2000.0, log=True),
    },
    # Gibbs sampling, the default solver, finds its penalties itself.
    "FactorizationMachine": {"dim": Range(4, 32, log=True, whole=True)},
    "GraphFilter": {
        "user_exponent": Range(0.3, 1.2),
        "item_exponent": Range(0.0, 0.8),
        "target_exponent": Range(0.0, 0.8),
        "low_pass": Range(0.01, 1.0, log=True),
    },
    "PureSVD": {
        "dim": Range(4, 256, log=True, whole=True),
        "item_exponent": Range(0.0, 1.2),
    },
    "KMeansSegments": {
        "n_segments": Range(2, 64, log=True, whole=True),
        "dim": Range(4, 64, log=True, whole=True),
        "shrinkage": Range(1.0, 100.0, log=True),
    },
    "WALS": {
        "unobserved_weight": Range(1e-3, 3.0, log=True),
        "reg": Range(1e-4, 1.0, log=True),
        "reg_exponent": Range(0.0, 1.0),
        "item_weight_exponent": Range(0.0, 0.8),
        "dim": Range(16, 1024, log=True, whole=True),
    },
    "FeatureMapping": {  # its model has a row of its own
        "reg": Range(0.1, 100.0, log=True),
        "user_reg": Range(0.1, 100.0, log=True),
        "boost": Range(0.5, 8.0, log=True),
    },
    "ItemNeighbors": {
        "n_neighbors": Range(10, 500, log=True, whole=True),
        "shrinkage": Range(1.0, 300.0, log=True),
    },
    "LinearOnFeatures": {
        "reg": Range(0.1, 300.0, log=True),
        "mean_shrinkage": Range(1.0, 200.0, log=True),
    },
    "MatrixFactorization": {
        "reg": Range(0.1, 30.0, log=True),
        "bias_reg": Range(0.1, 30.0, log=True),
        "reg_exponent": Range(0.0, 1.0),
        "dim": Range(4, 64, log=True, whole=True),
        "mean_shrinkage": Range(1.0, 200.0, log=True),
    },
    "RP3beta": {
        "alpha": Range(0.2, 1.6),
        "beta": Range(0.0, 1.0),
        "n_neighbors": Range(10, 1000, log=True, whole=True),
        "normalize": Choices((True, False)),
    },
    "SoftmaxNet": {
        "temperature": Range(0.03, 0.5, log=True),
        "dim": Range(8, 256, log=True, whole=True),
        "learning_rate": Range(1e-3, 0.05, log=True),
        "n_epochs": Range(5, 200, log=True, whole=True),
        "target_fraction": Range(0.1, 0.8),
    },
    "TwoTower": {
        "learning_rate": Range(1e-4, 0.03, log=True),
        "batch_size": Range(32, 1024, log=True, whole=True),
        "temperature": Range(0.03, 0.5, log=True),
        "id_dim": Range(8, 128, log=True, whole=True),
        "id_dropout": Range(0.0, 0.5),
        "weight_penalty": Range(0.0, 0.001),
    },
    "UserNeighbors": {
        "n_neighbors": Range(10, 1000, log=True, whole=True),
        "shrinkage": Range(1.0, 300.0, log=True),
    },
    "BoughtTogether": {
        "measure": Choices(("cosine", "conditional", "lift")),
        "shrinkage": Range(0.5, 100.0, log=True),
    },
    "NextItem": {
        "window": Range(1, 20, log=True, whole=True),
        "measure": Choices(("conditional", "cosine", "lift")),
        "shrinkage": Range(0.5, 100.0, log=True),
    },
    "TopInGroup": {
        "groups": Range(1, 10, log=True, whole=True),
    },
    "TopInSegment": {
        "by": Choices(("share", "lift")),
    },
    "TopInUserGroup": {
        "shrinkage": Range(1.0, 300.0, log=True),
    },
    "Trending": {
        "half_life_days": Range(0.5, 1000.0, log=True),
    },
    "Popularity": {
        "by": Choices(("count", "decayed", "mean")),
        "half_life_days": Range(1.0, 3000.0, log=True),
        "shrinkage": Range(1.0, 500.0, log=True),
    },
}


def default_space(parts: Parts | Builder) -> Space:
    """Return the space of every part whose class has a row in `DEFAULTS`, by address.

    Raises `ParameterError` where no part has one.
    """
    space = {
        part.prefix + name: dimension
        for part in parts.parts
        for name, dimension in DEFAULTS.get(type(part.thing).__name__, {}).items()
    }
    if not space:
        raise ParameterError("nothing is known of what to search here: give a space")
    return space


def suited(space: Space, train: Dataset) -> Space:
    """Return a default `space` without what the data cannot have: decay without times, means of events."""
    lacking = {"decayed": train.interactions.timestamp is None, "mean": train.feedback.kind == "events"}
    kept = dict(space)
    for address, dimension in space.items():
        if isinstance(dimension, Choices) and address.rpartition(".")[2] == "by":
            values = tuple(value for value in dimension.values if not lacking.get(str(value), False))
            kept[address] = Choices(values)
    return kept
