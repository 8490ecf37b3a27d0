import pytest

from shortlist.data.columns import ColumnMap, find_events, find_id, plain
from shortlist.errors import DataError, ParameterError


def roles(columns, **mapped):
    return {role: use.column for role, use in find_events("events.csv", columns, mapped).items()}


@pytest.mark.parametrize(
    ("columns", "wanted"),
    [
        (["user_id", "item_id", "value", "timestamp"], ["user_id", "item_id", "value", "timestamp"]),
        (["userId", "movieId", "rating", "timestamp"], ["userId", "movieId", "rating", "timestamp"]),
        (["Time", "ITEM", "User ID", "Weight"], ["User ID", "ITEM", "Weight", "Time"]),
        (
            ["customer", "product_id", "quantity", "datetime"],
            ["customer", "product_id", "quantity", "datetime"],
        ),
        (["uid", "iid", "stars", "created_at"], ["uid", "iid", "stars", "created_at"]),
    ],
)
def test_common_spellings_are_recognised(columns, wanted):
    assert list(roles(columns).values()) == wanted


def test_value_and_timestamp_are_optional():
    assert roles(["user", "item", "colour"]) == {"user_id": "user", "item_id": "item"}


def test_the_default_name_wins_over_a_spelling_and_an_id_over_a_name():
    columns = ["userId", "user_id", "movie", "movieId", "rating", "value", "date", "timestamp"]
    assert roles(columns) == {
        "user_id": "user_id",
        "item_id": "movieId",
        "value": "value",
        "timestamp": "timestamp",
    }


def test_mapped_columns_are_taken_and_not_taken_twice():
    assert roles(["user", "item", "date", "time"], timestamp="time")["timestamp"] == "time"
    assert roles(["user", "customer", "item"], item_id="user") == {"user_id": "customer", "item_id": "user"}
    assert "value" not in roles(["user", "item", "rating"], value=None)


def test_how_a_column_was_found_is_said():
    uses = find_events("events.csv", ["user_id", "movieId", "points"], {"value": "points"})
    assert [use.how for use in uses.values()] == ["by its name", "recognised", "mapped"]


def test_a_missing_column_is_named_with_the_nearest():
    with pytest.raises(
        DataError, match=r"events.csv: there is no column 'ratng', did you mean 'rating'\?; columns: user"
    ):
        roles(["user", "item", "rating"], value="ratng")
    with pytest.raises(
        DataError, match=r"no column is recognised as user_id, is it 'userr_id'\?.*columns=\{\"user_id\""
    ):
        roles(["userr_id", "item"])


def test_a_file_without_a_header_is_told_so():
    with pytest.raises(DataError, match="The first line must be a header, such as user_id,item_id"):
        roles(["1", "31", "2.5", "1260759144"])


def test_the_id_of_a_feature_table_may_be_called_id():
    assert find_id("movies.csv", "items", ["id", "title"], None).column == "id"
    assert find_id("movies.csv", "items", ["id", "movieId"], None).column == "movieId"
    assert find_id("people.csv", "users", ["key", "age"], "key").column == "key"
    with pytest.raises(
        DataError, match=r'no column is recognised as user_id.*columns=\{"users": \{"user_id": …\}\}'
    ):
        find_id("people.csv", "users", ["key", "age"], None)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"usr_id": "x"}, "no role 'usr_id', did you mean 'user_id'"),
        ({"user_id": None}, "only value and timestamp may be None"),
        ({"user_id": 3}, "must be the name of a column, got 3"),
        ({"user_id": "a", "item_id": "a"}, "one column is given two roles"),
        ({"items": {"user_id": "a"}}, r"must be \{\"item_id\": name of its id column\}"),
        (
            {"impressions": {"value": "a"}},
            r"must be a table of user_id, item_id, timestamp → name of a column",
        ),
        ({"impression": {}}, "no role 'impression', did you mean 'impressions'"),
        ({"users": "a"}, r"must be \{\"user_id\": name of its id column\}"),
    ],
)
def test_a_wrong_map_says_what_is_right(columns, message):
    with pytest.raises(ParameterError, match=message):
        ColumnMap.of(columns)


def test_a_missing_column_says_both_ways_of_naming_it():
    with pytest.raises(DataError, match=r"columns=\{\"item_id\": …\} \(--column item_id=…\)"):
        roles(["user", "thing", "stars"])
    with pytest.raises(DataError, match=r"\(--column items.item_id=…\)"):
        find_id("goods.csv", "items", ["ref", "title"], None)


def test_a_delimiter_in_the_names_is_pointed_at():
    with pytest.raises(DataError, match=r"There is ';' in the names: is it the delimiter\? delimiter=';'"):
        roles(["user;item;rating", "comment"])


@pytest.mark.parametrize(
    ("columns", "table"),
    [(["movieId", "title", "genres"], "items"), (["user_id", "age"], "users"), (["id", "title"], "items")],
)
def test_a_feature_table_given_as_events_is_told_so(columns, table):
    with pytest.raises(
        DataError, match=f"This looks like a table of {table}, one row each: give it as {table}=…"
    ):
        roles(columns)


def test_events_without_one_of_the_ids_are_not_taken_for_features():
    with pytest.raises(DataError) as caught:
        roles(["who", "movieId", "rating", "timestamp"])
    assert "looks like a table" not in str(caught.value)


def test_impressions_are_mapped_as_the_events_where_they_have_the_column():
    names = ColumnMap.of(
        {"user_id": "who", "timestamp": "when", "value": None, "impressions": {"timestamp": "at"}}
    )
    assert names.of_impressions(["who", "item", "at"]) == {"user_id": "who", "value": None, "timestamp": "at"}
    assert names.of_impressions(["user", "item", "at"]) == {"value": None, "timestamp": "at"}


def test_names_are_compared_without_case_spaces_and_punctuation():
    assert plain(" User-ID_") == "userid"
