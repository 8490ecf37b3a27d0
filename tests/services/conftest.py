"""Tests that need a server run only where they are asked for: pytest -m services, or make test-services."""

import pytest
from services.postgresql import PASSWORD, Server


def pytest_collection_modifyitems(config, items):
    if "services" in config.getoption("markexpr"):
        return
    left_out = [item for item in items if item.get_closest_marker("services")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("services")]


@pytest.fixture(scope="session")
def server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def password(monkeypatch):
    monkeypatch.setenv("PGTEST_PASSWORD", PASSWORD)
