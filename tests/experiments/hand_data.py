"""Small datasets by hand, and recommenders that show what they are told to."""

import numpy as np
import polars as pl

from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureTable
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.recommendations import Recommendations
from shortlist.data.vocabulary import Vocabulary
from shortlist.stages import Lists

DAY = 86_400_000_000


def dataset(events, n_users, n_items, tags=None, feedback=None, timed=True):
    """Return ratings 1–5 from (user, item, value[, time in days]) rows; `tags` is a list of lists of labels."""
    columns = list(zip(*events, strict=True)) if events else [(), (), (), ()]
    users, items, values = (np.asarray(column) for column in columns[:3])
    days = columns[3] if len(columns) > 3 else range(len(events))
    times = np.array([round(day * DAY) for day in days], np.int64) if timed else None
    vocabularies = Vocabulary.of(np.arange(n_users) + 100), Vocabulary.of(np.arange(n_items) + 500)
    log = Interactions.of(
        users.astype(np.int32), items.astype(np.int32), values.astype(np.float32), times,
        n_users, n_items, feedback or Feedback.ratings(1, 5),
    )  # fmt: skip
    return Dataset(log, *vocabularies, item_features=features(vocabularies[1], tags), name="hand")


def features(items, tags):
    if tags is None:
        return None
    column = pl.Series("genres", tags, dtype=pl.List(pl.String))
    return FeatureTable(pl.DataFrame([items.ids.rename("id"), column]), {"genres": "tags"})


def parts(train, test, n_users, n_items, **keywords):
    """Return train and test that share their vocabularies, as those of a split do."""
    fit = dataset(train, n_users, n_items, **keywords)
    return fit, fit.with_interactions(dataset(test, n_users, n_items, **keywords).interactions)


class Told:
    """Shows the given lists (user position → item positions), the popular item 0 to users in `unknown`."""

    is_fitted = True

    def __init__(self, train, lists, unknown=()):
        self.memory_ = train.memory
        self.lists = lists
        self.unknown = set(unknown)
        self.asked = []

    def recommend(self, users, k=10, *, exclude_seen=True, items=None, on_unknown="raise"):
        assert on_unknown == "fallback"
        self.asked.append(users.len())
        at = self.memory_.users.index_of(users).tolist()
        shown = [[0] if u in self.unknown else list(self.lists.get(u, []))[:k] for u in at]
        lists = Lists(
            np.cumsum([0, *map(len, shown)]),
            np.array([item for one in shown for item in one], np.int32),
            np.zeros(sum(map(len, shown)), np.float32),
        )
        fallback = frozenset(i for i, u in zip(users.to_list(), at, strict=True) if u in self.unknown)
        return Recommendations(users, lists, self.memory_, fallback=fallback)


class Rater(Told):
    """Predicts user position + item position / 10, too."""

    predicts_ratings = True

    def predict(self, users, items):
        of_user = self.memory_.users.index_of(users)
        return (of_user + self.memory_.items.index_of(items) / 10).astype(np.float32)
