"""Counts of a miniature that can be counted by hand, and the command over shards and a corpus."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data.shards.write import make_shards, read_manifest
from data.statistics import CountedTrack, merges, rare, statistics, table
from scripts.inspect_data import main
from tests.small_runs import BeepShards
from tokenizer.drums import CLASS_INDEX, DRUMS
from tokenizer.hits import Hit
from tokenizer.midi import write_midi

KICK, SNARE, HAT = (CLASS_INDEX[name] for name in ("kick", "snare_head", "hihat_closed"))


def test_a_miniature_counted_by_hand() -> None:
    """Kick and hat at once twice, the snare alone; a second track with one kick."""
    hits = [
        Hit(0.0, KICK, 100),
        Hit(0.01, HAT, 50),
        Hit(0.5, SNARE, 90),
        Hit(1.5, KICK, 80),
        Hit(1.5, HAT, 60),
    ]
    tracks = [
        CountedTrack(hits, 2.0, {"99": 3}, {"kits": ["a"]}),
        CountedTrack([Hit(0.2, KICK, 60)], 1.0, {"99": 1}, {"kits": ["a", "b"]}),
    ]
    found = statistics(tracks)
    assert (found.tracks, found.seconds, found.total) == (2, 3.0, 6)
    assert {name: count for name, count in found.hits.items() if count} == {
        "kick": 3,
        "snare_head": 1,
        "hihat_closed": 2,
    }
    assert found.share("kick") == 0.5 and found.velocities["kick"][1] == 80
    assert found.gaps == {"kick": [1.5] * 3, "hihat_closed": [1.49] * 3}, "not across tracks"
    assert found.together["kick"] == {"hihat_closed": 2} and found.together["snare_head"] == {}
    assert found.unmapped == {"99": 4} and found.groups == {"kits": {"a": 2, "b": 1}}
    assert "never struck: snare_cross_stick" in table(found) and "kick" in table(found).splitlines()[3]


def test_rare_classes_and_what_they_would_join() -> None:
    counts = {drum.name: 1000 for drum in DRUMS}
    counts |= {"crash1_edge": 5, "crash2_edge": 40, "floor_tom_rim": 100, "floor_tom_head": 90, "aux1": 0}
    assert rare(counts) == ["crash1_edge", "aux1"]
    assert merges(counts) == {
        "floor_tom_head": "floor_tom_rim",  # of the same drum, the commoner
        "floor_tom_rim": "tom1_head",  # no commoner one of its drum: the family's
        "crash1_edge": "crash1",
        "crash2_edge": "crash2",
    }
    assert rare({}) == [drum.name for drum in DRUMS] and merges({}) == {}
    assert "kick" not in merges({"kick": 1, "snare_head": 1000}), "it has no relative"


def test_shards_are_counted_as_their_manifest_counts_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_shards(tmp_path / "shards", BeepShards(shards=2, seconds=2.0))
    assert (
        main(
            [str(tmp_path / "shards"), "--json", str(tmp_path / "a.json"), "--plot", str(tmp_path / "a.svg")]
        )
        == 0
    )
    found, manifest = json.loads((tmp_path / "a.json").read_text()), read_manifest(tmp_path / "shards")
    assert found["hits"] == manifest["hits"] and found["rare"] == manifest["rare"]
    assert (found["tracks"], found["seconds"]) == (manifest["clips"], manifest["seconds"])
    assert found["groups"]["kits"] == {"beeps": 6}
    assert "6 tracks" in capsys.readouterr().out and "kick" in (tmp_path / "a.svg").read_text()


def test_a_corpus_is_counted_without_its_audio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.wav").touch()
    write_midi([Hit(0.0, KICK, 100), Hit(0.5, SNARE, 90)], tmp_path / "a.mid")
    assert main(["--corpus", "folder", "--root", str(tmp_path)]) == 0
    assert "1 tracks" in capsys.readouterr().out
    assert main(["--corpus", "folder"]) == 1
    assert main([str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.count("\n") == 2, "one line each"
