"""What a two-tower model is trained on and by: plain arrays and numbers, for the code that trains it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from shortlist.models.dense_layers import DenseLayers

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

TowerLoss = Literal["squared", "cross_entropy", "softmax"]
# Below this length a vector has no direction.
SHORTEST = 1e-6


@dataclass(frozen=True, eq=False)
class Side:
    """What enters one of the towers, a row for each of its n users or items.

    features: float32[n, f], dense or CSR. has_id bool[n]: whose id has learned numbers; None where ids do not enter.
    """

    features: NDArray[np.float32] | sparse.csr_array
    has_id: NDArray[np.bool_] | None = None

    @property
    def n_features(self) -> int:
        """Return f."""
        return int(self.features.shape[1])

    def n_inputs(self, id_dim: int) -> int:
        """Return how many numbers enter: the features, then those of the id."""
        return self.n_features + (0 if self.has_id is None else id_dim)


@dataclass(frozen=True, eq=False)
class Examples:
    """Pairs to train on: user_idx, item_idx int64[m], and what is told of each, targets float32[m].

    The targets are in [−1, 1] for "squared", 0 or 1 for "cross_entropy", and not looked at for "softmax".
    """

    user_idx: NDArray[np.int64]
    item_idx: NDArray[np.int64]
    targets: NDArray[np.float32]

    def __len__(self) -> int:
        return self.user_idx.size


@dataclass(frozen=True)
class TowerSettings:
    """How towers are made and trained; the names are those of the parameters of `TwoTower`."""

    layers: tuple[int, ...]
    loss: TowerLoss
    id_dim: int
    id_dropout: float
    temperature: float
    weight_penalty: float
    learning_rate: float
    batch_size: int
    n_epochs: int
    patience: int | None
    validation_share: float
    device: str


# Those that a `TwoTower` has as parameters and every fit takes as they are.
OWN_SETTINGS = (
    "layers",
    "id_dim",
    "id_dropout",
    "temperature",
    "weight_penalty",
    "learning_rate",
    "batch_size",
    "patience",
    "device",
)


@dataclass(frozen=True, eq=False)
class Tower:
    """A trained tower: its layers, and the learned numbers of ids float32[n, id_dim], zeros for who has none."""

    layers: DenseLayers
    ids: NDArray[np.float32] | None

    def vectors(
        self, features: NDArray[np.float32] | sparse.csr_array, ids: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Return float32[n, d] of rows of `features` and of `ids` float32[n, id_dim]: of length 1, or all 0.

        A row alone gives, bit for bit, what it gives in a batch.
        """
        if isinstance(features, np.ndarray):
            rows = features if ids is None else np.hstack([features, ids])
            return _unit(self.layers.of_dense(rows.astype(np.float32, copy=False)))
        return _unit(self.layers.of_sparse(features, ids))

    def to_flat(self) -> NDArray[np.float32]:
        """Return all weights and biases in one array, layer by layer, each weights then biases."""
        both = zip(self.layers.weights, self.layers.biases, strict=True)
        return np.concatenate([part.ravel() for layer in both for part in layer])

    @classmethod
    def from_flat(
        cls, flat: NDArray[np.float32], layers: tuple[int, ...], ids: NDArray[np.float32] | None
    ) -> Tower:
        """Return the tower that `to_flat` described, of `layers`; how much enters follows from the length."""
        inner = sum((a + 1) * b for a, b in itertools.pairwise(layers))
        n_in = (flat.size - inner) // layers[0] - 1
        weights, biases, at = list[Any](), list[Any](), 0
        for a, b in zip((n_in, *layers), layers, strict=False):
            weights.append(flat[at : at + a * b].reshape(a, b))
            biases.append(flat[at + a * b : at + a * b + b])
            at += (a + 1) * b
        return cls(DenseLayers(weights, biases), ids)


@dataclass(frozen=True, eq=False)
class TrainedTowers:
    """What training left: both towers, and σ's scale and shift (1 and 0 but for cross-entropy)."""

    user: Tower
    item: Tower
    scale: float
    shift: float


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.sqrt(np.add.reduce(np.square(rows, dtype=np.float64), axis=1))
    some = length > SHORTEST
    unit: NDArray[np.float32] = (rows / np.where(some, length, 1.0)[:, None] * some[:, None]).astype(
        np.float32
    )
    return unit
