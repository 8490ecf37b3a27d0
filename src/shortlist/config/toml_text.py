"""Values as TOML text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime

from shortlist.errors import ParameterError

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml(value: object) -> str:
    """Return `value` as it stands in a TOML file: text, numbers, true and false, times, lists, inline tables.

    Raises `ParameterError` for anything else, and for text with half a surrogate pair, which no file can hold.

    >>> toml({"a key": ["x", 1.5, True]})
    '{ "a key" = ["x", 1.5, true] }'
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{toml_key(key)} = {toml(entry)}' for key, entry in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    raise ParameterError(f"a configuration file cannot hold {value!r}")


def toml_key(key: str) -> str:
    """Return `key` as it stands in a TOML file, in quotes where it needs them.

    >>> toml_key("user_id"), toml_key("user id")
    ('user_id', '"user id"')
    """
    return key if _BARE_KEY.fullmatch(key) else _text(key)


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ParameterError(f"{value!r} is no Unicode text, which a configuration file needs") from error
    # JSON escapes what TOML wants escaped, and in the same way, but for the delete character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
