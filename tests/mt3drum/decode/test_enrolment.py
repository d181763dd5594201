"""Enrolling a kit: names, strokes, practice, discriminant, what it changes and what not, error lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from data.kits.synth import synthesise_kit
from data.render.drums import TunedKit, play, tune_kit
from mt3drum.audio.drum_samples import (
    MAX_FILE_BYTES,
    MAX_SECONDS,
    MAX_STROKES,
    PREROLL,
    KitError,
    cut_strokes,
    drum_of,
    read_samples,
)
from mt3drum.cli.main import main
from mt3drum.config import SAMPLE_RATE
from mt3drum.decode.enrolment import (
    PRACTICE_SEGMENTS,
    SHRINK,
    EnrolledKit,
    discriminant,
    enrol,
    features,
    practice,
    rescore,
)
from mt3drum.decode.hypothesis import Hypothesis
from mt3drum.decoding import DecodeConfig
from mt3drum.model.inference import InferenceModel
from mt3drum.transcriber import Transcriber
from tokenizer.drums import CLASS_INDEX, DRUMS, FAMILY_OF, INSTRUMENT_OF, NUM_CLASSES
from tokenizer.hits import Hit

TOMS = ("tom1_head", "tom2_head", "tom3_head", "floor_tom_head")


def ping(hertz: float, seconds: float = 0.4) -> np.ndarray:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (np.sin(2 * np.pi * hertz * time) * np.exp(-time / 0.05)).astype(np.float32)


def write(path: Path, *strokes: np.ndarray, rate: int = SAMPLE_RATE) -> None:
    """Strokes a second apart, after half a second of silence."""
    audio = np.zeros(round((0.5 + len(strokes)) * rate), dtype=np.float32)
    for at, stroke in enumerate(strokes):
        start = round((0.5 + at) * rate)
        audio[start : start + len(stroke)] = stroke
    soundfile.write(path, audio, rate, "FLOAT")


@pytest.mark.parametrize(
    ("name", "drum"),
    [
        ("snare_head.wav", "snare_head"),
        ("snare_head_2.wav", "snare_head"),
        ("Snare Head - loud.FLAC", "snare_head"),
        ("kick3.wav", "kick"),
        ("hihat_closed.soft.wav", "hihat_closed"),
        ("hihat_closed_edge_1.wav", "hihat_closed_edge"),
        ("ride.wav", "ride"),
        ("ride_bell-02.wav", "ride_bell"),
    ],
)
def test_files_are_named_by_drum(name: str, drum: str) -> None:
    assert drum_of(Path(name)) == CLASS_INDEX[drum]


def test_every_drum_can_be_enrolled() -> None:
    assert [drum_of(Path(f"{drum.name}_1.wav")) for drum in DRUMS] == list(range(NUM_CLASSES))


@pytest.mark.parametrize("name", ["snare.wav", "kicker.wav", "1_kick.wav", ".wav", "take 7.wav"])
def test_a_name_without_a_drum_lists_the_names(name: str) -> None:
    with pytest.raises(KitError, match="starts with no drum's; name it by one of kick, snare_head, .* aux2"):
        drum_of(Path(name))


def test_strokes_are_cut_at_their_attacks() -> None:
    audio = np.zeros(4 * SAMPLE_RATE, dtype=np.float32)
    starts = [0, 44_321, 103_007]
    for start, level in zip(starts, (1.0, 0.1, 0.5), strict=True):
        audio[start : start + 17_640] += np.float32(level) * ping(200)
    strokes = cut_strokes(audio)
    assert len(strokes) == 3
    for stroke in strokes:
        assert np.abs(stroke).max() == pytest.approx(1.0)
        assert np.abs(stroke[: PREROLL - 5]).max() < 0.06 <= np.abs(stroke[PREROLL : PREROLL + 5]).max()


def test_a_swell_is_one_stroke() -> None:
    swell = np.hanning(SAMPLE_RATE) * np.sin(np.arange(SAMPLE_RATE))
    assert len(cut_strokes(swell.astype(np.float32))) == 1


def test_samples_are_read_at_any_rate_and_bounded_in_number(tmp_path: Path) -> None:
    write(tmp_path / "tom1_head_1.wav", ping(200), ping(200))
    write(tmp_path / "tom1_head_2.wav", ping(220), rate=48_000)
    write(tmp_path / "kick.wav", *[ping(60)] * (MAX_STROKES + 3))
    (tmp_path / "notes.txt").write_text("recorded on Friday")
    strokes, warnings = read_samples(tmp_path)
    assert {DRUMS[drum].name: len(found) for drum, found in strokes.items()} == {
        "tom1_head": 3,
        "kick": MAX_STROKES,
    }
    assert warnings == ()


def test_samples_that_are_no_numbers_are_silence_with_a_warning(tmp_path: Path) -> None:
    broken = ping(200)
    broken[1000:1010] = np.nan
    write(tmp_path / "tom1_head.wav", broken)
    strokes, warnings = read_samples(tmp_path)
    assert np.isfinite(strokes[CLASS_INDEX["tom1_head"]][0]).all()
    assert len(warnings) == 1 and "10 samples were not finite" in warnings[0]


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(KitError, match="no such folder"):
        read_samples(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("no audio")
    with pytest.raises(KitError, match="no audio file in this folder"):
        read_samples(tmp_path)


@pytest.mark.parametrize(
    ("audio", "reason"),
    [
        (np.zeros(SAMPLE_RATE, dtype=np.float32), "silent; record it again"),
        (np.full(SAMPLE_RATE, np.nan, dtype=np.float32), "silent; record it again"),
        (np.ones(round((MAX_SECONDS + 1) * SAMPLE_RATE), dtype=np.float32), "61 s is long for a sample"),
        (np.zeros(0, dtype=np.float32), "no audio in it"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, audio: np.ndarray, reason: str) -> None:
    write(tmp_path / "tom2_head.wav", ping(150))
    soundfile.write(tmp_path / "tom1_head.wav", audio, SAMPLE_RATE, "FLOAT")
    with pytest.raises(KitError, match=rf"tom1_head\.wav: .*{reason}"):
        read_samples(tmp_path)


def test_damaged_and_large_files(tmp_path: Path) -> None:
    path = tmp_path / "kick.wav"
    path.write_bytes(b"RIFF no audio at all")
    with pytest.raises(KitError, match=r"kick\.wav"):
        read_samples(tmp_path)
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)  # sparse
    with pytest.raises(KitError, match=r"kick\.wav: a large file for a sample, at most 60 s and 64 MiB"):
        read_samples(tmp_path)


def test_practice_plays_every_drum_where_it_says() -> None:
    drums = [CLASS_INDEX[name] for name in ("kick", "snare_head", "snare_rim", "hihat_open", "hihat_closed")]
    strokes = {drum: [np.pad(ping(100.0 * (drum + 1)), (PREROLL, 0))] for drum in drums}
    audio, rows = practice(strokes, 400, np.random.default_rng(0))
    assert audio.shape == (PRACTICE_SEGMENTS, 4 * SAMPLE_RATE) and audio.dtype == np.float32
    assert np.isfinite(audio).all()
    assert set(rows[:, 2].tolist()) == set(drums)
    for segment in range(PRACTICE_SEGMENTS):
        own = rows[rows[:, 0] == segment]
        for step in set(own[:, 1].tolist()):
            instruments = [INSTRUMENT_OF[drum] for drum in own[own[:, 1] == step, 2].tolist()]
            assert len(instruments) == len(set(instruments))
        first = own[0, 1] * 441
        assert not audio[segment, : first - PREROLL].any() and audio[segment, first : first + 882].any()


def test_the_discriminant_is_that_of_the_plain_formula() -> None:
    rng = np.random.default_rng(3)
    drum = rng.integers(0, 3, 200) * 4  # classes 0, 4, 8
    values = rng.normal(size=(200, 5)) + np.outer(drum, [1, 0, -1, 0.5, 0])
    slope, offset = discriminant(values, drum)
    assert slope.shape == (3, 5)
    means = [values[drum == d].mean(0) for d in (0, 4, 8)]
    spread = sum(
        (v - means[d // 4])[:, None] * (v - means[d // 4]) for v, d in zip(values, drum, strict=True)
    )
    level = np.mean([(v - means[d // 4]) ** 2 for v, d in zip(values, drum, strict=True)])
    inverse = np.linalg.inv((1 - SHRINK) * spread / 197 + SHRINK * level * np.eye(5))
    for row in range(3):
        assert slope[row] == pytest.approx(means[row] @ inverse)
        assert offset[row] == pytest.approx(-0.5 * means[row] @ inverse @ means[row])
    assert ((values @ slope.T + offset).argmax(1) * 4 == drum).mean() > 0.95


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    return Transcriber.load(device="cpu", precision="float32")


@pytest.fixture(scope="module")
def tuned() -> TunedKit:
    rng = np.random.default_rng(15)
    return tune_kit(range(NUM_CLASSES), [synthesise_kit(rng)], rng)


def recorded(tuned: TunedKit, hits: Sequence[Hit], seconds: float = 8.0) -> np.ndarray:
    audio, _ = play(tuned, hits, np.random.default_rng(1), np.random.default_rng(2), seconds)
    return np.asarray(audio / np.abs(audio).max(), dtype=np.float32)


@pytest.fixture(scope="module")
def samples(tuned: TunedKit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Toms and a kick, three strokes each."""
    folder = tmp_path_factory.mktemp("samples")
    for name in (*TOMS, "kick"):
        strokes = [
            Hit(0.2 + 2.0 * at, CLASS_INDEX[name], velocity) for at, velocity in enumerate((100, 60, 115))
        ]
        soundfile.write(folder / f"{name}_1.wav", recorded(tuned, strokes), SAMPLE_RATE, "FLOAT")
    return folder


@pytest.fixture(scope="module")
def song() -> list[Hit]:
    """Kick on the beat, a hat or a snare beside it, toms between."""
    hits = []
    for beat in range(15):
        at = 0.3 + 0.5 * beat
        hits += [
            Hit(at, CLASS_INDEX["kick"], 100),
            Hit(at + 0.25, CLASS_INDEX[TOMS[beat % 4]], 70 + 3 * beat),
        ]
        hits.append(Hit(at, CLASS_INDEX[("hihat_closed", "snare_head")[beat % 2]], 90))
    return sorted(hits)


def right(found: Sequence[Hit], played: Sequence[Hit]) -> int:
    """Toms of which a hit of the same drum lies within 50 ms."""
    toms = [hit for hit in played if DRUMS[hit.drum].family == "tom"]
    return sum(
        any(hit.drum == tom.drum and abs(hit.time - tom.time) <= 0.05 for hit in found) for tom in toms
    )


def test_the_prototypes_know_their_own_drums(transcriber: Transcriber, samples: Path) -> None:
    """Practice that they were not made of: most strokes go to the drum that was struck, of five."""
    kit = enrol(transcriber.model, samples)
    strokes, _ = read_samples(samples)
    audio, rows = practice(strokes, 400, np.random.default_rng(9))
    rows = rows[rows[:, 0] < 6]
    outputs = transcriber.model.stem(torch.from_numpy(audio[:6]))
    scores = features(outputs, rows[:, 0], rows[:, 1]) @ kit.slope.T + kit.offset
    assert (np.array(kit.drums)[scores.argmax(1)] == rows[:, 2]).mean() > 0.6


def test_an_enrolled_kit_tells_its_toms_apart_and_changes_nothing_else(
    transcriber: Transcriber, tuned: TunedKit, samples: Path, song: list[Hit]
) -> None:
    kit = enrol(transcriber.model, samples)
    audio = recorded(tuned, song)
    # The loudness pass compares the strokes of one drum, so that other drums would have other velocities.
    transcriber = Transcriber(transcriber.model, replace(transcriber.config, loudness_pass=False))

    def with_kit(own: EnrolledKit, config: DecodeConfig = transcriber.config) -> tuple[Hit, ...]:
        return Transcriber(transcriber.model, config, kit=own).transcribe_array(audio).hits

    def rest(hits: Sequence[Hit]) -> list[tuple[float | int, ...]]:
        return sorted((hit.time, hit.velocity, hit.confidence, FAMILY_OF[hit.drum]) for hit in hits)

    def others(hits: Sequence[Hit]) -> list[Hit]:
        return [hit for hit in hits if DRUMS[hit.drum].family != "tom"]

    before = transcriber.transcribe_array(audio).hits
    after = with_kit(kit)
    certain = with_kit(replace(kit, weight=10.0))  # the samples alone decide
    for changed in (after, certain):
        assert rest(changed) == rest(before)
        assert others(changed) == others(before)
    assert {hit.drum for hit in certain} - {hit.drum for hit in before} <= set(kit.drums)
    assert right(after, song) >= max(right(before, song), 10)  # of 15; by chance 4
    assert transcriber.transcribe_array(audio).hits == before  # the model itself is as it was

    two = frozenset({CLASS_INDEX["tom1_head"], CLASS_INDEX["kick"]})
    only = with_kit(replace(kit, weight=10.0), replace(transcriber.config, classes=two))
    assert {hit.drum for hit in only} <= two


def test_two_hits_at_once_never_become_one(transcriber: Transcriber) -> None:
    """Whatever the samples say: drums that sound together stay as many."""
    toms = [CLASS_INDEX[name] for name in TOMS]
    sure = EnrolledKit(tuple(toms), np.zeros((4, 768)), np.array([0.0, 9.0, 0.0, 0.0]), weight=10.0)
    hits = (Hit(0.5, toms[0], 90), Hit(0.5, toms[1], 90), Hit(1.0, toms[3], 90))
    found = Hypothesis((), 0.0, hits, (50, 50, 100))
    audio, logits = torch.zeros(1, 4 * SAMPLE_RATE), torch.zeros(1, 400, NUM_CLASSES)
    (new,) = rescore(transcriber.model, audio, logits, [found], sure, transcriber.config)
    assert [hit.drum for hit in new.hits] == [toms[0], toms[1], toms[1]]


def test_one_drum_a_family_is_nothing_to_tell_apart(transcriber: Transcriber, tmp_path: Path) -> None:
    write(tmp_path / "tom1_head.wav", ping(200))
    write(tmp_path / "kick.wav", ping(60))
    with pytest.raises(KitError, match="samples of kick, tom1_head only; expected at least two drums of one"):
        enrol(transcriber.model, tmp_path)


def test_the_command_line(
    tuned: TunedKit,
    samples: Path,
    song: list[Hit],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    soundfile.write(tmp_path / "song.wav", recorded(tuned, song), SAMPLE_RATE, "FLOAT")
    command = ["transcribe", str(tmp_path / "song.wav"), "-o", str(tmp_path), "--format", "csv"]
    taken: list[Path] = []

    def noted(model: InferenceModel, folder: Path) -> EnrolledKit:
        taken.append(folder)
        return enrol(model, folder)

    monkeypatch.setattr("mt3drum.transcriber.enrol", noted)
    assert main([*command, "--kit", str(samples)]) == 0
    assert taken == [samples] and (tmp_path / "song.csv").read_text().count("\n") > 20
    capsys.readouterr()
    bad = tmp_path / "bad"
    bad.mkdir()
    write(bad / "bongo.wav", ping(300))
    assert main([*command, "--kit", str(bad)]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert "bongo.wav: its name starts with no drum's" in line
    page = ["review", str(tmp_path / "song.wav"), "-o", str(tmp_path / "song.html")]
    assert main([*page, "--kit", str(samples)]) == 0
    assert taken == [samples, bad, samples] and (tmp_path / "song.html").stat().st_size > 100_000
    assert main([*page, "--kit", str(bad)]) == 1
    assert "bongo.wav: its name starts with no drum's" in capsys.readouterr().err
