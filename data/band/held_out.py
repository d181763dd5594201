"""Notes and loops that training never uses; the rendered test and the drumless set consist of them alone.

The list is fixed by name, so that shards made at any time agree. Every role of a band has an instrument here,
and none is the only recorded one of its role.
"""

from __future__ import annotations

from collections.abc import Mapping

HELD_OUT_NOTES: Mapping[str, frozenset[str]] = {
    "discord-gm-notes": frozenset({"electric_piano_1"}),
    "freepats-notes": frozenset(
        {
            "finger_bass",
            "synth_bass_1",
            "jazz_guitar",
            "overdriven_guitar",
            "acoustic_brite_piano",
            "church_organ",
            "accordion",
            "string_ensemble_1_marcato",
            "sweep_pad",
            "cello",
            "clarinet",
            "oboe",
            "flute",
            "trombone",
            "tenor_sax",
            "dulcimer",
            "pizzicato_strings",
            "echo_voice",
        }
    ),
    "guitars-notes": frozenset({"guitar_green_hammer", "guitar_green_ord", "guitar_green_stac"}),
}
"""Folder -> instruments, in lower case."""
HELD_OUT_LOOPS: Mapping[str, frozenset[str]] = {
    "librosa-examples": frozenset({"sorohanro_-_solo-trumpet-06"}),
    "sonicpi": frozenset({"ambi_choir", "bass_trance_c", "guit_e_slide"}),
    "stargate-loops": frozenset(
        {
            "Bass_C_Minor_76BPM",
            "Chord_E_Dorian_Flat_Two_89BPM",
            "Guitar_F#_Major_93BPM",
            "Melody_B_Minor_73BPM",
        }
    ),
}
"""Folder -> file names without suffix."""


def note_is_held_out(folder: str, instrument: str) -> bool:
    """Whether training excludes an instrument (any case) of a folder of notes."""
    return instrument.lower() in HELD_OUT_NOTES.get(folder, ())


def loop_is_held_out(folder: str, stem: str) -> bool:
    """Whether training excludes a loop of a folder."""
    return stem in HELD_OUT_LOOPS.get(folder, ())
