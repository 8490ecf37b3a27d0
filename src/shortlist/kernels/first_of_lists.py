"""The first permitted items of several ranked lists for each row: of its groups, of the items of its past.

| symbol | meaning |
|---|---|
| ptr, wanted | CSR of rows: the lists that each asks for, most wanted first |
| l_ptr, l_item | the lists: distinct items, best first |
| item_rule | int8[n_items], not 0: forbidden to every row |
| f_ptr, forbidden | the items that each row forbids |
| mark | int32[n_items], all 0: row r marks with r − start + 1 |
| out | int64[asked, k]: positions in l_item, −1 at the unused end |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@kernel
def first_of_lists(
    ptr: NDArray[np.int64],
    wanted: NDArray[np.int32],
    l_ptr: NDArray[np.int64],
    l_item: NDArray[np.int32],
    item_rule: NDArray[np.int8],
    f_ptr: NDArray[np.int64],
    forbidden: NDArray[np.int32],
    apart: bool,
    mark: NDArray[np.int32],
    out: NDArray[np.int64],
    start: int,
    stop: int,
) -> None:
    """Write the first k permitted items of every list that rows `start` to `stop` ask for.

    `apart`: an item that an earlier list of the row gave is left out of the later ones, which go on to their next.
    Cost: the items looked at, which are those written and the forbidden ones before them.
    """
    for row in range(start, stop):
        own = row - start + 1
        for at in range(f_ptr[row], f_ptr[row + 1]):
            mark[forbidden[at]] = own
        for asked in range(ptr[row], ptr[row + 1]):
            found = 0
            for at in range(l_ptr[wanted[asked]], l_ptr[wanted[asked] + 1]):
                if found == out.shape[1]:
                    break
                item = l_item[at]
                if item_rule[item] == 0 and mark[item] != own:
                    out[asked, found] = at
                    found += 1
                    if apart:
                        mark[item] = own
            for rest in range(found, out.shape[1]):
                out[asked, rest] = -1
