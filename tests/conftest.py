"""Settings of all tests."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# Machines that run tests are shared: a slow example is no failure.
settings.register_profile("mt3drum", deadline=None)
settings.load_profile("mt3drum")

if "PYTEST_XDIST_WORKER" in os.environ:
    # Before torch is imported: the workers are what fills the cores, not threads in each of them.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

SLOW_TIMEOUT = 3600
"""Seconds a test marked `slow` may take; the others have `timeout` of pyproject.toml."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give slow tests their time."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT))
