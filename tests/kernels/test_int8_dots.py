"""Dot products of bytes: both forms give what integers give, and VNNI is what other processors compile."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llvmlite import binding, ir

from shortlist.kernels import int8_dots
from shortlist.kernels.int8_dots import all_dots, has_vnni


@pytest.mark.parametrize("portable", [True, False])
@given(
    blocks=st.integers(0, 3), groups=st.integers(0, 20), extreme=st.booleans(), seed=st.integers(0, 2**32 - 1)
)
def test_equal_to_integers(portable, blocks, groups, extreme, seed):
    rng = np.random.default_rng(seed)
    span = [-127, 127] if extreme else np.arange(-127, 128)
    items = rng.choice(span, (16 * blocks, 4 * groups))
    query = rng.choice(span, 4 * groups).astype(np.int16)
    packed = (items + 128).astype(np.uint8).reshape(blocks, 16, groups, 4).transpose(0, 2, 1, 3).ravel()
    out = np.empty(16 * blocks, np.int32)
    all_dots(np.ascontiguousarray(packed), query.astype(np.int8).view(np.int32), query, out, portable)
    assert out.tolist() == (items @ query.astype(np.int64)).tolist()


def test_the_processor_tells():
    assert has_vnni("+avx2,+avx512vnni,+fma")
    assert not has_vnni("+avx2,-avx512vnni,+avxvnni")


def assembly(block, processor):
    byte, word, half, count = (ir.IntType(n) for n in (8, 32, 16, 64))
    module = ir.Module()
    module.triple = "x86_64-unknown-linux-gnu"
    kinds = [
        byte.as_pointer(),
        word.as_pointer(),
        half.as_pointer(),
        count,
        ir.VectorType(word, 16).as_pointer(),
    ]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), "dots")
    builder = ir.IRBuilder(function.append_basic_block())
    *given_, out = function.args
    builder.store(block(builder, *given_), out)
    builder.ret_void()
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    machine = binding.Target.from_triple(module.triple).create_target_machine(cpu=processor, opt=3)
    return machine.emit_assembly(binding.parse_assembly(str(module)))


def test_vnni_compiles_to_its_instruction():
    assert "vpdpbusd" in assembly(int8_dots._vnni_block, "cascadelake")


def test_the_portable_form_multiplies_and_adds_pairs():
    text = assembly(int8_dots._wide_block, "znver3")
    assert text.count("vpmaddwd") == 4
    assert "vpmulld" not in text
