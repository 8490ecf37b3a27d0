"""Select: the one step that chooses a list as a list, by relevance and terms, under caps and pins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from shortlist import threads
from shortlist.data.row_labels import RowLabels
from shortlist.errors import ParameterError
from shortlist.kernels.greedy_selection import PARTS, Caps, Mix, Similar, greedy_lists
from shortlist.models.stage import Stage
from shortlist.parameters import whole
from shortlist.reranking.group_terms import Calibration, Exposure
from shortlist.reranking.pool import Pool
from shortlist.reranking.similarity_terms import DPP, MMR
from shortlist.stages import Lists, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.vocabulary import Id
    from shortlist.stages import Candidates, Request

Term = MMR | DPP | Calibration | Exposure
# The kinds of terms, in the order of the columns of the kernel after relevance.
KINDS: tuple[type[Stage], ...] = (MMR, DPP, Calibration, Exposure)
_NO_VECTORS = Similar(np.zeros((0, 1), np.float32), 1.0)
_NO_GROUPS = Mix(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0))
_SUM_SLACK = 1e-9
# People whose lists are chosen in one call: their vectors stay in the cache.
_BLOCK = 16


class Select(Stage):
    """Chooses the list place by place: the candidate of largest value, given those chosen before it.

    The value is (1 − Σ weights) r + the terms, each times its weight; r is the score, scaled per request to 0 … 1
    over the `pool` (min-max). Terms are `MMR`, `DPP`, `Calibration` and `Exposure`, at most one of each; without any
    the list is ordered by score. Ties fall to the smaller position of the item. One selection, since two in a row
    would each undo the other.

    - caps: column → how many items of one label (maker, series) a list may hold; an item of several labels counts for
      each. An item without a label is not capped
    - pins: (item id, place from 1): the item stands at that place if no rule forbids it and the scorer can score it,
      whether or not a source proposed it: forbidden goes before pinned, and `Recommendations.notes` says so. A pin goes
      before a cap, and counts in it. Places beyond the list are not used
    - pool: how many of the best candidates are looked at

    Raises `ParameterError` for weights of a sum above 1, two terms of a kind, and two pins of one item or place.
    Cost: O(k · pool · (dim + k)) for a list of k.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("cap_ptr_", "cap_code_", "cap_limit_", "pin_item_", "pin_place_")

    cap_ptr_: NDArray[np.int64]
    cap_code_: NDArray[np.int32]
    cap_limit_: NDArray[np.int64]
    pin_item_: NDArray[np.int32]
    pin_place_: NDArray[np.int64]

    def __init__(
        self,
        *terms: Term,
        caps: Mapping[str, int] | None = None,
        pins: Sequence[tuple[Id, int]] = (),
        pool: int = 500,
        name: str | None = None,
    ) -> None:
        self._set(None, name)
        self.parts = tuple(terms)
        _require_one_of_each(terms)
        self.weight = np.array(
            [0.0, *(sum(t.weight for t in terms if isinstance(t, kind)) for kind in KINDS)]
        )
        if self.weight.sum() > 1 + _SUM_SLACK:
            raise ParameterError(
                f"the weights of the terms have the sum {self.weight.sum():g}: relevance has what they leave of 1"
            )
        self.weight[0] = max(0.0, 1.0 - self.weight.sum())
        self.caps = {
            column: whole(f"caps[{column!r}]", most, least=1) for column, most in (caps or {}).items()
        }
        self.pins = [(item, whole(f"the place of pin {item!r}", place, least=1)) for item, place in pins]
        _require_distinct_pins(self.pins)
        self.pool = whole("pool", pool, least=1)

    @property
    def capped(self) -> str | None:
        """Return what the caps allow, in words; None without caps."""
        said = ", ".join(f"at most {most} of one {column}" for column, most in self.caps.items())
        return said or None

    @property
    def says(self) -> str:
        """Return what lists are chosen by, in words.

        >>> Select(MMR(0.2, on="genres"), caps={"maker": 2}).says
        'Select: relevance 0.8, MMR 0.2; at most 2 of one maker'
        """
        weights = [f"relevance {self.weight[0]:g}"]
        weights += [f"{term.name} {term.weight:g}" for term in self.parts if isinstance(term, Term)]
        return "; ".join([f"{self.name}: {', '.join(weights)}", *([self.capped] if self.capped else [])])

    def _prepare(self, dataset: Dataset) -> None:
        labels = [RowLabels.of(dataset, "item", column, f"{self.name}(caps=…)") for column in self.caps]
        start = offsets(np.array([len(some.labels) for some in labels], np.int64))
        row = np.concatenate([np.zeros(0, np.int64), *(some.row for some in labels)])
        code = np.concatenate(
            [np.zeros(0, np.int32), *(some.code + at for some, at in zip(labels, start, strict=False))]
        )
        order = np.argsort(row, kind="stable")
        self.cap_ptr_ = offsets(np.bincount(row, minlength=len(dataset.items)))
        self.cap_code_ = code[order].astype(np.int32)
        self.cap_limit_ = np.repeat(np.array([*self.caps.values()], np.int64), np.diff(start))
        self.pin_item_ = dataset.items.require([item for item, _ in self.pins], "pinned item")
        self.pin_place_ = np.array([place for _, place in self.pins], np.int64)

    def select(self, request: Request, candidates: Candidates) -> tuple[Lists, Candidates]:
        """Return the chosen lists of all users, and the candidates with what each was chosen for.

        The score on a list is the scorer's, and need not fall along it.
        """
        pool = Pool.of([self.pool_of(candidates, row) for row in range(len(request))], candidates)
        places = self._places(pool, min(request.k, pool.longest))
        picks, parts = self._chosen(request, pool, places)
        at = pool.positions(picks)
        ptr = offsets((picks >= 0).sum(axis=1))
        value = np.full((candidates.item_idx.size, len(PARTS)), np.nan, np.float32)
        value[at] = parts[picks >= 0]
        pinned = np.zeros(candidates.item_idx.size, bool)
        pinned[pool.positions(places)] = True
        lists = Lists(ptr, candidates.item_idx[at], candidates.score[at])
        used = self.weight > 0
        terms = tuple(name for name, is_used in zip(PARTS, used, strict=True) if is_used)
        return lists, replace(candidates, terms=terms, term_value=value[:, used], pinned=pinned)

    def pool_of(self, candidates: Candidates, row: int) -> NDArray[np.int64]:
        """Return the positions of the candidates of a user that are looked at, in the order of their items."""
        start, stop = int(candidates.ptr[row]), int(candidates.ptr[row + 1])
        kept = start + np.flatnonzero(candidates.removed_by[start:stop] == 0)
        if kept.size > self.pool:
            best = np.lexsort((candidates.item_idx[kept], -candidates.score[kept]))[: self.pool]
            pinned = np.flatnonzero(np.isin(candidates.item_idx[kept], self.pin_item_))
            kept = kept[np.union1d(best, pinned)]
        return kept[np.argsort(candidates.item_idx[kept], kind="stable")]

    def _chosen(
        self, request: Request, pool: Pool, places: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return picks int64[n, k] within each pool, −1 for none; and what they were worth, float64[n, k, 5]."""
        n, k = places.shape
        picks, parts = np.full((n, k), -1, np.int64), np.zeros((n, k, len(PARTS)))
        discount = 1.0 / np.log2(np.arange(k) + 2.0)

        def choose(start: int, stop: int) -> None:
            part = slice(int(pool.ptr[start]), int(pool.ptr[stop]))
            items = pool.item_idx[part]
            greedy_lists(
                pool.ptr[start : stop + 1] - part.start,
                pool.relevance[part],
                self.weight,
                *self._terms(request, start, stop, items),
                discount,
                self._caps(items),
                places[start:stop],
                picks[start:stop],
                parts[start:stop],
            )

        threads.run_blocks(choose, n, _BLOCK)
        return picks, parts

    def _places(self, pool: Pool, k: int) -> NDArray[np.int64]:
        """Return int64[n, k]: the candidate of each person's pool that is pinned to each place, −1 for none."""
        length = pool.ptr[1:] - pool.ptr[:-1]
        places, row = np.full((length.size, k), -1, np.int64), np.repeat(np.arange(length.size), length)
        for item, place in zip(self.pin_item_.tolist(), self.pin_place_.tolist(), strict=True):
            at = np.flatnonzero(pool.item_idx == item)
            at = at[place <= np.minimum(k, length[row[at]])]
            if at.size:
                places[row[at], place - 1] = at - pool.ptr[row[at]]
        return places

    def _terms(
        self, request: Request, start: int, stop: int, items: NDArray[np.int32]
    ) -> tuple[Similar, Similar, Mix, NDArray[np.float64], float, Mix]:
        mmr, dpp, calibration, exposure, alpha = _NO_VECTORS, _NO_VECTORS, _NO_GROUPS, _NO_GROUPS, 0.0
        own_mix = np.zeros((stop - start, 0))
        for term in self.parts:
            if isinstance(term, MMR):
                mmr = term.among(items)
            elif isinstance(term, DPP):
                dpp = term.among(items)
            elif isinstance(term, Calibration):
                calibration, alpha = term.of(items), term.alpha
                own_mix = term.of_people(request.history, start, stop)
            elif isinstance(term, Exposure):
                exposure = term.of(items)
        return mmr, dpp, calibration, own_mix, alpha, exposure

    def _caps(self, items: NDArray[np.int32]) -> Caps:
        if not self.caps:
            return Caps(np.zeros(items.size + 1, np.int64), self.cap_code_, self.cap_limit_)
        mine = RowLabels("", (), self.cap_ptr_, self.cap_code_).take(items)
        return Caps(mine.ptr, mine.code, self.cap_limit_)


def _require_one_of_each(terms: Sequence[Any]) -> None:
    for term in terms:
        if not isinstance(term, KINDS):
            raise ParameterError(f"Select takes terms ({', '.join(k.__name__ for k in KINDS)}), got {term!r}")
    for kind in KINDS:
        if sum(isinstance(term, kind) for term in terms) > 1:
            raise ParameterError(f"Select has two terms {kind.__name__}; it takes at most one of each kind")


def _require_distinct_pins(pins: Sequence[tuple[Id, int]]) -> None:
    named: dict[str, list[Any]] = {"item": [item for item, _ in pins], "place": [place for _, place in pins]}
    for what, values in named.items():
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise ParameterError(f"two pins name the {what} {twice!r}; leave one of them out")
