"""Calibration and Exposure: terms of `Select` by which groups of items get the share of a list that is due to them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import numpy as np

from shortlist.data.row_labels import RowLabels
from shortlist.errors import ParameterError
from shortlist.kernels.greedy_selection import Mix
from shortlist.models.stage import Stage
from shortlist.parameters import number
from shortlist.reranking.group_mix import groups_of, mix_of, mixes_of
from shortlist.stages import distinct, offsets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.stages import History

_LABELS = ("labels_", "label_ptr_", "label_code_")
Target = Literal["catalogue", "equal"]


class Calibration(Stage):
    """Takes `weight` times KL(p ‖ q̃) off the value of a list: its mix of groups q should be the person's own, p.

    p(g) is the mean over the distinct items that the person likes of 1 / (number of groups of the item) for each of
    its groups, q the same over the list, q̃ = (1 − alpha) q + alpha p. Steck 2018, Calibrated recommendations, RecSys,
    equations 2 to 5, the items of p and q weighted alike. Items without a group form one of their own. For somebody
    who likes nothing yet the term is 0.

    - on: a categorical or tags feature of items; alpha: above 0, below 1
    - weight: 0 to 1. The default costs little together with that of `MMR`, which says how little
    """

    FITTED: ClassVar[tuple[str, ...]] = _LABELS
    goes_by_history: ClassVar[bool] = True

    labels_: Sequence[str]
    label_ptr_: NDArray[np.int64]
    label_code_: NDArray[np.int32]

    def __init__(self, on: str, weight: float = 0.1, *, alpha: float = 0.01, name: str | None = None) -> None:
        self._set(None, name)
        self.on = on
        self.weight = number("weight", weight, most=1.0)
        self.alpha = number("alpha", alpha, above_zero=True, most=0.999)

    def _prepare(self, dataset: Dataset) -> None:
        labels = RowLabels.of(dataset, "item", self.on, f"{self.name}(on={self.on!r})")
        self.labels_, self.label_ptr_, self.label_code_ = list(labels.labels), labels.ptr, labels.code

    @cached_property
    def groups(self) -> RowLabels:
        """Return the groups of all items."""
        return groups_of(RowLabels(self.on, self.labels_, self.label_ptr_, self.label_code_))

    def of(self, item_idx: NDArray[np.int32]) -> Mix:
        """Return the groups of candidates; what the mix should be is each person's own, `of_people`."""
        mine = self.groups.take(item_idx)
        return Mix(mine.ptr, mine.code, np.zeros(len(self.groups.labels)))

    def of_people(self, history: History, start: int, stop: int) -> NDArray[np.float64]:
        """Return float64[stop − start, n_groups]: p of these people, 0 of somebody who likes nothing yet."""
        n_items, ptr = max(len(self.groups), 1), history.ptr[start : stop + 1]
        own = slice(int(ptr[0]), int(ptr[-1]))
        positive, row = history.positive[own], np.repeat(np.arange(stop - start), ptr[1:] - ptr[:-1])
        liked = distinct(row[positive] * n_items + history.item_idx[own][positive])
        row, item = np.divmod(liked, n_items)
        return mixes_of(self.groups, offsets(np.bincount(row, minlength=stop - start)), item.astype(np.int32))


class Exposure(Stage):
    """Takes `weight` times ‖e − t‖² off the value of a list: each group should have its target share t of the exposure.

    An item at place r has the exposure 1 / log2(r + 1), divided evenly among its groups (Singh and Joachims 2018,
    Fairness of exposure in rankings, KDD, with the place weights of DCG); e is a group's share of the exposure of the
    whole list. Any number of groups. Items without a group form one of their own.

    - on: a categorical or tags feature of items (the maker, say)
    - weight: 0 to 1. The default is the largest of a grid whose upper bound of the loss in NDCG@10 is below 5 % for the
      term alone, on genres and towards the catalogue's shares (one-sided 95 %, paired; MovieLens small)
    - target: "catalogue", a group's share of the items; "equal", the same for every group with an item; or the shares
      by label, at least 0, which are divided by their sum. A label that is not named has the target 0
    """

    FITTED: ClassVar[tuple[str, ...]] = (*_LABELS, "target_")

    labels_: Sequence[str]
    label_ptr_: NDArray[np.int64]
    label_code_: NDArray[np.int32]
    target_: NDArray[np.float64]

    def __init__(
        self,
        on: str,
        weight: float = 0.5,
        *,
        target: Target | Mapping[str, float] = "catalogue",
        name: str | None = None,
    ) -> None:
        self._set(None, name)
        self.on = on
        self.weight = number("weight", weight, most=1.0)
        self.target = _checked_target(target)

    def _prepare(self, dataset: Dataset) -> None:
        labels = RowLabels.of(dataset, "item", self.on, f"{self.name}(on={self.on!r})")
        self.labels_, self.label_ptr_, self.label_code_ = list(labels.labels), labels.ptr, labels.code
        self.target_ = self._shares()

    def _shares(self) -> NDArray[np.float64]:
        everything = np.arange(len(self.groups), dtype=np.int32)
        shares = mix_of(self.groups, everything)
        if isinstance(self.target, Mapping):
            unknown = [label for label in self.target if label not in self.labels_]
            if unknown:
                raise ParameterError(
                    f"{self.name}(target=…): no item has {self.on} {unknown[0]!r}; an empty group can have no exposure"
                )
            shares = np.array([self.target.get(label, 0.0) for label in self.groups.labels])
        elif self.target == "equal":
            shares = (shares > 0).astype(np.float64)
        return shares / max(float(shares.sum()), np.finfo(np.float64).tiny)

    @cached_property
    def groups(self) -> RowLabels:
        """Return the groups of all items."""
        return groups_of(RowLabels(self.on, self.labels_, self.label_ptr_, self.label_code_))

    def of(self, item_idx: NDArray[np.int32]) -> Mix:
        """Return the groups of candidates, and the target."""
        mine = self.groups.take(item_idx)
        return Mix(mine.ptr, mine.code, self.target_)


def _checked_target(target: object) -> Target | dict[str, float]:
    if isinstance(target, Mapping):
        shares = {str(label): number(f"target[{label!r}]", share) for label, share in target.items()}
        if not sum(shares.values()) > 0:
            raise ParameterError(f"target={dict(target)!r}: the shares must have a sum above 0")
        return shares
    if target not in get_args(Target):
        raise ParameterError(
            f"target={target!r} is neither {', '.join(get_args(Target))} nor shares by label"
        )
    return target  # type: ignore[return-value]
