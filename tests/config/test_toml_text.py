import tomllib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.config.toml_text import toml, toml_key
from shortlist.errors import ParameterError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = TEXT | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=8)


@given(st.dictionaries(TEXT, VALUES))
def test_what_is_written_is_what_is_read(table):
    text = "".join(f"{toml_key(key)} = {toml(value)}\n" for key, value in table.items())
    assert tomllib.loads(text) == table


def test_times_are_times():
    moment = datetime(2024, 5, 6, 7, 8, tzinfo=UTC)
    assert tomllib.loads(f"at = {toml(moment)}") == {"at": moment}


@pytest.mark.parametrize("value", ["\ud800", b"bytes", None, [None]])
def test_what_no_file_can_hold_is_refused(value):
    with pytest.raises(ParameterError):
        toml(value)
