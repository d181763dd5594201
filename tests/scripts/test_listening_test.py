"""A blind listening test from folders to a verdict."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from mt3drum.config import SAMPLE_RATE
from scripts.listening_test import Excerpt, count_votes, excerpt, identity, main, plan, verdict
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit
from tokenizer.midi import write_midi


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Two recordings; one system heard kicks, the other nothing but a hat."""
    for name in ("audio", "ours", "theirs"):
        (tmp_path / name).mkdir()
    rng = np.random.default_rng(0)
    for song in ("one", "two"):
        noise = (0.1 * rng.standard_normal(3 * SAMPLE_RATE)).astype(np.float32)
        wavfile.write(tmp_path / "audio" / f"{song}.wav", SAMPLE_RATE, noise)
        write_midi(
            [Hit(t / 2, CLASS_INDEX["kick"], 100) for t in range(6)], tmp_path / "ours" / f"{song}.mid"
        )
        write_midi([Hit(0.1, CLASS_INDEX["hihat_closed"], 100)], tmp_path / "theirs" / f"{song}.mid")
    return tmp_path


def arguments(folders: Path, *more: str) -> list[str]:
    given = [str(folders / "ours"), str(folders / "theirs"), "--audio", str(folders / "audio")]
    return [*given, "--trials", "4", "--seconds", "1", *more]


def test_the_order_is_balanced_seeded_and_within_the_recordings() -> None:
    lengths = {"a": 20.0, "b": 5.0, "c": 0.5}
    trials = plan(lengths, 12, 4.0, 1)
    assert trials == plan(lengths, 12, 4.0, 1) != plan(lengths, 12, 4.0, 2)
    assert sum(trial.swapped for trial in trials) == 6
    assert Counter(trial.track for trial in trials) == {"a": 4, "b": 4, "c": 4}
    assert all(0 <= trial.start <= max(0.0, lengths[trial.track] - 4) for trial in trials)


def test_an_excerpt_begins_where_it_should() -> None:
    audio = excerpt([Hit(0.5, 0, 127), Hit(2.25, 0, 127), Hit(9.0, 0, 127)], 2.0, 1.0)
    assert len(audio) == SAMPLE_RATE
    loud = np.flatnonzero(np.abs(audio) > 0.02)
    assert 0.24 * SAMPLE_RATE < loud[0] < 0.27 * SAMPLE_RATE


def test_a_page_says_nothing_of_who_is_who(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = folders / "test.html"
    assert main(arguments(folders, "-o", str(output))) == 0
    text = output.read_text()
    assert text.count("<audio") == 12 and text.count("type='radio'") == 12
    assert "ours" not in text and "theirs" not in text and "one.wav" not in text
    # The votes that favour the first system, as a listener would who knows the kicks.
    trials = plan({"one": 3.0, "two": 3.0}, 4, 1.0, 0)
    test = identity(trials, [str(folders / "ours"), str(folders / "theirs")])
    assert f'const test = "{test}"' in text
    votes = ["Y" if trial.swapped else "X" for trial in trials[:3]] + ["same"]
    (folders / "votes.json").write_text(json.dumps({"test": test, "votes": votes}))
    capsys.readouterr()
    assert main(arguments(folders, "--votes", str(folders / "votes.json"))) == 0
    assert f"{folders / 'ours'} 3, {folders / 'theirs'} 0, no difference 1" in capsys.readouterr().out
    assert main(arguments(folders, "--seed", "1", "--votes", str(folders / "votes.json"))) == 1
    assert "votes of another test" in capsys.readouterr().err
    assert main(arguments(folders)) == 1


def test_votes_and_verdicts(tmp_path: Path) -> None:
    trials = [Excerpt("a", 0.0, False), Excerpt("a", 0.0, True)]
    for name, votes in (("1", ["X", "X"]), ("2", ["Y", "same"]), ("3", [None, "Y"])):
        (tmp_path / name).write_text(json.dumps({"test": "t", "votes": votes}))
    found = count_votes([tmp_path / name for name in "123"], trials, "t")
    assert found == {"first": 2, "second": 2, "same": 1}
    assert "cannot be told apart" in verdict(found, ("A", "B"))
    assert verdict(Counter(first=20, second=2), ("A", "B")).endswith("A is preferred")
    assert verdict(Counter(first=2, second=20), ("A", "B")).endswith("B is preferred")
    assert "91 % (72 to 97)" in verdict(Counter(first=20, second=2), ("A", "B"))
    assert "nothing is decided" in verdict(Counter(same=3), ("A", "B"))
    (tmp_path / "bad").write_text("[]")
    with pytest.raises(ValueError, match="bad: no votes"):
        count_votes([tmp_path / "bad"], trials, "t")
