"""What enters a tower, brought into a batch's buffer, and the slopes that come back to the numbers of the ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from scipy import sparse
    from torch import Tensor

    from shortlist.models.nets.flat_parameters import FlatParameters
    from shortlist.models.tower_parts import Side

# Up to this many numbers the features are kept dense: 256 MiB. Above, a batch is made dense at a time.
MOST_DENSE = 1 << 26


class TowerInputs:
    """The inputs of one side: features, then the learned numbers of the id, parameter `name` [n, id_dim].

    id_dropout: the chance that a row's id is left out in training, so that the tower learns to do without.
    """

    def __init__(
        self, side: Side, parameters: FlatParameters, name: str, id_dropout: float, rng: np.random.Generator
    ) -> None:
        self.n_features, self.id_dropout, self.rng = side.n_features, id_dropout, rng
        self.like = parameters.flat.detach()
        self._dense, self._sparse = self._features(side.features)
        self.has_ids = side.has_id is not None
        if side.has_id is not None:
            self.ids, self.id_slopes = parameters[name].detach(), parameters.gradient_of(name)
            self.has_id = torch.from_numpy(side.has_id).to(self.like)

    def _features(self, given: object) -> tuple[Tensor | None, sparse.csr_array | None]:
        rows: sparse.csr_array | np.ndarray = given  # type: ignore[assignment]
        if isinstance(rows, np.ndarray):
            return torch.from_numpy(np.ascontiguousarray(rows)).to(self.like), None
        if rows.shape[0] * rows.shape[1] <= MOST_DENSE:
            return torch.from_numpy(rows.toarray()).to(self.like), None
        return None, rows

    def fill(self, x: Tensor, index: Tensor, *, training: bool) -> None:
        """Write the inputs of the rows at `index` int64[b] to `x` [b, at least n_inputs]."""
        if self._dense is not None:
            x[:, : self.n_features] = self._dense[index]
        elif self._sparse is not None:
            x[:, : self.n_features] = torch.from_numpy(self._sparse[index.cpu().numpy()].toarray()).to(x)
        if self.has_ids:
            self._kept = self.has_id[index]
            if training and self.id_dropout > 0:
                chosen = self.rng.random(index.numel()) >= self.id_dropout
                self._kept = self._kept * torch.from_numpy(chosen).to(self._kept)
            x[:, self._own] = self.ids[index] * self._kept[:, None]

    def take_back(self, slope: Tensor, index: Tensor) -> None:
        """Add the slopes of the batch that was filled last, [b, at least n_inputs], to those of its ids."""
        if self.has_ids:
            self.id_slopes.index_add_(0, index, slope[:, self._own] * self._kept[:, None])

    @property
    def _own(self) -> slice:
        return slice(self.n_features, self.n_features + self.ids.shape[1])
