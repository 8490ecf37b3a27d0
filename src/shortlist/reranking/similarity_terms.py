"""MMR and DPP: terms of `Select` by which items that are alike do not stand on one list together."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from shortlist.data.row_labels import RowLabels
from shortlist.errors import ParameterError
from shortlist.kernels.greedy_selection import Similar
from shortlist.models.stage import Stage
from shortlist.parameters import number
from shortlist.reranking.item_space import ItemSpace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.models.model import Model


class ComparesItems(Stage):
    """What `MMR` and `DPP` share: items are compared by the labels `on`, or by the vectors of a model."""

    FITTED: ClassVar[tuple[str, ...]] = ("label_ptr_", "label_code_")

    on: str | None
    label_ptr_: NDArray[np.int64]
    label_code_: NDArray[np.int32]

    @property
    def asks_for_model(self) -> bool:
        """Return whether nothing else says what items are compared by."""
        return self.on is None

    def _prepare(self, dataset: Dataset) -> None:
        if self.on is not None:
            labels = RowLabels.of(dataset, "item", self.on, f"{self.name}(on={self.on!r})")
            self.label_ptr_, self.label_code_ = labels.ptr, labels.code
            return
        if self.model is None:
            raise ParameterError(
                f"{self.name} has nothing to compare items by: give on= a feature of items, or model= a model with "
                "vectors"
            )
        self.model.item_vectors()  # refuses a model without them
        self.label_ptr_, self.label_code_ = np.zeros(1, np.int64), np.zeros(0, np.int32)

    @cached_property
    def _space(self) -> ItemSpace:
        if self.on is not None:
            return ItemSpace(RowLabels(self.on, (), self.label_ptr_, self.label_code_))
        assert self.model is not None  # seen to when it was bound
        return ItemSpace(self.model.item_vectors())


class MMR(ComparesItems):
    """Takes `weight` times the largest similarity to an item chosen before off the value of a candidate.

    Maximal marginal relevance, argmax (1 − weight) r_i − weight max_{j∈S} sim(i, j) where it is the only term: 1 −
    weight is the λ of Carbonell and Goldstein 1998, The use of MMR, SIGIR. The first item has similarity 0.

    - weight: 0 to 1. The default costs little: with that of `Calibration`, both on genres, the upper bound of the loss
      in NDCG@10 is below 5 % (one-sided 95 %, paired; chosen on a validation part of MovieLens small)
    - on: a categorical or tags feature of items, whose labels items are alike by (cosine of the multi-hot vectors)
    - model: without `on`, the vectors of this model (cosine); by default those of the pipeline's scorer
    """

    def __init__(
        self,
        weight: float = 0.1,
        *,
        on: str | None = None,
        model: Model | None = None,
        name: str | None = None,
    ) -> None:
        self._set(model, name)
        self.weight = number("weight", weight, most=1.0)
        self.on = on

    def of(self, item_idx: NDArray[np.int32]) -> Similar:
        """Return the unit vectors of items; ε plays no part here."""
        return Similar(self._space.unit(item_idx), 1.0)

    def among(self, item_idx: NDArray[np.int32]) -> Similar:
        """Return what candidates are alike by: unit vectors, or labels as they are."""
        return self._space.similar(item_idx, 1.0)


class DPP(ComparesItems):
    """Adds `weight` times the logarithm of what a candidate adds to the determinant of the list.

    Greedy MAP inference of a determinantal point process with L = Diag(e^{αr}) ((1 − ε) S + ε I) Diag(e^{αr}), S the
    cosines and 2α = (1 − weight) / weight where it is the only term (Chen et al. 2018, Fast greedy MAP inference for
    determinantal point process, NeurIPS, algorithm 1). Unlike `MMR` it sees all items chosen before together.

    - weight: 0 to 1. The default is the largest of a grid whose upper bound of the loss in NDCG@10, as there, is below
      5 % for the term alone; on, model: as for `MMR`
    - epsilon: above 0, at most 1. Few labels span few dimensions: without it, lists longer than that would end
    """

    def __init__(
        self,
        weight: float = 0.05,
        *,
        on: str | None = None,
        model: Model | None = None,
        epsilon: float = 0.05,
        name: str | None = None,
    ) -> None:
        self._set(model, name)
        self.weight = number("weight", weight, most=1.0)
        self.on = on
        self.epsilon = number("epsilon", epsilon, above_zero=True, most=1.0)

    def of(self, item_idx: NDArray[np.int32]) -> Similar:
        """Return the unit vectors of items, and ε."""
        return Similar(self._space.unit(item_idx), self.epsilon)

    def among(self, item_idx: NDArray[np.int32]) -> Similar:
        """Return what candidates are alike by, unit vectors or labels as they are, and ε."""
        return self._space.similar(item_idx, self.epsilon)
