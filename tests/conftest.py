"""What all tests share: a seeded generator, and how hypothesis searches."""

import os

import hypothesis
import numpy as np
import pytest

# No deadline: the first call of a kernel compiles it. Where nobody can look at the example, it is a fixed one.
hypothesis.settings.register_profile("here", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator of its own for each test, always in the same state."""
    return np.random.default_rng(20_120_511)
