"""A hint to the processor that an entry of an array will soon be read; it changes no result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_FOR_READING, _KEEP_CLOSE, _DATA = 0, 3, 1  # operands of LLVM's prefetch
code: Any = cgutils  # without types of its own


def _prefetch(_typing_context: Any, array: Any, row: Any, column: Any) -> tuple[Any, Callable[..., Any]]:
    """Start to load the cache line of `array[row, column]`, of a two-dimensional array, within kernels only.

    The entry must exist: row and column are not checked, and negative ones do not count from the end.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        structure = context.make_array(kind)(context, builder, arguments[0])
        at = [
            context.cast(builder, value, given, types.intp)
            for value, given in zip(arguments[1:], signature.args[1:], strict=True)
        ]
        place = code.get_item_pointer(context, builder, kind, structure, at, wraparound=False)
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        hint = code.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, number, number, number]),
            "llvm.prefetch.p0i8",
        )
        operands = [number(flag) for flag in (_FOR_READING, _KEEP_CLOSE, _DATA)]
        builder.call(hint, [builder.bitcast(place, byte), *operands])
        return context.get_dummy_value()

    return types.void(array, row, column), generate


# What a kernel calls has no typing context: numba gives it.
prefetch: Any = intrinsic(_prefetch)
