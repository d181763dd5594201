"""What chooses the checkpoint: which recordings are heard, and how they are scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from data.shards.write import make_shards
from mt3drum.config import PRESETS
from mt3drum.decoding import DecodeConfig
from mt3drum.model.network import DrumModel
from mt3drum.transcriber import Transcription
from tests.small_runs import BeepShards, beeps
from tokenizer.drums import CLASS_INDEX
from tokenizer.hits import Hit
from train import validate as module
from train.config import TrainConfig
from train.validate import Group, groups_of, validate

KICK, SNARE, CROSS, TOM = (CLASS_INDEX[n] for n in ("kick", "snare_head", "snare_cross_stick", "tom1_head"))


@pytest.fixture
def mdb(tmp_path: Path) -> Path:
    """Two tracks in the layout of MDB Drums, one of them with a pseudo mix too."""
    for folder in ("annotations/class", "audio/drum_only", "audio/pseudo_mix"):
        (tmp_path / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("MusicDelta_One", "MusicDelta_Two"):
        rows = "0.100000 \t KD \n0.600000 \t SD \n0.700000 \t OT \n"
        (tmp_path / "annotations" / "class" / f"{name}_class.txt").write_text(rows)
        soundfile.write(tmp_path / "audio" / "drum_only" / f"{name}_Drum.wav", beeps(1.0, rng)[0], 44_100)
    audio = tmp_path / "audio" / "pseudo_mix" / "MusicDelta_Two_PSEUDO.wav"
    soundfile.write(audio, beeps(1.0, rng)[0], 44_100)
    return tmp_path


def test_development_recordings_are_grouped_by_mix(mdb: Path) -> None:
    drums, mixes = groups_of(TrainConfig("x", development=str(mdb), validation="unused"))
    assert (drums.name, mixes.name) == ("drum_only", "pseudo_mix")
    assert [Path(str(path)).name for path in drums.audio.values()] == [
        "MusicDelta_One_Drum.wav",
        "MusicDelta_Two_Drum.wav",
    ]
    assert list(mixes.audio) == list(mixes.hits)  # a track without that mix is not scored as missed
    assert len(mixes.audio) == 1
    assert all(
        [(h.time, h.drum) for h in hits] == [(0.1, KICK), (0.6, SNARE)] for hits in drums.hits.values()
    )
    assert "snare_cross_stick" in drums.unjudged


def test_no_recordings_of_a_mix_is_an_error(mdb: Path) -> None:
    with pytest.raises(ValueError, match="audio in audio/full_mix"):
        groups_of(TrainConfig("x", development=str(mdb), development_mixes=("full_mix",)))


def test_rendered_clips_where_there_are_no_recordings(tmp_path: Path) -> None:
    make_shards(tmp_path, BeepShards("validation", shards=2, per_shard=2, seconds=1.0))
    (group,) = groups_of(TrainConfig("x", validation=str(tmp_path)))
    assert group.name == "rendered" and len(group.audio) == len(group.hits) == 4
    assert group.audio.keys() == group.hits.keys() and not group.unjudged
    assert groups_of(TrainConfig("x")) == []


class Heard:
    """A transcriber that hears what it was told to, by recording."""

    hits: dict[str, list[Hit]]

    def __init__(self, *_: Any) -> None: ...

    def transcribe_file(self, path: Path) -> Transcription:
        return Transcription(tuple(self.hits[path.stem]), 1.0, path)

    def transcribe_array(self, audio: np.ndarray) -> Transcription:
        return Transcription(tuple(self.hits[str(len(audio))]), 1.0)


def test_scores_by_group_and_class(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = [Hit(0.1, KICK, 100), Hit(0.5, SNARE, 100), Hit(0.9, KICK, 100)]
    files = Group("files", {"a": Path("a.wav")}, {"a": truth}, frozenset({"snare_cross_stick"}))
    arrays = Group("arrays", {"b": np.zeros(7, np.float32)}, {"b": truth}, frozenset())
    # a: all right within 50 ms, and a cross stick nobody can judge; b: one of three, and a tom too many.
    late = [Hit(hit.time + 0.045, hit.drum, 1) for hit in truth]
    Heard.hits = {"a": [*late, Hit(0.7, CROSS, 100)], "7": [truth[0], Hit(0.3, TOM, 100)]}
    monkeypatch.setattr(module, "Transcriber", Heard)
    found = validate(DrumModel(PRESETS["tiny"]), [files, arrays], DecodeConfig())
    assert found.by_group == pytest.approx({"files": 1.0, "arrays": 2 / 5})
    assert found.f_measure == pytest.approx(0.7)
    assert found.by_class["files/KD"] == 1.0 and found.by_class["arrays/KD"] == pytest.approx(2 / 3)
    assert found.by_class["arrays/SD"] == 0.0 and found.by_class["arrays/TT"] == 0.0
    assert set(found.by_class) == {
        f"{g}/{c}" for g in ("files", "arrays") for c in ("KD", "SD", "TT", "HH", "CY")
    }


def test_a_real_model_is_heard_and_left_as_it_was(mdb: Path) -> None:
    model = DrumModel(PRESETS["tiny"]).train()
    groups = groups_of(TrainConfig("x", development=str(mdb), development_mixes=("drum_only",)))
    found = validate(model, groups, DecodeConfig(max_tokens=16))
    assert 0 <= found.f_measure <= 1 and model.training
