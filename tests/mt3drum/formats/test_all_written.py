"""One small score in every text format, compared with files beside this test, and the sounds of the kit.

Each file was checked by hand against what its format says:

- song.musicxml, six.musicxml: MusicXML 4.0. 1680 divisions; Weinberg's places; MIDI notes counted from 1;
  dynamics are velocity / 90; beams by beat; triplets 3:2, quintuplets 5:4.
- song.chart, song.mid.txt: TheNathannator/GuitarGame_ChartFormats. 480 ticks a quarter; 66 to 68 cymbals; 34
  to 38 accents, 40 to 44 ghosts; 110 to 112 toms, 109 flams, 126 a roll. A track of eight lanes beside it.
- song.tab: counts on beats; capitals are accents, g ghosts, f flams; z a roll.
- song.jams: the places of beats in the bar count from 1.

After an intended change, run this test with MT3DRUM_WRITE_GOLDEN=1 and read the difference.
"""

from __future__ import annotations

import io
import json
import os
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from mt3drum.formats import tables
from mt3drum.formats.chart import make_chart, to_chart, to_ini, to_mid
from mt3drum.formats.kit_sounds import click, kit
from mt3drum.formats.lanes import DIFFICULTIES
from mt3drum.formats.legend import entries, entry_musicxml, signs_used
from mt3drum.formats.musicxml import to_musicxml
from mt3drum.formats.staff import SIGNS
from mt3drum.formats.tab import to_tab
from mt3drum.formats.wav import to_wav
from mt3drum.rhythm.grid import Grid, Meter
from mt3drum.rhythm.quantise import Note, Score
from tokenizer.drums import CLASS_INDEX, DRUMS
from tokenizer.hits import Hit

FOLDER = Path(__file__).with_name("golden")
RATE = 44_100


def same(name: str, text: str) -> None:
    """The text is that of the file."""
    path = FOLDER / name
    if os.environ.get("MT3DRUM_WRITE_GOLDEN"):
        path.write_bytes(text.encode())
    assert text.splitlines() == path.read_bytes().decode().splitlines()


def note(place: str | float, drum: str, velocity: int = 90, grace: bool = False) -> Note:
    at = Fraction(place)
    return Note(at, Hit(float(at) / 2 + 1.0, CLASS_INDEX[drum], velocity, 0.75), grace)


def made(notes: list[Note], beats: list[float], meter: Meter, swing: float = 0.5, unit: int = 0) -> Score:
    ordered = sorted(notes, key=lambda n: (n.position, not n.grace, n.hit.drum))
    return Score(tuple(ordered), Grid(tuple(beats), 0, meter), swing, unit)  # type: ignore[arg-type]


def song() -> Score:
    """Five bars of 4/4 at 120, the last at 150."""
    notes = [note(place / 2, "hihat_closed", 127 if place == 4 else 80) for place in range(8)]
    notes += [note(place, "kick", 100) for place in (0, 2, "5/2")]
    notes += [note(1, "snare_head", 100), note("7/4", "snare_head", 25), note(3, "snare_head", 127)]
    notes += [note(3, "snare_head", 40, grace=True)]
    # Sixteenths: a dotted eighth, a hook forward and one back; triplets; a quintuplet; thirty-seconds
    notes += [note(place, "snare_head") for place in (4, "19/4", "21/4", "11/2")]
    notes += [note(place, "tom1_head") for place in (6, "19/3", "20/3")]
    notes += [note(7 + Fraction(i, 5), "floor_tom_head") for i in (0, 1, 2, 4)]  # type: ignore[arg-type]
    # Half a bar's rest, a drag, thirty-seconds, a cymbal and a drum of one lane, three hands
    notes += [note(10, "tom2_head", 50, grace=True)] * 2 + [note(10, "tom2_head"), note(10, "crash1", 127)]
    notes += [note(11 + Fraction(i, 8), "snare_head") for i in (0, 1, 2, 6, 7)]  # type: ignore[arg-type]
    notes += [note(11, "ride", 90), note(11, "ride_bell", 100), note(11, "tom3_head", 90)]
    notes += [note(8, "kick"), note("33/4", "kick"), note(9, "hihat_pedal")]
    snare = CLASS_INDEX["snare_head"]
    for beat in (12, 13):  # as `quantise` has them: a part for each beat
        first, *rest = (Hit(1.0 + beat / 2 + i * 0.05, snare, 90) for i in range(10))
        notes += [Note(Fraction(beat), first, False, tuple(rest), Fraction(beat + 1))]
    notes += [note(14, "hihat_open"), note("29/2", "hihat_closed"), note(15, "hihat_open_edge")]
    named = ("crash2", "crash2_edge", "crash1_edge", "ride_edge", "aux1", "aux2", "tom1_rim", "snare_rim")
    notes += [note(16 + Fraction(i, 2), name) for i, name in enumerate(named)]  # type: ignore[arg-type]
    notes += [note(place, "kick", 110) for place in range(16, 20)]
    beats = [1.0 + 0.5 * i for i in range(17)] + [9.0 + 0.4 * i for i in range(1, 5)]
    return made(notes, beats, Meter(4, 4))


def six() -> Score:
    """Two bars of 6/8, swung sixteenths said at its start."""
    notes = [note(Fraction(i, 2), "hihat_closed") for i in (0, 1, 2, 3, 5)]  # type: ignore[arg-type]
    notes += [
        note(0, "kick"),
        note("3/2", "snare_head"),
        note(3, "crash1"),
        note(3, "kick"),
        note("9/2", "kick"),
    ]
    notes += [note(place, "snare_head") for place in ("9/2", "19/4", "21/4", "23/4")]
    return made(notes, [1.0 + 0.75 * i for i in range(9)], Meter(6, 8), 0.6, 16)


def test_musicxml() -> None:
    same("song.musicxml", to_musicxml(song(), "Söng", "right", simile_marks=True))
    same("six.musicxml", to_musicxml(six(), "Six", "alternate"))


def test_tab_and_legend() -> None:
    same("song.tab", to_tab(song(), "Söng") + to_tab(six(), "Six"))
    looks = [f"{entry.sign.line} {entry.sign.head} {entry.title}" for entry in entries(song())]
    same("legend.txt", "\n".join([*looks, signs_used(song()), entry_musicxml(entries(song())[0])]))


def test_every_sign() -> None:
    rows = [
        (s.step, s.octave, s.height, s.head, s.line, s.strokes, s.title) for _, s in sorted(SIGNS.items())
    ]
    same("signs.txt", "\n".join(f"{DRUMS[i].name}: {' '.join(map(str, row))}" for i, row in enumerate(rows)))


def test_charts() -> None:
    score = song()
    hits = [n.hit for n in score.notes]
    chart = make_chart(hits, score, "Söng", 61.234)
    same("song.chart", to_chart(chart) + to_ini(chart))
    midi = mido.MidiFile(file=io.BytesIO(to_mid(chart)))
    lines = [f"{midi.type} {midi.ticks_per_beat}"]
    for track in midi.tracks:
        ticks = accumulate(message.time for message in track)
        lines += [f"{tick} {message.copy(time=0)}" for tick, message in zip(ticks, track, strict=True)]
    same("song.mid.txt", "\n".join(lines))
    assert [gem.double for gem in chart.charted.gems if gem.lane == 0][:3] == [False, False, False]


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_easier_charts_have_the_stronger_beats(difficulty: str) -> None:
    """Sixteenths at 125 (0.12 s) of a snare, and a kick on each: gaps of at least 0, 0.14, 0.24 and 0.45 s
    for the hands, 0.24, 0.45 and 0.9 s for the foot; on Easy one limb at a time."""
    hits = [Hit(0.12 * i, drum, 90) for i in range(16) for drum in (0, 1)]
    grid = Grid(tuple(0.48 * i for i in range(6)), 0, Meter(4, 4))
    score = Score(tuple(Note(Fraction(round(hit.time / 0.12), 4), hit) for hit in hits), grid)
    chart = make_chart(hits, score, "x", 3.0)
    text = to_chart(chart).replace("\r", "")
    lines = text.split(f"[{difficulty}Drums]\n{{\n")[1].split("}")[0].splitlines()
    found = {
        code: [int(line.split()[0]) // 120 for line in lines if line.endswith(f"N {code} 0")]
        for code in (0, 1, 32)
    }
    assert (
        found
        == {
            "Expert": {0: list(range(0, 16, 2)), 1: list(range(16)), 32: list(range(1, 16, 2))},
            "Hard": {0: list(range(0, 16, 2)), 1: list(range(0, 16, 2)), 32: []},
            "Medium": {0: list(range(0, 16, 4)), 1: list(range(0, 16, 2)), 32: []},
            "Easy": {0: [], 1: list(range(0, 16, 4)), 32: []},
        }[difficulty]
    )


def test_tables() -> None:
    score = song()
    hits = [n.hit for n in score.notes][:5]
    notes = tuple(drum.gm_note for drum in DRUMS)
    same("song.jams", tables.to_jams(hits, 10.5, "Söng", score.grid, notes))
    record = tables.tempo_record(score.grid)
    same(
        "song.json", tables.to_json(hits, 10.1234567, "söng.wav", ["a", "b"], record) + tables.to_jsonl(hits)
    )
    eight = tables.to_json([Hit(1.0, 0, 90)], 2.0, None, [], None, "8")
    assert json.loads(eight)["scheme"] == "8" and "scheme" not in json.loads(
        tables.to_json([], 1, None, [], None)
    )


def test_the_kit_sounds_the_same_every_time() -> None:
    """Length in samples and three samples of each sound, to three decimals."""
    rows = []
    for drum, sound in zip(DRUMS, kit(), strict=True):
        assert np.abs(sound).max() == pytest.approx(1.0, abs=1e-6) and sound.dtype == np.float32
        assert abs(sound[-1]) < 1e-6
        places = [sound[sound.size // part] for part in (40, 11, 5)]
        rows.append(f"{drum.name} {sound.size} " + " ".join(f"{float(x) + 0.0:.3f}" for x in places))
    for accented in (True, False):
        tick = click(accented)
        rows.append(f"click {tick.size} " + " ".join(f"{float(tick[i]):.3f}" for i in (10, 40, 200)))
    path = FOLDER / "kit.txt"
    if os.environ.get("MT3DRUM_WRITE_GOLDEN"):
        path.write_text("\n".join(rows) + "\n")
    for row, wanted in zip(rows, path.read_text().splitlines(), strict=True):
        (*name, a, b, c), (*other, x, y, z) = row.split(), wanted.split()
        assert name == other
        assert [float(v) for v in (a, b, c)] == pytest.approx([float(v) for v in (x, y, z)], abs=2e-3)


@pytest.mark.parametrize(
    ("name", "hertz"), [("kick", 55), ("tom1_head", 170), ("floor_tom_head", 85), ("aux2", 560)]
)
def test_drums_have_their_pitch(name: str, hertz: float) -> None:
    sound = kit()[CLASS_INDEX[name]]
    spectrum = np.abs(np.fft.rfft(sound[sound.size // 8 :], 2**18))
    assert np.argmax(spectrum) * RATE / 2**18 == pytest.approx(hertz, rel=0.03)


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("kick", 0.5),
        ("hihat_closed", 0.2),
        ("ride", 0.225),
        ("crash1", 0.25),
        ("aux2", 0.25),
        ("snare_head", 0.4),
    ],
)
def test_loudness_of_each_family(name: str, peak: float) -> None:
    """Half of full scale for a kick at velocity 127; the square of the velocity below it."""
    for velocity in (127, 64):
        audio, rate = soundfile.read(io.BytesIO(to_wav([Hit(0.5, CLASS_INDEX[name], velocity)], 1.0, None)))
        assert rate == RATE and np.abs(audio).max() == pytest.approx(peak * (velocity / 127) ** 2, abs=2e-4)
        assert audio.size == int(2.7 * RATE)  # 2.2 s after the last stroke
        assert (
            np.abs(audio[: RATE // 2]).max() == 0
            and np.abs(audio[RATE // 2 :][:2000]).max() > 0.3 * peak * (velocity / 127) ** 2
        )


def test_clicks_and_a_choked_hat() -> None:
    grid = Grid((0.1, 0.6, 1.1), 1, Meter(2, 4))
    audio, _ = soundfile.read(io.BytesIO(to_wav([], 5.0, grid)))
    assert audio.size == 5 * RATE
    for beat, accented in ((0.1, False), (0.6, True), (1.1, False)):
        own = audio[round(beat * RATE) :][: click(accented).size]
        assert own == pytest.approx(0.5 * 0.15 * click(accented), abs=1e-4)
    hat, closed = CLASS_INDEX["hihat_open"], CLASS_INDEX["hihat_closed"]
    both, _ = soundfile.read(io.BytesIO(to_wav([Hit(0.3, hat, 127), Hit(0.5, closed, 1)], 1.0, None)))
    both, sound, stop = both[round(0.3 * RATE) :], 0.2 * kit()[hat], round(0.2 * RATE)
    assert both[: stop - 200] == pytest.approx(sound[: stop - 200], abs=1e-4)
    fade = sound[stop - 200 : stop] * np.linspace(1, 0, 200)
    assert both[stop - 200 : stop] == pytest.approx(fade, abs=1e-4)
    assert np.abs(both[stop:]).max() < 1e-3
    kick, _ = soundfile.read(io.BytesIO(to_wav([Hit(0.0, hat, 127), Hit(0.2, 0, 1)], 1.0, None)))
    assert np.abs(kick[stop + 500 : stop + 4000]).max() > 0.01  # another drum chokes nothing
