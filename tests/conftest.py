"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

# Machines that run tests are shared: a slow example is no failure.
settings.register_profile("mt3drum", deadline=None)
settings.load_profile("mt3drum")
