"""Set-up of training runs that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.small_runs import one_thread, write_run


@pytest.fixture(scope="module", autouse=True)
def alone() -> Iterator[None]:
    """One thread, and the environment as it was."""
    with one_thread():
        yield


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of a run of seconds over shards of beeps; both are only read."""
    return write_run(tmp_path_factory.mktemp("data"))
