"""No kernel calls itself: numba loads recursive kernels from its cache as code that ends the process."""

import ast
from pathlib import Path

import shortlist.kernels

KERNELS = Path(shortlist.kernels.__file__).parent


def calls_of(source):
    """Return {function: names it calls} of the module-level functions in `source`."""
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return {
        function.name: {
            call.func.id
            for call in ast.walk(function)
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        }
        for function in functions
    }


def in_a_circle(calls):
    """Return the functions that call themselves, by way of others or not."""

    def reached(name):
        found, todo = set(), list(calls[name])
        while todo:
            called = todo.pop()
            if called in calls and called not in found:
                found.add(called)
                todo += calls[called]
        return found

    return sorted(name for name in calls if name in reached(name))


def test_a_circle_is_seen():
    assert in_a_circle(
        calls_of("def a(n):\n    return b(n)\ndef b(n):\n    return a(n)\ndef c():\n    a(1)")
    ) == [
        "a",
        "b",
    ]


def test_no_kernel_calls_itself():
    files = sorted(KERNELS.glob("*.py"))
    assert len(files) > 40
    found = {file.name: in_a_circle(calls_of(file.read_text(encoding="utf-8"))) for file in files}
    assert {name: names for name, names in found.items() if names} == {}
