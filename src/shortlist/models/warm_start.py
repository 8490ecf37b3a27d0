"""What a fit takes over from an earlier model: rows matched by id, whatever the two vocabularies hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.vocabulary import Vocabulary

Scalar = TypeVar("Scalar", bound=np.generic)


def rows_at(
    rows: NDArray[Scalar], known: NDArray[np.bool_], old: Vocabulary, new: Vocabulary
) -> tuple[NDArray[Scalar], NDArray[np.bool_]]:
    """Return a row of `rows` [len(old), …] for each id of `new`, and bool[len(new)]: whether it has one.

    An id has one where `old` holds it and `known` bool[len(old)] holds for it; the others get zeros.
    """
    at = old.index_of(new.ids)
    found = at >= 0
    found[found] = known[at[found]]
    out = np.zeros((len(new), *rows.shape[1:]), rows.dtype)
    out[found] = rows[at[found]]
    return out, found
