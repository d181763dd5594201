"""Settings of all tests."""

from __future__ import annotations

import pytest
from hypothesis import settings

# Machines that run tests are shared: a slow example is no failure.
settings.register_profile("mt3drum", deadline=None)
settings.load_profile("mt3drum")

SLOW_TIMEOUT = 3600
"""Seconds a test marked `slow` may take; the others have `timeout` of pyproject.toml."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give slow tests their time."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT))
