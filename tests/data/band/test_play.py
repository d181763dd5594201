import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from data.band import parts, roles, synthetic, voice
from data.band.config import BAND
from data.band.events import Event
from data.band.notes import NoteBank, join, load_loops, load_notes, sustain, trim
from data.band.play import make_bank, perform, render_band
from data.band.song import STYLES, Song, bar_phase, compose
from data.dsp import tones
from data.dsp.levels import PEAK
from mt3drum.config import SAMPLE_RATE

KICKS = [0.25 + 0.5 * index for index in range(12)]


@pytest.fixture(scope="module")
def bank() -> NoteBank:
    return synthetic.synthetic_notes(np.random.default_rng(0), per_kind=1, noises=2)


def song(seed: int = 0, kicks: list[float] = KICKS) -> Song:
    return compose(np.random.default_rng(seed), 6.0, 120.0, kicks)


def measured_pitch(audio: np.ndarray, low: float, high: float) -> float:
    """MIDI number of the strongest peak of the autocorrelation between two pitches."""
    piece = audio[2000:12_000].astype(np.float64)
    size = 1 << 16
    correlation = np.fft.irfft(np.abs(np.fft.rfft(piece, size)) ** 2)
    lags = np.arange(
        int(SAMPLE_RATE / (440 * 2 ** ((high - 69) / 12))), int(SAMPLE_RATE / (440 * 2 ** ((low - 69) / 12)))
    )
    return 69 + 12 * np.log2(SAMPLE_RATE / lags[np.argmax(correlation[lags])] / 440)


def test_bands_are_finite_bounded_and_different(bank: NoteBank) -> None:
    seen = set()
    for seed in range(12):
        audio = render_band(bank, np.random.default_rng(seed), 3.0, 110.0, KICKS)
        assert audio.shape == (3 * SAMPLE_RATE,) and audio.dtype == np.float32
        assert np.isfinite(audio).all()
        assert np.abs(audio).max() == pytest.approx(PEAK, abs=1e-3)
        seen.add(audio.tobytes())
    assert len(seen) == 12


def test_same_seed_same_band(bank: NoteBank) -> None:
    for seed in range(4):
        first, second = (
            render_band(bank, np.random.default_rng(seed), 3.0, 95.0, KICKS[:4]) for _ in range(2)
        )
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("kicks", [[], [1.0], [-0.5, 0.0, 2.999, 7.0]])
@pytest.mark.parametrize("bpm", [30.0, 333.0])
def test_odd_tempos_and_kicks(bank: NoteBank, kicks: list[float], bpm: float) -> None:
    for seed in range(3):
        assert np.isfinite(render_band(bank, np.random.default_rng(seed), 2.5, bpm, kicks)).all()


def test_every_part_of_every_style_plays(bank: NoteBank) -> None:
    for part, write in parts.PARTS.items():
        counts = [len(write(song(seed), np.random.default_rng(seed), BAND.parts)) for seed in range(10)]
        assert np.mean(counts) >= 2, part
    assert {part for style in STYLES for part in style.parts} == set(parts.PARTS)


def test_wrong_calls_are_refused(bank: NoteBank) -> None:
    with pytest.raises(ValueError, match="note bank is empty"):
        render_band(NoteBank((), {}), np.random.default_rng(0), 2.0, 100.0, [])
    with pytest.raises(ValueError, match="bpm 0"):
        render_band(bank, np.random.default_rng(0), 2.0, 0, [])


def test_the_bass_follows_the_kick(bank: NoteBank) -> None:
    events = parts.bass(song(), np.random.default_rng(0), mode="follow")
    assert [event.time for event in events] == KICKS
    instrument = next(item for item in bank.instruments if item.name.startswith("square_bass"))
    short = [replace(event, seconds=0.1) for event in events]
    track = perform(instrument, short, 6 * SAMPLE_RATE, np.random.default_rng(0))
    for kick in KICKS[1:]:
        start = round(kick * SAMPLE_RATE)
        before, after = track[start - 441 : start], track[start : start + 882]
        assert np.abs(after).max() > 3 * np.abs(before).max()


def test_walking_bass_does_not_follow_the_kick() -> None:
    kicks = [0.25 + 0.3 * index for index in range(18)]
    times = [event.time for event in parts.bass(song(0, kicks), np.random.default_rng(0), mode="walking")]
    gaps = np.diff(times)
    beat = song(0, kicks).beat
    np.testing.assert_allclose(gaps, beat * np.round(gaps / beat), atol=1e-6)


def test_bar_lines_fall_on_the_kicks() -> None:
    rng = np.random.default_rng(0)
    kicks = np.concatenate([np.arange(0.37, 12, 2.0), np.arange(1.62, 12, 4.0)])  # 1, at times 3-and
    assert bar_phase(list(kicks), 0.5, 4, rng) == pytest.approx(0.37, abs=0.05)


def test_swing_moves_only_what_lies_between_the_beats() -> None:
    swung = Song(4, 0.5, -2.0, 4, 4, 0.15, 0, (0, 2, 4, 5, 7, 9, 11), (0,), False, STYLES[0])
    assert [swung.time(step) for step in (0, 4, 8)] == [-2.0, -1.5, -1.0]
    assert swung.time(2) == pytest.approx(-2.0 + 0.5 * 0.65)
    assert swung.time(1) < -2.0 + 0.5 * 0.5 < swung.time(3)


@pytest.mark.parametrize("name", ["saw_bass", "square_lead", "steel_guitar", "electric_guitar", "organ"])
@pytest.mark.parametrize("pitch", [43, 50, 57])
def test_a_rendered_note_has_its_pitch(bank: NoteBank, name: str, pitch: int) -> None:
    rng = np.random.default_rng(3)
    instrument = next(item for item in bank.instruments if item.name.startswith(name))
    track = perform(instrument, [Event(0.0, (pitch,), 1.0, 1.0)], SAMPLE_RATE, rng)
    reached = pitch if pitch >= instrument.low else pitch + 12
    assert measured_pitch(track, reached - 6, reached + 6) == pytest.approx(reached, abs=0.35)


def test_strings_return_their_exact_pitch() -> None:
    for frequency in (82.4, 220.0, 659.3):
        audio, exact = tones.pluck(frequency, 1.0, np.random.default_rng(0), ring=3.0, brightness=0.6)
        middle = 69 + 12 * np.log2(exact / 440)
        assert abs(middle - 69 - 12 * np.log2(frequency / 440)) < 0.3
        assert measured_pitch(audio, middle - 6, middle + 6) == pytest.approx(middle, abs=0.15)


def test_mutes_are_short(bank: NoteBank) -> None:
    guitar = next(item for item in bank.instruments if item.name.startswith("steel_guitar"))
    energy = {}
    for touch in ("open", "mute", "dead"):
        event = Event(0.0, (45, 52, 57), 1.0, 1.0, touch)
        track = perform(guitar, [event], SAMPLE_RATE, np.random.default_rng(0), strum=True)
        energy[touch] = float(np.sum(track[SAMPLE_RATE // 3 :] ** 2) / np.sum(track**2))
    assert energy["open"] > 0.03 > 0.003 > energy["mute"] > energy["dead"]


@pytest.mark.parametrize("kind", tones.NOISE_KINDS)
def test_noises_are_short_and_full_scale(kind: str) -> None:
    for seed in range(5):
        audio = tones.noise(kind, np.random.default_rng(seed))
        assert np.isfinite(audio).all() and 0.9 < np.abs(audio).max() <= 1.0001
        assert len(audio) < SAMPLE_RATE


def test_unknown_noise_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind of noise 'boom'"):
        tones.noise("boom", np.random.default_rng(0))


def test_a_sung_note_has_its_pitch(bank: NoteBank) -> None:
    track = voice.sing([Event(0.1, (55,), 0.8, 1.0)], bank, SAMPLE_RATE, np.random.default_rng(2))
    assert np.abs(track[:2000]).max() < 0.5 * np.abs(track).max()
    assert measured_pitch(track[8000:], 49, 61) == pytest.approx(55, abs=0.6)


def test_sustain_lengthens_without_a_seam() -> None:
    tone = np.sin(2 * np.pi * 440 / SAMPLE_RATE * np.arange(12_000)).astype(np.float32)
    longer = sustain(tone, 69, 2.0)
    assert len(longer) == 2 * SAMPLE_RATE
    np.testing.assert_array_equal(longer[:6000], tone[:6000])
    assert np.abs(np.diff(longer)).max() < 1.1 * np.abs(np.diff(tone)).max()  # no click
    assert longer[-4000:].std() == pytest.approx(tone.std(), rel=0.02)


def test_trim_cuts_silence_before_the_note() -> None:
    audio = np.concatenate([np.zeros(900), np.ones(100)]).astype(np.float32)
    assert len(trim(audio)) == 100 + SAMPLE_RATE // 1000


# reading recorded notes


def write_folder(root: Path, folder: str = "guitars-notes", rows: list | None = None) -> Path:
    place = root / folder
    place.mkdir(parents=True)
    tone = 0.5 * np.sin(2 * np.pi * 220 / SAMPLE_RATE * np.arange(SAMPLE_RATE // 2))
    sf.write(place / "a.flac", tone, SAMPLE_RATE)
    (place / "SOURCE.txt").write_text("repo: https://example.org/x\nlicence: CC0-1.0\nholds: one note\n")
    if rows is None:
        rows = [
            {"file": "a.flac", "instrument": "Nylon_Guitar", "midi_note": 57},
            {"file": "a.flac", "instrument": "Helicopter", "midi_note": 57},
        ]
    (place / "notes.json").write_text(json.dumps(rows))
    return place


def test_load_notes_leaves_percussion_out_and_keeps_the_licence(tmp_path: Path) -> None:
    write_folder(tmp_path)
    loaded = load_notes(tmp_path)
    assert [(item.name, item.role, item.source) for item in loaded.instruments] == [
        ("nylon_guitar", "guitar", "guitars-notes")
    ]
    assert loaded.licences == {"guitars-notes": "repo: https://example.org/x | licence: CC0-1.0"}
    assert np.isfinite(render_band(loaded, np.random.default_rng(0), 2.0, 100.0, [])).all()


def test_a_loaded_note_can_be_transposed(tmp_path: Path) -> None:
    write_folder(tmp_path)
    guitar = load_notes(tmp_path).instruments[0]
    track = perform(guitar, [Event(0.0, (62,), 0.4, 1.0)], SAMPLE_RATE, np.random.default_rng(0))
    assert measured_pitch(track, 56, 68) == pytest.approx(62, abs=0.2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{not json", "cannot be read as JSON"),
        ("{}", "expected a list of notes, found dict"),
        ('[{"file": "a.flac", "instrument": "x"}]', "entry 0 needs file, instrument and midi_note"),
        ('[{"file": "a.flac", "instrument": "x", "midi_note": 300}]', "entry 0 needs"),
        ('[{"file": "gone.flac", "instrument": "x", "midi_note": 60}]', "gone.flac: cannot be read"),
    ],
)
def test_broken_notes_json_names_the_file(tmp_path: Path, text: str, message: str) -> None:
    place = write_folder(tmp_path)
    (place / "notes.json").write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        load_notes(tmp_path)
    assert str(place) in str(error.value)


def test_a_folder_without_licence_or_notes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no notes found"):
        load_notes(tmp_path)
    place = write_folder(tmp_path)
    (place / "SOURCE.txt").unlink()
    with pytest.raises(ValueError, match="without its licence"):
        load_notes(tmp_path)


def test_another_sampling_rate_is_refused(tmp_path: Path) -> None:
    place = write_folder(tmp_path)
    sf.write(place / "a.flac", np.ones(1000) * 0.1, 22_050)
    with pytest.raises(ValueError, match=r"a\.flac: 22050 Hz, expected 44100"):
        load_notes(tmp_path)


def test_loops_leave_out_what_may_hold_drums(tmp_path: Path) -> None:
    place = write_folder(tmp_path, "sonicpi")
    for name in ("drum_loop.flac", "Karissa_Hobbs_-_Lets_Go_Fishin.flac"):
        sf.write(place / name, np.ones(1000) * 0.1, SAMPLE_RATE)
    found = load_loops(tmp_path)
    assert [(folder, licence) for _, folder, licence in found] == [
        ("sonicpi", "repo: https://example.org/x | licence: CC0-1.0")
    ]
    assert found[0][0].dtype == np.int16


def test_what_is_held_out_is_played_by_one_side_only(tmp_path: Path) -> None:
    names = ("Cello", "Violin", "Finger_Bass", "Slap_Bass_2")
    rows = [{"file": "a.flac", "instrument": name, "midi_note": 57} for name in names]
    write_folder(tmp_path, "freepats-notes", rows)
    place = write_folder(tmp_path, "stargate-loops")
    for name in ("Melody_B_Minor_73BPM.flac", "Guitar_Db_Minor_74BPM.flac", "Bass_A_Major_72BPM.flac"):
        sf.write(place / name, np.ones(1000) * 0.1, SAMPLE_RATE)
    trained, tested = load_notes(tmp_path), load_notes(tmp_path, held_out=True)
    assert {item.name for item in trained.instruments} == {"violin", "slap_bass_2"}
    assert {item.name for item in tested.instruments} == {"cello", "finger_bass"}
    assert (len(trained.loops), len(tested.loops)) == (3, 1)  # a.flac of the folder is a loop, too
    in_tests = make_bank(tmp_path, np.random.default_rng(0), held_out=True)
    assert {item.source for item in in_tests.instruments} == {"freepats-notes"}


def test_banks_join(bank: NoteBank, tmp_path: Path) -> None:
    write_folder(tmp_path)
    both = join(load_notes(tmp_path), bank)
    assert len(both.instruments) == 1 + len(bank.instruments)
    assert set(both.licences) == {"guitars-notes", "synthesised"}
    assert {"keys", "bass", "guitar", "voice"} <= {item.role for item in both.instruments}
    assert set(both.noises) == set(tones.NOISE_KINDS)
    assert roles.role_of("Muted_Trumpet") == "brass" and roles.role_of("Bassoon") == "lead"
