"""Pictures of docs/producing.md, formats.md and teaching.md: stems, MIDI tracks, a chart, a practice track.

    python scripts/make_maker_figures.py

Writes docs/images/stems.png, midi_tracks.png, chart_form.png and practice.png. Everything in them is rendered
or written down here, and read back from the files that mt3drum writes.
"""

from __future__ import annotations

import argparse
import io
import re
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import matplotlib
import mido
import numpy as np
import soundfile

from mt3drum.audio.stems import REST, write_stems
from mt3drum.formats.chart import RESOLUTION, make_chart, to_chart, to_mid
from mt3drum.formats.midi_files import write_midi_files
from mt3drum.formats.note_map import find_preset
from mt3drum.formats.options import MidiOptions
from mt3drum.formats.practice import slowed, write_practice_midi
from mt3drum.rhythm.grid import Grid, Meter
from mt3drum.rhythm.quantise import quantise
from mt3drum.rhythm.tempo_map import tempo_map
from scripts.make_gallery import COLOURS, small
from scripts.stems_report import make_clip
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit
from tokenizer.midi_tracks import TrackOptions

matplotlib.use("Agg")
import matplotlib.pyplot as plt

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
CLIP, CLIP_SECONDS = 3, 6.0
VERSE = {"kick": "X.......X.x.....", "snare_head": "....X..g....X...", "hihat_closed": "X.x.X.x.X.x.X.x."}
CHORUS = {"kick": "X..x..X...X..x..", "snare_head": "....X.......X...", "ride": "X...X...X...X..."}
FILL = {
    "kick": "X.......",
    "snare_head": "....X...",
    "hihat_closed": "X.x.X.x.",
    "tom1_head": "........xxxx....",
}
FILL |= {"floor_tom_head": "............xxxx"}
SONG = [*[VERSE] * 3, FILL, *[CHORUS] * 4, *[VERSE] * 3, FILL]
VELOCITIES = {"X": 112, "x": 85, "g": 30}
STEP = 0.125
"""Seconds of a sixteenth: 120 beats a minute."""


def part() -> tuple[list[Hit], Grid]:
    """Verse, chorus, verse, with crashes; then a roll, a flam and an open hi-hat."""
    hits = [
        Hit((16 * bar + step) * STEP, CLASS_INDEX[name], VELOCITIES[mark])
        for bar, lines in enumerate(SONG)
        for name, line in lines.items()
        for step, mark in enumerate(line)
        if mark != "."
    ]
    hits += [Hit(16 * bar * STEP, CLASS_INDEX["crash1"], 112) for bar in (0, 4, 8, 12)]
    end = 16 * len(SONG) * STEP
    hits += [Hit(end + i * 0.04, CLASS_INDEX["snare_head"], 60 + 2 * i) for i in range(25)]
    hits += [Hit(end + 0.97, CLASS_INDEX["tom1_head"], 50), Hit(end + 1.0, CLASS_INDEX["tom1_head"], 115)]
    hits += [Hit(end + 1.5, CLASS_INDEX["hihat_open"], 90), Hit(end + 1.75, CLASS_INDEX["hihat_pedal"], 80)]
    return sorted(hits), Grid(tuple(4 * STEP * i for i in range(4 * len(SONG) + 6)), 0, Meter(4, 4))


def png(figure: Any) -> bytes:
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=100)
    plt.close(figure)
    return small(target.getvalue())


def stems_picture() -> bytes:
    """Spectrograms of a clip with a band, of three of its stems and of the rest."""
    clip = make_clip(CLIP, CLIP_SECONDS, [], 0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.wav"
        soundfile.write(path, clip.mix, 44_100, "PCM_24")
        files = write_stems(path, clip.hits, Path(folder) / "stems")
        loudest = sorted(files[:-1], key=lambda file: -float(np.square(soundfile.read(file)[0]).sum()))[:3]
        shown = [path, *(file for file in files if file in loudest), files[-1]]
        sounds = {file.stem: soundfile.read(file)[0] for file in shown}
    figure, axes = plt.subplots(len(sounds), 1, figsize=(7, 4.6), sharex=True, layout="constrained")
    for axis, (name, sound) in zip(axes, sounds.items(), strict=True):
        with np.errstate(divide="ignore"):
            axis.specgram(sound, 2048, 44_100, noverlap=1536, vmin=-140, vmax=-40, cmap="magma")
        axis.set(yscale="symlog", ylim=(40, 18_000), ylabel=name, yticks=[])
    axes[-1].set_xlabel("seconds")
    assert REST in sounds
    return png(figure)


def tracks_picture() -> bytes:
    """`--notes superior --split tracks --note-length 1/16`, read back: a row a track, its notes named."""
    hits, grid = part()
    options = MidiOptions(TrackOptions(Fraction(1, 16), None, True))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "song.mid"
        write_midi_files(hits, path, find_preset("superior").numbers, tempo_map(grid), "song", options)
        midi = mido.MidiFile(path)
    figure, axes = plt.subplots(figsize=(9, 2.8), layout="constrained")
    for row, track in enumerate(midi.tracks[1:]):
        tick, started = 0, {}
        for message in track:
            tick += message.time
            if message.type == "note_on":
                started[message.note] = tick, message.velocity
            elif message.type == "note_off":
                begin, velocity = started.pop(message.note)
                axes.barh(
                    -row,
                    (tick - begin) / midi.ticks_per_beat,
                    left=begin / midi.ticks_per_beat,
                    height=0.7,
                    color=plt.cm.viridis(velocity / 127),
                    edgecolor="white",
                )
    axes.set(yticks=[-row for row in range(len(midi.tracks) - 1)], xlim=(0, 32), xlabel="beats")
    axes.set_yticklabels([track.name for track in midi.tracks[1:]])
    axes.set_xticks(range(0, 33, 4))
    axes.grid(axis="x", alpha=0.3)
    return png(figure)


def chart_picture() -> bytes:
    """Expert drums of notes.chart with its sections and roll lanes; flams are those of notes.mid."""
    hits, grid = part()
    chart = make_chart(hits, quantise(hits, grid), "song", grid.beats[-1])
    text = to_chart(chart)
    expert = text.split("[ExpertDrums]")[1].split("}")[0]
    figure, axes = plt.subplots(figsize=(9, 3), layout="constrained", facecolor="#15181d")
    axes.set_facecolor("#20242b")
    for tick, name in re.findall(r'(\d+) = E "section (.*)"', text):
        axes.axvline(int(tick) / RESOLUTION, color="#9fb3c8", lw=1.5)
        axes.text(int(tick) / RESOLUTION + 0.2, 4.75, name, color="white", fontsize=11, va="bottom")
    for tick, _, length in re.findall(r"(\d+) = S (65|66) (\d+)", expert):
        axes.axvspan(
            int(tick) / RESOLUTION, (int(tick) + int(length)) / RESOLUTION, color="#d7263d", alpha=0.35
        )
    codes: dict[int, set[int]] = {}
    for tick, code in re.findall(r"(\d+) = N (\d+) ", expert):
        codes.setdefault(int(tick), set()).add(int(code))
    for tick, here in codes.items():
        if here & {0, 32}:
            axes.plot([tick / RESOLUTION] * 2, [0.5, 4.5], color="#f28c28", lw=1.2, zorder=1)
        for lane, colour in COLOURS.items():
            if lane in here:
                marker = "^" if 64 + lane in here else "s"
                size = 12 if 39 + lane in here else 34
                axes.scatter(tick / RESOLUTION, lane, s=size, marker=marker, color=colour, zorder=2)
    tick = 0
    for message in next(
        t for t in mido.MidiFile(file=io.BytesIO(to_mid(chart))).tracks if t.name == "PART DRUMS"
    ):
        tick += message.time
        if message.type == "note_on" and message.note == 109:
            axes.text(tick / RESOLUTION, 4.5, "flam", color="white", fontsize=8, ha="center")
    axes.set(xlim=(-0.5, 4 * len(SONG) + 4.5), ylim=(0.3, 5.4), yticks=list(COLOURS), xlabel="beats")
    axes.set_yticklabels(["red", "yellow", "blue", "green"])
    axes.tick_params(colors="#d5d9de", length=0)
    axes.xaxis.label.set_color("#d5d9de")
    return png(figure)


def practice_picture(bars: int = 2) -> bytes:
    """The first bars of a part and of its practice track at half the tempo, read back from both files."""
    hits, grid = part()
    rows = {"kick": 36, "snare": 38, "hi-hat": 42, "crash": 49, "click": 76}
    seconds = 8 * STEP * 2 * bars
    figure, axes = plt.subplots(2, 1, figsize=(9, 3), sharex=True, layout="constrained")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "song.mid"
        write_midi_files(hits, path, "gm", tempo_map(grid), "song", MidiOptions())
        slow = Path(folder) / "song.practice.mid"
        write_practice_midi(slowed(hits, grid, 0.5), slow, "gm", "song", MidiOptions())
        for axis, file, name in zip(axes, (path, slow), ("as played", "practice"), strict=True):
            now = 0.0
            for message in mido.MidiFile(file):
                now += message.time
                if message.type != "note_on" or not message.velocity:
                    continue
                note = 76 if message.note == 77 else message.note  # the click's other beats
                if note in rows.values():
                    row = list(rows.values()).index(note)
                    colour = "#888888" if note == 76 else plt.cm.viridis(message.velocity / 127)
                    size = 70 if message.note == 76 else 34
                    axis.scatter(now, row, s=size, color=colour, marker="|" if note == 76 else "o")
            axis.set(yticks=range(len(rows)), yticklabels=list(rows), ylabel=name)
            axis.set(xlim=(-0.1, 3 * seconds), ylim=(-0.6, len(rows) - 0.4))
            axis.grid(axis="x", alpha=0.3)
    axes[-1].set_xlabel("seconds")
    return png(figure)


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=IMAGES, help="folder (default: docs/images)")
    parser.add_argument("--only", help="one of the pictures, by its name without .png")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write them."""
    args = parse_args(arguments)
    for name, draw in (
        ("stems", stems_picture),
        ("midi_tracks", tracks_picture),
        ("chart_form", chart_picture),
        ("practice", practice_picture),
    ):
        if args.only in (None, name):
            (args.output / f"{name}.png").write_bytes(draw())


if __name__ == "__main__":
    main()
