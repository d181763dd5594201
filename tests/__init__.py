"""Tests, in folders like those of the code they test."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""
