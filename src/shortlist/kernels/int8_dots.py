"""Dot products of bytes: sixteen packed items with one query, exact in int32.

Items are packed so that one 512-bit load holds the same four dims of sixteen items:

    packed[block][group][item in block][dim in group]     uint8: the int8 value + 128

Items and dims are filled up to whole blocks and groups with 128, the value 0. A sum over the bytes exceeds the dot
product by 128 Σ query, which the caller takes off. Two forms give the same integers: one instruction of AVX-512 VNNI
that multiplies and adds four bytes in each of sixteen lanes, and one for every processor that widens to 16 bits
first (on AVX2 LLVM makes `vpmaddwd` of it). Which one a kernel is compiled with is told by the features that numba
compiles for, and these are part of the key of its cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from shortlist.kernels.jit import fast_kernel, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 16
"""Items of a block."""
GROUP = 4
"""Dims of a group."""

VNNI = "llvm.x86.avx512.vpdpbusd.512"
LARGEST = 127
"""Of the values, either way."""
SMALLEST_STEP = 2.0**-120
"""A smaller one would lose its own digits to gradual underflow."""

code: Any = cgutils  # without types of its own
_byte, _half, _word = ir.IntType(8), ir.IntType(16), ir.IntType(32)


def has_vnni(features: str) -> bool:
    """Return whether the comma-separated processor features of LLVM hold AVX-512 VNNI."""
    return "+avx512vnni" in features.split(",")


def _vector(builder: Any, pointer: Any, element: Any, length: int) -> Any:
    """Load `length` elements from any address."""
    loaded = builder.load(builder.bitcast(pointer, ir.VectorType(element, length).as_pointer()))
    loaded.align = 1
    return loaded


def _picked(builder: Any, vector: Any, lanes: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(_word, len(lanes)), lanes)
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), mask)


def _vnni_block(builder: Any, packed: Any, query8: Any, _query16: Any, groups: Any) -> Any:
    """Return int32[16] by one instruction a group."""
    lanes = ir.VectorType(_word, BLOCK)
    multiply_add = code.get_or_insert_function(builder.module, ir.FunctionType(lanes, [lanes] * 3), VNNI)
    total = code.alloca_once_value(builder, ir.Constant(lanes, [0] * BLOCK))
    with code.for_range(builder, groups) as loop:
        here = builder.gep(packed, [builder.mul(loop.index, loop.index.type(BLOCK * GROUP))])
        bytes_ = _vector(builder, here, _word, BLOCK)
        four = _vector(builder, builder.gep(query8, [loop.index]), _word, 1)
        everywhere = _picked(builder, four, [0] * BLOCK)
        builder.store(builder.call(multiply_add, [builder.load(total), bytes_, everywhere]), total)
    return builder.load(total)


def _wide_block(builder: Any, packed: Any, _query8: Any, query16: Any, groups: Any) -> Any:
    """Return int32[16] by multiplying in 16 bits: four items at a time, two sums of two dims each."""
    half, pairs = ir.VectorType(_word, 16), ir.VectorType(_word, 8)
    totals = [code.alloca_once_value(builder, ir.Constant(pairs, [0] * 8)) for _ in range(4)]
    with code.for_range(builder, groups) as loop:
        here = builder.gep(packed, [builder.mul(loop.index, loop.index.type(BLOCK * GROUP))])
        four = _vector(
            builder, builder.gep(query16, [builder.mul(loop.index, loop.index.type(GROUP))]), _half, GROUP
        )
        repeated = builder.sext(_picked(builder, four, [0, 1, 2, 3] * 4), half)
        for quarter, total in enumerate(totals):
            part = _vector(builder, builder.gep(here, [_word(16 * quarter)]), _byte, 16)
            product = builder.mul(builder.zext(part, half), repeated)
            even, odd = (_picked(builder, product, list(range(first, 16, 2))) for first in (0, 1))
            builder.store(builder.add(builder.load(total), builder.add(even, odd)), total)
    sums = [_joined(builder, *(builder.load(total) for total in totals[at : at + 2])) for at in (0, 2)]
    return _side_by_side(builder, *sums)


def _joined(builder: Any, a: Any, b: Any) -> Any:
    """Return int32[8]: the sums of neighbouring lanes of `a`, then those of `b`."""
    even, odd = (ir.Constant(ir.VectorType(_word, 8), list(range(first, 16, 2))) for first in (0, 1))
    return builder.add(builder.shuffle_vector(a, b, even), builder.shuffle_vector(a, b, odd))


def _side_by_side(builder: Any, a: Any, b: Any) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_word, 16), list(range(16))))


def _typed(portable: bool) -> Callable[..., tuple[Any, Callable[..., Any]]]:
    def block_dots(
        _typing_context: Any, packed: Any, _at: Any, query8: Any, query16: Any, out: Any, _out_at: Any
    ) -> tuple[Any, Callable[..., Any]]:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            arrays = [
                context.make_array(signature.args[a])(context, builder, arguments[a]) for a in (0, 2, 3, 4)
            ]
            target = context.codegen().magic_tuple()[2]
            block = _vnni_block if not portable and has_vnni(target) else _wide_block
            start = builder.gep(arrays[0].data, [arguments[1]])
            dots = block(builder, start, arrays[1].data, arrays[2].data, arrays[1].nitems)
            place = builder.gep(arrays[3].data, [arguments[5]])
            builder.store(dots, builder.bitcast(place, dots.type.as_pointer())).align = 1
            return context.get_dummy_value()

        return types.void(packed, types.intp, query8, query16, out, types.intp), generate

    block_dots.__doc__ = """Write the sums of a block of `packed`, which begins at a byte, to 16 entries of `out`.

    query8 int32[groups]: four int8 values each; query16 int16[4 · groups]: the same values. In kernels only.
    """
    return block_dots


block_dots: Any = intrinsic(_typed(portable=False))
portable_block_dots: Any = intrinsic(_typed(portable=True))


@fast_kernel
def quantise_rows(
    rows: NDArray[np.float32],
    packed: NDArray[np.uint8],
    step: NDArray[np.float32],
    start: int,
    stop: int,
) -> tuple[float, float]:
    """Pack the rows of the blocks [start, stop) as int8 multiples of a step a row; return two largest ratios.

    packed uint8[blocks · 16 · groups · 4]; step float32[n]: the largest of |row| over 127, 0 for a row of zeros. The
    ratios, over the rows of these blocks: ‖row − step · values‖ / step and ‖values‖.
    """
    dim, worst, longest = rows.shape[1], 0.0, 0.0
    width = -(-dim // 4) * 4
    packed[start * 16 * width : stop * 16 * width] = 128
    for r in range(start * 16, min(stop * 16, rows.shape[0])):
        row = rows[r]
        largest = np.float32(0.0)
        for f in range(dim):
            largest = max(largest, abs(row[f]))
        step[r] = 0.0
        if largest == 0.0:
            continue
        unit = np.float32(max(np.float64(largest) / LARGEST, SMALLEST_STEP))
        step[r], a_step = unit, 1.0 / np.float64(unit)
        base = (r // 16) * 16 * width + (r % 16) * 4
        error, length = 0.0, 0.0
        for f in range(dim):
            exact = np.float64(row[f]) * a_step
            value = min(max(np.rint(exact), -LARGEST), LARGEST)
            packed[base + (f // 4) * 64 + f % 4] = np.uint8(np.int64(value) + 128)
            left = exact - value
            error += left * left
            length += value * value
        worst, longest = max(worst, error), max(longest, length)
    return np.sqrt(worst), np.sqrt(longest)


@kernel
def all_dots(
    packed: NDArray[np.uint8],
    query8: NDArray[np.int32],
    query16: NDArray[np.int16],
    out: NDArray[np.int32],
    portable: bool,
) -> None:
    """Write int32[16 · blocks]: the dot product of every packed item with the query, by either form."""
    size = query8.size * 64
    shift = np.int32(0)
    for f in range(query16.size):
        shift += np.int32(128) * np.int32(query16[f])
    for b in range(out.size // 16):
        if portable:
            portable_block_dots(packed, b * size, query8, query16, out, b * 16)
        else:
            block_dots(packed, b * size, query8, query16, out, b * 16)
    out -= shift
