"""Where the training of a `SoftmaxNet` begins: at random numbers, and at what an earlier net has learnt."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.data.feature_encoder import FeatureEncoder
from shortlist.errors import ParameterError
from shortlist.models.warm_start import rows_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.models.softmax_net import SoftmaxNet

    Arrays = dict[str, NDArray[np.float32]]


def random_arrays(
    shapes: Mapping[str, tuple[int, int]], widths: Sequence[int], init_std: float, rng: np.random.Generator
) -> Arrays:
    """Return embeddings of these shapes by name, rows of length `init_std` on average, and layers between `widths`."""
    arrays = {
        name: rng.standard_normal(shape, np.float32) * np.float32(init_std / np.sqrt(shape[1]))
        for name, shape in shapes.items()
    }
    for layer, (n_in, n_out) in enumerate(pairwise(widths), 1):
        spread = np.float32(np.sqrt(2 / n_in))  # keeps the variance through a ReLU
        arrays[f"weights {layer}"] = rng.standard_normal((n_in, n_out), np.float32) * spread
        arrays[f"biases {layer}"] = np.zeros(n_out, np.float32)
    return arrays


def take_over(
    own: SoftmaxNet, start: SoftmaxNet, dataset: Dataset, arrays: Arrays, learnt: NDArray[np.bool_]
) -> None:
    """Put what `start` has learnt in place of random numbers: by id, features by name, and the layers.

    - learnt bool[n_users]: whose embeddings are trained. Raises `ParameterError` for a net of another form
    """
    _require_same_form(own, start)
    memory = start.memory_
    has_id: NDArray[np.bool_] = (start.id_factors_ != 0).any(axis=1)
    raw = start.item_factors_ * start.item_lengths_[:, None]
    tables = [("items", raw), ("offsets", start.item_offsets_), ("history", start.history_factors_)]
    for name, table in tables:
        if name in arrays:
            rows, had = rows_at(table, start.known_items_, memory.items, dataset.items)
            taken = had[own.known_items_]
            arrays[name][taken] = rows[own.known_items_][taken]
    if own.user_ids:
        rows, had = rows_at(start.id_factors_, has_id, memory.users, dataset.users)
        arrays["ids"][had[learnt]] = rows[learnt & had]
    arrays["constant"][0] = start.constant_
    for layer, (weights, biases) in enumerate(start.dense_layers, 1):
        arrays[f"weights {layer}"], arrays[f"biases {layer}"] = weights.copy(), biases.copy()
    if "features" in arrays and start.user_encoding_ is not None:
        place = {name: at for at, name in enumerate(_feature_names(start.user_encoding_))}
        for at, name in enumerate(_feature_names(own.user_encoding_)):
            if name in place:
                arrays["features"][at] = start.feature_factors_[place[name]]


def _require_same_form(own: SoftmaxNet, start: SoftmaxNet) -> None:
    mine, other = _form(own), _form(start)
    for name, value in mine.items():
        if value != other[name]:
            raise ParameterError(
                f"start has {name}={other[name]!r}, this SoftmaxNet {value!r}: nets of another form cannot be "
                "taken over; fit without start"
            )


def _form(net: SoftmaxNet) -> dict[str, Any]:
    """Return what two nets must share so that one can go on from the other."""
    return {"layers": net.layers, "user_ids": net.user_ids, "history": net.history, "tied": net.is_tied}


def _feature_names(encoding: dict[str, Any] | None) -> list[str]:
    return [] if encoding is None else FeatureEncoder.from_values(encoding).names
