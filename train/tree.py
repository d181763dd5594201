"""Nested settings: sections, dotted names, and what wins where two say something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings as one; where both have a value, that of `other`."""
    found = dict(one)
    for name, value in other.items():
        here = found.get(name)
        if isinstance(here, Mapping) and isinstance(value, Mapping):
            value = merged(here, value)
        found[name] = value
    return found


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted names as sections."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        value = nested(value) if isinstance(value, Mapping) else value
        first, *rest = str(name).split(".")
        for part in reversed(rest):
            value = {part: value}
        found = merged(found, {first: value})
    return found


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Sections as dotted names; tuples as the lists that YAML and JSON know."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = list(value) if isinstance(value, tuple) else value
    return found
