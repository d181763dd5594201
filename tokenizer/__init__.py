"""Drum classes, label maps, hits, the token vocabulary, its grammar, and MIDI: everything symbolic.

Depends on numpy and the standard library only; `tokenizer.midi` alone needs mido, note-seq and pretty_midi.
"""
