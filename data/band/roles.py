"""Names of recorded instruments: which ones are percussion, and the role of the others in a band."""

from __future__ import annotations

EXCLUDED = (
    "helicopter",
    "seashore",
    "timpani",
    "steel_drum",
    "taiko",
    "woodblock",
    "synth_drum",
    "reverse_cymbal",
    "gunshot",
    "applause",
    "xylophone",
    "glockenspiel",
    "tubular",
    "melodic_tom",
    "agogo",
    "tinkle",
)
"""Substrings of instrument names that are percussion or sound effects: never in a drumless band."""
EXCLUDED_LOOPS = ("fishin", "drum", "perc", "beat", "bass_hit", "bass_drop", "voxy_hit")
"""Substrings of excluded clip names: "Lets Go Fishin" may contain percussion (README of the data), and a
single low hit could pass for a kick drum."""

ROLES = ("bass", "guitar", "muted", "keys", "organ", "pad", "brass", "lead", "pluck", "voice")
_ROLE_OF: tuple[tuple[str, str], ...] = (
    ("bassoon", "lead"),
    ("bass", "bass"),
    ("muted_electric", "muted"),
    ("_stac", "muted"),
    ("charang", "lead"),
    ("guit", "guitar"),
    ("organ", "organ"),
    ("accordion", "organ"),
    ("piano", "keys"),
    ("harpsichord", "keys"),
    ("clavinet", "keys"),
    ("celesta", "keys"),
    ("pizzicato", "pluck"),
    ("harp", "pluck"),
    ("dulcimer", "pluck"),
    ("sitar", "pluck"),
    ("string", "pad"),
    ("violin", "lead"),
    ("cello", "pad"),
    ("pad", "pad"),
    ("new_age", "pad"),
    ("goblins", "pad"),
    ("crystal", "pluck"),
    ("voice", "voice"),
    ("choir", "voice"),
    ("trumpet", "brass"),
    ("trombone", "brass"),
    ("tuba", "brass"),
    ("horn", "brass"),
    ("brass", "brass"),
    ("sax", "brass"),
)
"""Substring of an instrument's name -> role; the first match counts."""
SUSTAINED = ("organ", "pad", "brass", "lead", "voice")


def role_of(name: str) -> str:
    """Role of an instrument by its name ("lead" by default)."""
    lowered = name.lower()
    return next((role for part, role in _ROLE_OF if part in lowered), "lead")
