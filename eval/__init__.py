"""Scoring of drum transcriptions: pure functions on lists of `tokenizer.hits.Hit` (docs/scoring.md)."""
