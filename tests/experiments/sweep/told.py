"""Sources and scorers that say what they are told, so that every figure of a sweep is known beforehand."""

from typing import ClassVar

import numpy as np

from shortlist.models.stage import Stage
from shortlist.stages import Candidates, Lists, offsets


class Lister(Stage):
    """Proposes the first `k` items of the list of each user, whatever is permitted; nothing to strangers."""

    def __init__(self, lists, k=3, name=None):
        self._set(None, name)
        self.lists = lists
        self.k = k

    def _prepare(self, _dataset):
        pass

    def propose(self, request):
        lists = [self.lists.get(user, [])[: self.k] for user in request.user_idx.tolist()]
        items = np.array([item for one in lists for item in one], np.int32)
        ptr = offsets(np.array([len(one) for one in lists], np.int64))
        return Candidates.from_lists(Lists(ptr, items, np.ones(items.size, np.float32)), self.name)

    def explain(self, _n_liked):
        return "as it was told"


class FixedLister(Lister):
    """The same without a parameter `k`: two items at every size."""

    def __init__(self, lists, name=None):
        self._set(None, name)
        self.lists = lists

    k = 2


class TableScorer(Stage):
    """Scores by a table [users, items]; knows the users of `known`. It has nothing to learn."""

    def __init__(self, table, known=None, name=None):
        self._set(None, name)
        self.table = table
        self.known = known

    def _prepare(self, _dataset):
        pass

    def knows(self, request):
        return np.isin(request.user_idx, range(len(self.table)) if self.known is None else self.known)

    def can_score(self, request, candidates):
        return self.knows(request)[candidates.row]

    def score(self, request, candidates):
        table = np.asarray(self.table, np.float32)
        return table[request.user_idx[candidates.row], candidates.item_idx]


class Learner(TableScorer):
    """Learns from candidates: keeps what it was given in `seen`, and scores by its table."""

    seen: ClassVar[list] = []

    def learned_from(self, examples, before, rng):
        assert before is not self
        type(self).seen.append((examples, rng.integers(1 << 30)))
        return self
