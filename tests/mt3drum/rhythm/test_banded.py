"""The banded solver against NumPy's dense one."""

import numpy as np
import pytest

from mt3drum.rhythm.estimate import _solve_banded


@pytest.mark.parametrize("count", [1, 2, 3, 60])
def test_a_banded_system_is_solved(count: int) -> None:
    rng = np.random.default_rng(count)
    system = np.stack([20 + rng.random(count), rng.random(count) - 4, 1 + rng.random(count)])
    target = rng.random(count)
    dense = np.diag(system[0])
    for row in (1, 2):
        if row < count:
            dense += np.diag(system[row, : count - row], row) + np.diag(system[row, : count - row], -row)
    np.testing.assert_allclose(_solve_banded(system, target), np.linalg.solve(dense, target), atol=1e-12)
