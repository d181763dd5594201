"""Scoring of drum transcriptions: pure functions on lists of `tokenizer.hits.Hit` (docs/scoring.md)."""

from mt3drum.extras import need

need("train", "mir_eval")
