"""Random small datasets with times, baskets and features, and requests with rules, for the sources."""

import numpy as np
import polars as pl
from hypothesis import strategies as st

from shortlist.data.dataset import Dataset
from shortlist.data.features import DTYPES, FeatureTable
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.memory import Limits
from shortlist.data.vocabulary import Vocabulary

DAY = 86_400_000_000
LAST_DAY = 9
COUNTRIES = [None, "BE", "FR", "NL"]


@st.composite
def described(draw):
    """Return ratings on days 0 to 9: ties in time, repeated pairs, users and items without events or features."""
    n_users, n_items, m = draw(st.integers(1, 6)), draw(st.integers(1, 9)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    value, times = rng.integers(3, 6, m).astype(np.float32), rng.integers(0, LAST_DAY + 1, m) * DAY
    context = pl.DataFrame({"invoice": rng.choice([None, "a", "b", "c"], m).tolist()}, {"invoice": pl.String})
    log = Interactions.of(
        rng.integers(0, n_users, m), rng.integers(0, n_items, m), value, times, n_users, n_items,
        Feedback.ratings(1, 5), context,
    )  # fmt: skip
    users, items = Vocabulary.of(range(n_users)), Vocabulary.of(range(n_items))
    genres = [rng.choice(["a", "b", "c"], rng.integers(0, 4)).tolist() for _ in range(n_items)]
    dates = [None if day < 0 else int(day) * DAY for day in rng.integers(-2, LAST_DAY + 3, n_items)]
    return Dataset(
        log,
        users,
        items,
        table(users, country=("categorical", rng.choice(COUNTRIES, n_users).tolist())),
        table(
            items,
            genres=("tags", genres),
            date=("time", dates),
            year=("numeric", rng.integers(0, 3, n_items)),
        ),
    )


def table(vocabulary, **columns):
    kinds = {name: kind for name, (kind, _) in columns.items()}
    cells = [pl.Series(name, values).cast(DTYPES[kind]) if kind != "time" else times_of(name, values)
             for name, (kind, values) in columns.items()]  # fmt: skip
    return FeatureTable(pl.DataFrame([vocabulary.ids.rename("id"), *cells]), kinds)


def times_of(name, microseconds):
    return pl.Series(name, microseconds, dtype=pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


@st.composite
def asked(draw, dataset):
    """Return a request for all users of the data, in some order, with what may be shown to them, on some day."""
    users = np.array(draw(st.permutations(range(len(dataset.users)))), np.int32)
    some = st.lists(st.sampled_from(range(len(dataset.items))), max_size=6, unique=True)
    limits = Limits(
        exclude_seen=draw(st.booleans()),
        items=draw(st.none() | some),
        exclude=draw(st.none() | some),
        at=draw(st.none() | st.integers(-1, LAST_DAY + 1).map(lambda day: day * DAY)),
    )
    return dataset.memory.request(users, 10, limits)


def events_of(dataset):
    """Return (user, item, positive, time, basket) of all events in the order of the log."""
    log = dataset.interactions
    columns = log.user_idx, log.item_idx, log.positive, log.timestamp
    return list(zip(*(c.tolist() for c in columns), log.context["invoice"].to_list(), strict=True))


def allowed_of(request, row):
    """Return the items that the person at `row` may be shown."""
    items = np.arange(request.eligible.item_rule.size, dtype=np.int32)
    return set(items[request.eligible.rule_of(np.full(items.size, row), items) == 0].tolist())


def past_of(request, row):
    """Return the positive items of the person's history, oldest first."""
    part = slice(request.history.ptr[row], request.history.ptr[row + 1])
    return request.history.item_idx[part][request.history.positive[part]].tolist()


def found_in(candidates, row):
    """Return item → score of the proposals of a row."""
    part = slice(candidates.ptr[row], candidates.ptr[row + 1])
    items = candidates.item_idx[part].tolist()
    assert len(set(items)) == len(items)
    return dict(zip(items, candidates.source_score[part, 0].tolist(), strict=True))
