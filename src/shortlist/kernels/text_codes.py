"""Equal texts get equal numbers, by hashing their bytes where they stand, so that no strings are made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A span is start << LENGTH_BITS | length: of bytes anywhere in 2^47, and fewer than 2^16.
LENGTH_BITS = 16
LONGEST = (1 << LENGTH_BITS) - 1
FIRST_SLOTS = 1 << 12
# 2^64 divided by the golden ratio, as Knuth has it for multiplicative hashing (volume 3, section 6.4).
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
HALF, BYTE, WORD, ONE = np.uint64(32), np.uint64(8), np.uint64(8), np.uint64(1)


@kernel
def number_texts(
    data: NDArray[np.uint8], spans: NDArray[np.int64], start: int, stop: int, most: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Replace the spans in spans[start:stop] by the numbers of the texts in `data` that stand there.

    Texts are numbered from 0 in the order in which they are first met. Returned are their bytes, one text behind the
    other, and their spans in those. Where there are more than `most`, the rest is left as it is, and most + 1 are
    returned. Cost: O(bytes); 24 bytes and its own, or up to four times as much, for each distinct text.
    """
    slots, hashes = np.full(FIRST_SLOTS, -1, np.int32), np.empty(FIRST_SLOTS // 2, np.uint64)
    mask = np.uint64(FIRST_SLOTS - 1)
    # Copies of the texts lie close together, unlike the places in `data` where they were first met.
    texts, copies, n, used = np.empty(FIRST_SLOTS // 2, np.int64), np.empty(1 << 16, np.uint8), 0, 0
    for row in range(start, stop):
        span = spans[row]
        hashed = _hash(data, span)
        slot = hashed & mask
        while slots[slot] >= 0:
            known = slots[slot]
            if hashes[known] == hashed and _equal(copies, texts[known], data, span):
                break
            slot = (slot + ONE) & mask
        if slots[slot] >= 0:
            spans[row] = slots[slot]
            continue
        first, length = span >> LENGTH_BITS, span & LONGEST
        if used + length > copies.size:
            longer = np.empty(2 * copies.size, np.uint8)
            for i in range(used):
                longer[i] = copies[i]
            copies = longer
        for i in range(length):
            copies[used + i] = data[first + i]
        slots[slot], texts[n], hashes[n] = n, used << LENGTH_BITS | length, hashed
        spans[row] = n
        used, n = used + length, n + 1
        if n > most:
            break
        if n == texts.size:
            # At most half of the slots are taken.
            more_texts, more_hashes = np.empty(4 * n, np.int64), np.empty(4 * n, np.uint64)
            for i in range(n):
                more_texts[i], more_hashes[i] = texts[i], hashes[i]
            texts, hashes = more_texts, more_hashes
            slots = _spread(hashes, n, 4 * slots.size)
            mask = np.uint64(slots.size - 1)
    return copies[:used], texts[:n]


@kernel
def _spread(hashes: NDArray[np.uint64], n: int, n_slots: int) -> NDArray[np.int32]:
    # The slots of a larger table with the first `n` texts.
    slots, mask = np.full(n_slots, -1, np.int32), np.uint64(n_slots - 1)
    for text in range(n):
        slot = hashes[text] & mask
        while slots[slot] >= 0:
            slot = (slot + ONE) & mask
        slots[slot] = text
    return slots


@kernel
def _hash(data: NDArray[np.uint8], span: int) -> np.uint64:
    # Eight bytes at a time; the upper half, which a product mixes best, is folded onto the lower, which chooses slots.
    length, i = np.uint64(span & LONGEST), np.uint64(span >> LENGTH_BITS)
    end, hashed = i + length, length
    while i < end:
        word, last = np.uint64(0), min(i + WORD, end)
        while i < last:
            word = (word << BYTE) | np.uint64(data[i])
            i += ONE
        hashed = (hashed ^ word) * GOLDEN
        hashed ^= hashed >> HALF
    return hashed


@kernel
def _equal(texts: NDArray[np.uint8], span: int, data: NDArray[np.uint8], other: int) -> bool:
    if (span ^ other) & LONGEST:
        return False
    first, second = np.uint64(span >> LENGTH_BITS), np.uint64(other >> LENGTH_BITS)
    for _ in range(span & LONGEST):
        if texts[first] != data[second]:
            return False
        first += ONE
        second += ONE
    return True
