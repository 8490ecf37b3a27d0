"""Ids as typed: the kind that the data has, and what was probably meant where there is no such id."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from shortlist.errors import ParameterError, UnknownIdError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shortlist.data.memory import Memory
    from shortlist.data.vocabulary import Id, Vocabulary

MAX_NAMED = 5


UNKNOWN_HINT = (
    "--on-unknown fallback gives unknown users the popular items, --on-unknown skip leaves them out"
)


def typed_users(
    texts: Sequence[str], memory: Memory, *, must_exist: bool, hint: str = UNKNOWN_HINT
) -> list[Id]:
    """Return the distinct user ids that `texts` stand for, in the order given.

    Raises `UnknownIdError` with the nearest ids for the first that is not in the data, where all must be.
    """
    users = memory.users
    ids = list(dict.fromkeys(users.parse(text) for text in texts))
    for user in ids:
        if not must_exist and users.kind == "integer" and isinstance(user, str):
            raise ParameterError(f"{user!r} cannot be a user: the user ids of this data are integers")
        if must_exist and not _exists(user, users):
            raise UnknownIdError(f"{_unknown(user, users, 'user')}\n{hint}".rstrip())
    return ids


def typed_items(texts: Iterable[str], memory: Memory) -> list[Id]:
    """Return the distinct item ids that `texts` stand for, in the order given.

    Spaces around a text are part of the id where the data has such an id. Raises `UnknownIdError` with the nearest ids,
    and the items whose title holds the text, for the first unknown one.
    """
    ids = list(dict.fromkeys(_typed_item(text, memory.items) for text in texts))
    for item in ids:
        if not _exists(item, memory.items):
            titled = "".join(f"\n  {found}" for found in _with_title(str(item), memory))
            hint = f"\nitems with {str(item)!r} in their title:{titled}" if titled else ""
            raise UnknownIdError(_unknown(item, memory.items, "item") + hint)
    return ids


def split_lists(texts: Iterable[str]) -> list[str]:
    """Return the ids of options that hold several: separated by commas, or one a line of the file named after @."""
    ids: list[str] = []
    for text in texts:
        ids += lines_of(Path(text[1:])) if text.startswith("@") else text.split(",")
    return [part for part in ids if part.strip()]


def lines_of(file: Path) -> list[str]:
    """Return the lines of a text file. Raises `ParameterError` unless it is UTF-8."""
    try:
        # Not splitlines(), which also splits at characters that an id may hold, such as U+2028.
        return file.read_text("utf-8").split("\n")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ParameterError(f"{file}, line {line}: not UTF-8 text; save the file in UTF-8") from error


def _typed_item(text: str, items: Vocabulary) -> Id:
    exact = items.parse(text)
    # A file may begin with a byte order mark, and so may an id.
    return exact if _exists(exact, items) else items.parse(text.removeprefix("\ufeff").strip())


def _exists(item: Id, vocabulary: Vocabulary) -> bool:
    return bool(vocabulary.index_of([item])[0] >= 0)


def _unknown(item: Id, vocabulary: Vocabulary, what: str) -> str:
    spelled = [str(known) for known in vocabulary.ids.to_list()]
    near = get_close_matches(str(item), spelled, n=MAX_NAMED)
    hint = (
        f"the nearest are {', '.join(near)}"
        if near
        else f"there are {what}s such as {', '.join(spelled[:3])}"
    )
    return f"there is no {what} {str(item)!r} among the {len(vocabulary):,}; {hint}"


def _with_title(text: str, memory: Memory) -> list[str]:
    """Return the id and title of the first items whose title holds `text`, most liked first."""
    if memory.titles is None:
        return []
    titles = enumerate(memory.titles.to_list())
    found = [at for at, title in titles if title is not None and text.casefold() in title.casefold()]
    found.sort(key=lambda at: -int(memory.n_positive[at]))
    return [f"{memory.items.ids[at]}  {memory.titles[at]}" for at in found[:MAX_NAMED]]
