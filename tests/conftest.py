"""What all tests share: a seeded generator, how hypothesis searches, and the threads of a worker of pytest-xdist."""

import os
import signal

import hypothesis
import numpy as np
import pytest

# No deadline: the first call of a kernel compiles it. Where nobody can look at the example, it is a fixed one.
hypothesis.settings.register_profile("here", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")

# Workers share the cores. The threads of BLAS and OpenMP spin while they wait; ours do not, and two of them keep the
# parallel way through every kernel under test.
THREADS_OF_A_WORKER = {
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "2",
    "SHORTLIST_NUM_THREADS": "2",
}


def pytest_configure() -> None:
    """Let Ctrl-C through where a shell started the tests in the background, which ignores it: some tests raise it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Set the threads of the workers to come, which read them when NumPy and PyTorch are imported."""
    for name, number in THREADS_OF_A_WORKER.items():
        os.environ.setdefault(name, number)


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator of its own for each test, always in the same state."""
    return np.random.default_rng(20_120_511)
