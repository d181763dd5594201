"""The browser's beats and files against Python's, under node; Python writes what is expected anew."""

from __future__ import annotations

import base64
import io
import json
import math
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mt3drum.files import SUFFIX
from mt3drum.formats import write
from mt3drum.formats.options import ScoreOptions
from mt3drum.formats.read_json import read_tempo
from mt3drum.formats.tables import tempo_record
from mt3drum.result import Transcription
from mt3drum.rhythm.estimate import estimate
from mt3drum.rhythm.grid import Meter
from mt3drum.rhythm.quantise import Steps
from mt3drum.web.page import page_tempo
from mt3drum.web.score_rules import FORMATS, score_rules
from tests.grooves import ROCK, SHUFFLE, SIX_EIGHT, WALTZ, played, steady
from tests.mt3drum.web.test_golden import NODE, packages, pytestmark  # noqa: F401
from tokenizer.drums import CLASS_INDEX, DRUMS, NUM_CLASSES
from tokenizer.hits import Hit
from tokenizer.midi import note_numbers

PROGRAM = Path(__file__).with_name("score_files.js")
TITLE = 'Tom & "Jerry" <b>: ½\u2028\x07'


@dataclass(frozen=True)
class Case:
    hits: tuple[Hit, ...]
    bpm: float | None = None
    meter: str | None = None
    steps: Steps | None = None

    @property
    def seconds(self) -> float:
        return self.hits[-1].time + 0.4


def _unsure(hits: list[Hit], seed: int) -> tuple[Hit, ...]:
    """With a confidence of its own for each, as the transcriber gives them."""
    rng = np.random.default_rng(seed)
    return tuple(replace(hit, confidence=round(float(rng.uniform(0.3, 1)), 4)) for hit in hits)


def _groove(
    pattern: dict[str, str], beats: int, time: Callable[[float], float], bars: int = 8, **more: Any
) -> tuple[Hit, ...]:
    return _unsure(played(pattern, bars, time, beats, **more)[0], seed=beats)


def _ornate() -> tuple[Hit, ...]:
    """Flams, drags, rolls within and over beats, hands and feet at once, fills, double kicks."""
    hits = played(ROCK, 16, steady(112, 0.4), 4, jitter=0.004, seed=5)[0]
    snare, tom, crash, kick = (CLASS_INDEX[name] for name in ("snare_head", "tom1_head", "crash1", "kick"))
    for bar in range(0, 16, 4):
        start = 0.4 + bar * 4 * 60 / 112
        hits += [Hit(start + 0.535 - 0.03, snare, 40), Hit(start + 1.6 - 0.04, tom, 40)]
        hits += [Hit(start + 1.6 - 0.02, tom, 45), Hit(start + 1.6, tom, 110)]
        hits += [Hit(start + 6.5 + 0.035 * i, snare, 70 + i) for i in range(22)]
        hits += [Hit(start + 4.0 + 0.067 * i, (tom, snare)[i % 2], 90) for i in range(12)]
        hits += [Hit(start + 2.2 + 0.12 * i, kick, 90) for i in range(5)]
        hits += [Hit(start + 3.21, crash + i, 100) for i in range(3)]
    return _unsure(sorted(hits), seed=9)


def _every_drum() -> tuple[Hit, ...]:
    rng = np.random.default_rng(4)
    hits = [
        Hit(
            0.02 + i * 0.15 + float(rng.normal(0, 0.006)),
            int(rng.integers(NUM_CLASSES)),
            int(rng.integers(1, 128)),
        )
        for i in range(180)
    ]
    return _unsure(sorted([*hits, *played(ROCK, 10, steady(100), 4)[0]]), seed=2)


def _random() -> tuple[Hit, ...]:
    rng = np.random.default_rng(7)
    return _unsure(
        sorted(Hit(float(time), int(time * 7) % 26, 80) for time in rng.uniform(0, 20, 80)), seed=3
    )


CASES = {
    "rock": Case(_groove(ROCK, 4, steady(117, 0.3))),
    "swung": Case(_groove(ROCK, 4, steady(88, 0.1), swing=0.62)),
    "waltz": Case(_groove(WALTZ, 3, steady(160, 1.7))),
    "six": Case(_groove(SIX_EIGHT, 2, steady(70)), steps=16),
    "shuffle": Case(_groove(SHUFFLE, 4, steady(120, 0.2))),
    "late": Case(_groove(ROCK, 4, steady(140), first_beat=3.0)),
    "drifting": Case(_groove(ROCK, 4, lambda beat: beat * 0.52 + 0.4 * math.sin(beat / 9), bars=16)),
    "long": Case(_groove(ROCK, 4, lambda beat: beat * 0.5 + 0.002 * beat**1.4, bars=70), steps=8),
    "known tempo": Case(_groove(ROCK, 4, steady(99, 0.3)), bpm=100, steps="auto"),
    "known meter": Case(_groove(WALTZ, 3, steady(150)), meter="4/4"),
    "other beat": Case(_groove(SIX_EIGHT, 2, steady(66)), meter="7/8"),
    "ornate": Case(_ornate()),
    "every drum": Case(_every_drum(), steps=24),
    "few": Case(_unsure([Hit(0.7 * i, 3, 90) for i in range(4)], seed=1), bpm=86),
    "unsteady": Case(_random()),
}


def _beats(case: Case) -> dict[str, Any] | None:
    meter = Meter.parse(case.meter) if case.meter else None
    return page_tempo(estimate(case.hits, case.seconds, bpm=case.bpm, meter=meter))


@pytest.fixture(scope="module")
def by_python() -> dict[str, dict[str, Any] | None]:
    return {name: _beats(case) for name, case in CASES.items()}


@pytest.fixture(scope="module")
def by_browser(
    packages: Path,  # noqa: F811
    by_python: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("score")
    cases = [
        {
            "hits": [[hit.time, hit.drum, hit.velocity, hit.confidence] for hit in case.hits],
            "seconds": case.seconds,
            "known": {"bpm": case.bpm, "meter": case.meter},
            "title": TITLE,
            "tempo": by_python[name],
            "steps": case.steps,
            "notes": note_numbers("gm"),
        }
        for name, case in CASES.items()
    ]
    texts = {"rules.json": score_rules(), "cases.json": cases}
    for name, values in texts.items():
        (folder / name).write_text(json.dumps(values), encoding="utf-8")
    program = packages / "src" / PROGRAM.name
    shutil.copy(PROGRAM, program)
    try:
        files = [str(folder / name) for name in (*texts, "found.json")]
        subprocess.run([NODE or "node", str(program), *files], check=True, cwd=packages, timeout=280)
    finally:
        program.unlink()
    found = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return dict(zip(CASES, found, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_beats_are_pythons(name: str, by_python: Any, by_browser: Any) -> None:
    ours, theirs = by_browser[name]["tempo"], by_python[name]
    assert (ours is None) == (theirs is None) == (name == "unsteady")
    if theirs is None:
        return
    for field in ("meter", "first", "text", "per_bar"):
        assert ours[field] == theirs[field]
    for field, most in (("beats", 0.001), ("downbeats", 0.001), ("tempos", 1e-6), ("meters", 1e-6)):
        np.testing.assert_allclose(ours[field], theirs[field], rtol=0, atol=most)
    for field, most in (("bpm", 0.01), ("steadiness", 0.001)):
        assert ours[field] == pytest.approx(theirs[field], abs=most)


def _rendering(case: Case, tempo: dict[str, Any] | None) -> write.Rendering:
    """Of the same beats, as an export of the local app."""
    grid = None if tempo is None else read_tempo(tempo)
    # A title, whatever characters it has, is a path's stem.
    result = Transcription(case.hits, case.seconds, Path(f"{TITLE}.wav"))
    if grid is not None:
        return write.Rendering(result, "gm", ScoreOptions(beats=grid, grid=case.steps))
    return write.Rendering(replace(result, hits=case.hits), "gm", ScoreOptions(grid=case.steps))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", CASES)
def test_files_are_pythons(name: str, format: str, by_python: Any, by_browser: Any, tmp_path: Path) -> None:
    path = tmp_path / f"score{SUFFIX[format]}"
    rendering = _rendering(CASES[name], by_python[name])
    ours = by_browser[name]["files"][format]
    if not rendering.write({format: path}).files:
        assert "no steady beat" in ours["error"]
        return
    if format == "chart":
        with (
            zipfile.ZipFile(path) as theirs,
            zipfile.ZipFile(io.BytesIO(base64.b64decode(ours["base64"]))) as mine,
        ):
            assert mine.namelist() == theirs.namelist()
            for file in theirs.namelist():
                assert mine.read(file) == theirs.read(file), file
    elif format == "jams":
        assert json.loads(ours) == _near(json.loads(path.read_bytes()))
    else:
        assert ours == path.read_bytes().decode("utf-8")


def _near(value: Any) -> Any:
    """Numbers within a microsecond."""
    if isinstance(value, float):
        return pytest.approx(value, abs=1e-6)
    if isinstance(value, dict):
        return {key: _near(item) for key, item in value.items()}
    return [_near(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", CASES)
def test_hits_on_the_grid_are_pythons(name: str, by_python: Any, by_browser: Any) -> None:
    moved = by_browser[name]["moved"]
    case = CASES[name] if CASES[name].steps else replace(CASES[name], steps="auto")
    rendering = _rendering(case, by_python[name])
    if rendering.grid is None:
        assert "no steady beat" in moved["error"]
        return
    assert [(hit["drum"], hit["velocity"]) for hit in moved["hits"]] == [
        (hit.drum, hit.velocity) for hit in rendering.hits
    ]
    np.testing.assert_allclose(
        [hit["time"] for hit in moved["hits"]], [hit.time for hit in rendering.hits], atol=1e-6
    )
    record = tempo_record(rendering.beats)
    assert record is not None
    assert {name: moved["tempo"][name] for name in record} == {
        name: _near(value) for name, value in record.items()
    }
    assert moved["tempo"]["tempos"] == _near([list(row) for row in page_tempo(rendering.grid)["tempos"]])  # type: ignore[index]


def test_the_cases_hold_what_can_go_wrong(by_python: Any) -> None:
    """Swing of both kinds of notes, several tempos, meters, a pick-up, rolls and graces."""
    scores = {name: _rendering(CASES[name], tempo).score for name, tempo in by_python.items() if tempo}
    assert {score.swing_unit for score in scores.values()} >= {0, 8, 16}
    assert len({tempo["meter"] for tempo in by_python.values() if tempo}) >= 4
    assert any(len(tempo["tempos"]) > 3 for tempo in by_python.values() if tempo)
    notes = scores["ornate"].notes
    assert any(note.roll for note in notes) and any(note.grace for note in notes)
    assert {hit.drum for hit in CASES["every drum"].hits} == set(range(len(DRUMS)))
