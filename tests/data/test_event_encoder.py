import json
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist.data.event_encoder import EventEncoder, Field
from shortlist.data.features import FeatureTable
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import DataError, ParameterError

ROWS = {
    "user_id": ["ann", "bob", "ann", "cy"],
    "item_id": [7, 3, 3, 7],
    "value": [5.0, 1.0, 3.0, 4.0],
    "timestamp": [10, 20, 30, 40],
    "device": ["phone", "tv", None, "phone"],
    "noise": [1.0, 3.0, 2.0, 2.0],
    "online": [True, False, True, None],
    "at": [datetime(2020, 1, 1, tzinfo=UTC)] * 4,
}
USERS = pl.DataFrame(
    {"user_id": ["ann", "bob", "dan"], "age": [20.0, 40.0, 30.0], "country": ["UK", "FR", None]}
)
ITEMS = pl.DataFrame(
    {"item_id": [3, 7, 9], "genres": [["a"], ["a", "b"], ["b"]], "country": ["UK", "UK", "US"]}
)


@pytest.fixture(scope="module")
def data():
    return sl.read(
        pl.DataFrame(ROWS),
        users=USERS,
        items=ITEMS,
        kind="ratings",
        scale=(1, 5),
        context=["device", "noise", "online", "at"],
    )


@pytest.fixture(scope="module")
def everything(data):
    return EventEncoder.fit(data, context_columns=None)


def test_fields_lie_side_by_side_in_their_order(everything):
    found = [(field.name, field.side) for field in everything.fields]
    assert found == [
        ("user_id", "user"), ("age", "user"), ("country", "user"),
        ("item_id", "item"), ("genres", "item"), ("country", "item"),
        ("device", "context"), ("noise", "context"), ("online", "context"), ("at", "context"),
    ]  # fmt: skip
    ends = [0, *(field.stop for field in everything.fields)]
    assert [field.start for field in everything.fields] == ends[:-1]
    assert ends[-1] == everything.n_columns == len(everything.names)
    assert everything.names == [
        "user_id=ann", "user_id=bob", "user_id=cy", "user.age", "user.country=FR", "user.country=UK",
        "item_id=3", "item_id=7", "item.genres=a", "item.genres=b", "item.country=UK", "item.country=US",
        "context.device=phone", "context.device=tv", "context.noise",
        "context.online=false", "context.online=true", "context.at",
    ]  # fmt: skip


def named(encoder, rows):
    """Return of each row the columns that are set, by name, with what is in them."""
    return [
        {encoder.names[at]: round(float(value), 3) for at, value in enumerate(row) if value}
        for row in rows.toarray()
    ]


def test_rows_hold_ids_and_features_by_hand(data, everything):
    assert named(everything, everything.user_rows(data.users, data.user_features)) == [
        {"user_id=ann": 1, "user.age": -1.225, "user.country=UK": 1},
        {"user_id=bob": 1, "user.age": 1.225, "user.country=FR": 1},
        {"user_id=cy": 1},
        {},  # dan has no event: no id, and his age is the mean
    ]
    assert named(everything, everything.item_rows(data.items, data.item_features)) == [
        {"item_id=3": 1, "item.genres=a": 1, "item.country=UK": 1},
        {"item_id=7": 1, "item.genres=a": 1, "item.genres=b": 1, "item.country=UK": 1},
        {"item.genres=b": 1, "item.country=US": 1},
    ]
    assert named(everything, everything.context_rows(data.interactions.context, 4)) == [
        {"context.device=phone": 1, "context.noise": -1.414, "context.online=true": 1},
        {"context.device=tv": 1, "context.noise": 1.414, "context.online=false": 1},
        {"context.online=true": 1},
        {"context.device=phone": 1},
    ]


def test_rows_are_canonical_float32(data, everything):
    log = data.interactions
    for rows in (
        everything.user_rows(data.users, data.user_features),
        everything.item_rows(data.items, None),
        everything.context_rows(log.context, 4),
        everything.request_row({"device": "tv"}),
    ):
        assert rows.dtype == np.float32
        assert rows.indices.dtype == np.int32
        assert rows.shape[1] == everything.n_columns
        assert rows.has_canonical_format
        assert (rows.data != 0).all()


def test_other_people_are_what_their_features_say(everything):
    table = FeatureTable(
        pl.DataFrame({"id": ["zoe", "bob"], "country": ["FR", "UK"]}), {"country": "categorical"}
    )
    found = named(everything, everything.user_rows(Vocabulary.of(["bob", "eve", "zoe"]), table))
    assert found == [{"user_id=bob": 1, "user.country=UK": 1}, {}, {"user.country=FR": 1}]
    assert named(everything, everything.user_rows(Vocabulary.of(["bob"]), None)) == [{"user_id=bob": 1}]
    assert named(everything, everything.user_rows(Vocabulary.of([1]), None)) == [{}]


def test_columns_are_those_chosen(data):
    encoder = EventEncoder.fit(
        data, user_ids=False, user_columns=(), item_columns=["genres"], context_columns=["device"]
    )
    assert encoder.names == [
        "item_id=3", "item_id=7", "item.genres=a", "item.genres=b", "context.device=phone", "context.device=tv",
    ]  # fmt: skip
    assert encoder.user_rows(data.users, data.user_features).nnz == 0
    nothing = EventEncoder.fit(data, user_ids=False, item_ids=False, user_columns=(), item_columns=())
    assert (nothing.fields, nothing.n_columns) == ((), 0)
    assert nothing.request_row(None).shape == (1, 0)


def test_an_encoding_goes_to_every_column_of_the_name(data):
    encoder = EventEncoder.fit(data, encode={"country": {"as": "hashing", "n_buckets": 4}, "age": "quantile"})
    assert [field for field in encoder.fields if field.name == "country"] == [
        Field("country", "user", 4, 8), Field("country", "item", 12, 16),
    ]  # fmt: skip
    ages = encoder.user_rows(data.users, data.user_features).toarray()[:, 3]
    assert ages.tolist() == [-1, 1, 0, 0]


def test_an_encoder_survives_json(data, everything):
    again = EventEncoder.from_values(json.loads(json.dumps(everything.to_values())))
    assert again.fields == everything.fields
    assert again.names == everything.names
    for side in ("user_rows", "item_rows"):
        ids, table = getattr(data, f"{side[:4]}s"), getattr(data, f"{side[:4]}_features")
        assert abs(getattr(again, side)(ids, table) - getattr(everything, side)(ids, table)).nnz == 0


def test_a_request_says_what_a_row_of_the_log_does(data, everything):
    frame = data.interactions.context
    rows = everything.context_rows(frame, 4).toarray()
    for row, said in zip(rows, frame.rows(named=True), strict=True):
        assert everything.request_row(said).toarray()[0].tolist() == row.tolist()
    assert (
        everything.request_row(None).toarray().tolist() == everything.context_rows(None, 1).toarray().tolist()
    )


def test_a_request_may_say_an_unseen_category_and_nothing_at_all(data):
    encode = {"device": {"unknown": True}, "noise": {"missing": True}}
    encoder = EventEncoder.fit(data, context_columns=["device", "noise"], encode=encode)
    unknown = [{"context.device=<unknown>": 1, "context.noise=<missing>": 1}]
    assert named(encoder, encoder.request_row({"device": "watch"})) == unknown
    assert named(encoder, encoder.request_row({"noise": float("nan")})) == unknown
    assert named(encoder, encoder.request_row({})) == unknown
    assert named(encoder, encoder.context_rows(None, 1)) == unknown
    assert named(encoder, encoder.context_rows(pl.DataFrame({"device": ["watch"]}), 1)) == unknown
    nothing = pl.DataFrame({"device": [None], "noise": [None]})
    assert named(encoder, encoder.context_rows(nothing, 1)) == unknown


@pytest.mark.parametrize(
    ("context", "says"),
    [
        ({"colour": "red"}, "no context column 'colour'; there are: device, noise, online, at"),
        ({"noise": "loud"}, r"context\['noise'\] is numeric and must be a finite number, got 'loud'"),
        ({"noise": True}, "finite number, got True"),
        ({"noise": float("inf")}, "finite number, got inf"),
        ({"device": 1.5}, r"context\['device'\] is categorical and must be a text"),
        ({"at": "yesterday"}, r"context\['at'\] is time and must be a datetime"),
        ({"at": 1.5}, "is time and must be"),
    ],
)
def test_a_bad_value_of_a_request_is_refused_by_its_column(everything, context, says):
    with pytest.raises(ParameterError, match=says):
        everything.request_row(context)


def test_numbers_and_truths_may_be_categories():
    frame = pl.DataFrame(
        {"user_id": [1, 2], "item_id": [1, 2], "hour": ["9", "17"], "tags": [["x"], ["y", "x"]]}
    )
    data = sl.read(frame, kind="events", context=["hour", "tags"])
    encoder = EventEncoder.fit(data, user_ids=False, item_ids=False, context_columns=None)
    assert named(encoder, encoder.request_row({"hour": 9, "tags": ["y"]})) == [
        {"context.hour=9": 1, "context.tags=y": 1}
    ]
    with pytest.raises(ParameterError, match=r"context\['tags'\] is tags and must be a list of texts"):
        encoder.request_row({"tags": "x"})


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"user_columns": ["agee"]}, ParameterError, "user_columns names 'agee', .* there are: age, country"),
        ({"item_columns": ["genres", "genres"]}, ParameterError, "item_columns names 'genres' twice"),
        ({"context_columns": "device"}, ParameterError, "must be a list of names"),
        (
            {"context_columns": ["hour"]},
            ParameterError,
            "context_columns names 'hour', .* there are: device, noise",
        ),
        ({"encode": {"hour": "quantile"}}, ParameterError, "encode names 'hour'"),
        (
            {"encode": {"age": "hashing"}},
            ParameterError,
            r"encode\['age'\]: a numeric column has no encoding",
        ),
    ],
)
def test_wrong_columns_are_refused(data, arguments, error, says):
    with pytest.raises(error, match=says):
        EventEncoder.fit(data, **arguments)


def test_columns_of_a_table_that_is_not_there_are_refused():
    data = sl.read(pl.DataFrame({"user_id": [1], "item_id": [2]}), kind="events")
    assert EventEncoder.fit(data, context_columns=None).names == ["user_id=1", "item_id=2"]
    with pytest.raises(DataError, match="user_columns names age, and this data has no user features"):
        EventEncoder.fit(data, user_columns=["age"])
    with pytest.raises(ParameterError, match=r"context_columns names 'hour', .*there are: none"):
        EventEncoder.fit(data, context_columns=["hour"])


def test_a_context_that_does_not_fit_is_refused(everything):
    with pytest.raises(DataError, match="has 2 rows for 3 events"):
        everything.context_rows(pl.DataFrame({"device": ["tv", "tv"]}), 3)
    with pytest.raises(DataError, match="'device' is numeric here and was categorical before"):
        everything.context_rows(pl.DataFrame({"device": [1.0]}), 1)
    infinite = pl.DataFrame({"noise": [1.0, float("inf")]})
    with pytest.raises(DataError, match="'noise' is infinite in row 1"):
        everything.context_rows(infinite, 2)


def test_a_context_column_of_no_kind_or_named_id_is_refused():
    frame = pl.DataFrame({"user_id": [1], "item_id": [2], "id": ["x"], "blob": [b"x"]})
    data = sl.read(frame, kind="events", context=["id", "blob"])
    with pytest.raises(DataError, match="'blob' is Binary, which is no kind of feature"):
        EventEncoder.fit(data, context_columns=["blob"])
    with pytest.raises(ParameterError, match="cannot be called 'id'"):
        EventEncoder.fit(data, context_columns=["id"])


def test_columns_that_hold_nothing_are_no_fields():
    users = pl.DataFrame(
        {"user_id": [1, 2], "none": pl.Series([None, None], dtype=pl.String), "same": [4.0, 4.0]}
    )
    data = sl.read(
        pl.DataFrame({"user_id": [1], "item_id": [2], "gone": [None]}),
        users=users,
        kind="events",
        context=["gone"],
    )
    encoder = EventEncoder.fit(data, context_columns=None)
    assert [field.name for field in encoder.fields] == ["user_id", "same", "item_id"]
    assert named(encoder, encoder.user_rows(data.users, data.user_features)) == [{"user_id=1": 1}, {}]
    assert encoder.context_rows(pl.DataFrame({"gone": ["now"]}), 1).nnz == 0
