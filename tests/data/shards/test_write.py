"""Shards: reproducible bytes, resumable, and a manifest that says what is in them."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from data.clips.clip import Clip, Palette, RenderConfig, choose_performance
from data.clips.makers import RecordedShards, RenderedShards
from data.clips.recorded import cut_recording
from data.corpora.readers import Recording
from data.grooves.patterns import Performance
from data.render.drums import RING_SECONDS
from data.shards.write import encode_flac, make_shards, read_manifest, shard_paths
from scripts.make_shards import main
from tests import ROOT
from tokenizer.hits import Hit


def performance(name: str = "p", seconds: float = 8.0, step: float = 0.25) -> Performance:
    hits = tuple(Hit(i * step, i % 3, 40 + i % 80) for i in range(int(seconds / step)))
    return Performance(name, "train", "gmd", "CC BY 4.0", 120.0, hits)


def recording(folder: Path, name: str, seconds: float, rate: int = 44100, take: str = "") -> Recording:
    """A ramp, so that every cut shows where it comes from; a hit every 100 ms."""
    path = folder / f"{name}.wav"
    soundfile.write(str(path), np.linspace(0, 0.9, round(seconds * rate), dtype=np.float32), rate)
    hits = tuple(Hit(0.1 * i, i % 26, 1 + i % 127) for i in range(int(seconds * 10)))
    return Recording(
        name, path, hits, "train", "made", take or name, "kit " + name, "CC0", {"99": 3}, {"33": 1}
    )


def samples_of(path: Path) -> dict[str, dict[str, bytes]]:
    """Members by key, read with nothing but tarfile."""
    found: dict[str, dict[str, bytes]] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            key, suffix = member.name.split(".", 1)
            content = tar.extractfile(member)
            assert content is not None
            found.setdefault(key, {})[suffix] = content.read()
    return found


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.tar"))}


def small(number: int = 5, seed: int = 0, **config: Any) -> RenderedShards:
    """Rendered clips of 1 s without any data."""
    settings = {"seconds": 1.0, "band": 0.0, "negatives": 0.0, "synthetic": 1.0} | config
    return RenderedShards(RenderConfig(**settings), Palette((performance(),)), seed, number, per_shard=2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make_shards(folder, small())
    return folder


def test_manifest_equals_a_direct_count(made: Path) -> None:
    manifest = read_manifest(made)
    hits: Counter[str] = Counter()
    kits: Counter[str] = Counter()
    corpora: Counter[str] = Counter()
    seconds, clips = 0.0, 0
    for path in shard_paths(made):
        for members in samples_of(Path(path)).values():
            labels = json.loads(members["json"])
            hits.update(name for _, name, _ in labels["hits"])
            kits.update(labels["kits"])
            corpora[labels["corpus"]] += 1
            audio, rate = soundfile.read(io.BytesIO(members["flac"]))
            assert rate == 44100 and len(audio) == 44100
            seconds += len(audio) / rate
            clips += 1
    assert manifest["clips"] == clips == 5 and manifest["seconds"] == pytest.approx(seconds)
    assert {name: count for name, count in manifest["hits"].items() if count} == dict(hits) and hits
    assert {name: kit["clips"] for name, kit in manifest["kits"].items()} == dict(kits)
    assert {name: corpus["clips"] for name, corpus in manifest["corpora"].items()} == dict(corpora)
    assert set(manifest["rare"]) == {
        name for name, count in manifest["hits"].items() if count < 0.001 * sum(hits.values())
    }
    assert all(len(shard["sha256"]) == 64 for shard in manifest["shards"])


def test_sample_is_flac_and_json_with_a_key_without_dots(made: Path) -> None:
    samples = samples_of(made / "train-000001.tar")
    assert list(samples) == ["train-000001-0000", "train-000001-0001"]
    labels = json.loads(samples["train-000001-0000"]["json"])
    assert set(labels) == {
        "hits",
        "corpus",
        "performance",
        "kits",
        "licence",
        "split",
        "seconds",
        "bpm",
        "unmapped",
    }
    assert labels["kits"] == ["synthesised"] and labels["split"] == "train" and labels["seconds"] == 1.0
    info = soundfile.info(io.BytesIO(samples["train-000001-0000"]["flac"]))
    assert (info.format, info.subtype, info.channels) == ("FLAC", "PCM_16", 1)


def test_workers_and_repetition_give_the_same_bytes(made: Path, tmp_path: Path) -> None:
    make_shards(tmp_path / "two", small(), workers=2)
    assert bytes_of(tmp_path / "two") == bytes_of(made)
    make_shards(tmp_path / "other", small(seed=1))
    assert bytes_of(tmp_path / "other") != bytes_of(made)


def test_resume_makes_only_what_is_missing_or_damaged(made: Path, tmp_path: Path) -> None:
    make_shards(tmp_path, small())
    (tmp_path / "train-000000.tar").unlink()
    damaged = tmp_path / "train-000002.tar"
    damaged.write_bytes(damaged.read_bytes()[:-1000])
    kept = (tmp_path / "train-000001.tar").stat().st_mtime_ns
    done: list[int] = []
    manifest = make_shards(tmp_path, small(), progress=done.append)
    assert bytes_of(tmp_path) == bytes_of(made)
    assert (tmp_path / "train-000001.tar").stat().st_mtime_ns == kept
    assert sum(done) == 5 and manifest == read_manifest(tmp_path)
    assert not list(tmp_path.glob(".*")), "temporary files are gone"


def test_a_longer_run_keeps_the_full_shards(made: Path, tmp_path: Path) -> None:
    make_shards(tmp_path, small(3))
    first = (tmp_path / "train-000000.tar").stat().st_mtime_ns
    make_shards(tmp_path, small(5))
    assert bytes_of(tmp_path) == bytes_of(made)
    assert (tmp_path / "train-000000.tar").stat().st_mtime_ns == first


def test_other_settings_do_not_mix_into_a_folder(made: Path) -> None:
    with pytest.raises(ValueError, match=r"made with other settings or sources \(train-000000\.json\)"):
        make_shards(made, small(seed=5))
    with pytest.raises(ValueError, match="made with other settings"):
        make_shards(made, small(vary=0.0))


class Broken:
    """Fails in the second clip of the second shard."""

    split = "train"

    def sizes(self) -> list[int]:
        return [1, 2]

    def clips(self, shard: int) -> Iterator[Clip]:
        for number in range(shard + 1):
            audio = np.zeros(100, np.float32)
            audio[0] = np.nan if number else 0.5
            yield Clip(audio, None, (), "made", "p", {}, "CC0", "train", 0.1, 0.0, {})

    def settings(self) -> dict[str, Any]:
        return {}

    def sources(self) -> dict[str, Any]:
        return {"corpora": {}, "accompaniment": {}}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_leaves_no_half_shard(tmp_path: Path, workers: int) -> None:
    with pytest.raises(ValueError, match="not finite"):
        make_shards(tmp_path, Broken(), workers)
    assert not (tmp_path / "train-000001.tar").exists()
    assert not (tmp_path / "manifest.json").exists()
    with pytest.raises(ValueError, match=r"manifest\.json: no usable manifest"):
        read_manifest(tmp_path)


class Killed(Broken):
    """Its second shard is the end of whoever makes it, as where the kernel is out of memory."""

    def clips(self, shard: int) -> Iterator[Clip]:
        if shard == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().clips(shard)


@pytest.mark.timeout(60)  # it would wait for ever
def test_a_worker_that_is_killed_ends_the_run_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a worker was killed") as error:
        make_shards(tmp_path, Killed(), workers=2)
    assert str(tmp_path) in str(error.value) and not (tmp_path / "manifest.json").exists()


def test_workers_end_with_a_killed_run(tmp_path: Path) -> None:
    command = [sys.executable, "scripts/make_shards.py", "--output", str(tmp_path / "out"), "--no-data"]
    command += ["--clips", "4000", "--clips-per-shard", "1", "--workers", "2"]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        workers = _wait_for(lambda: _spawned_by(run.pid) if list(tmp_path.rglob("*.tar")) else [])
    finally:
        run.kill()
        run.wait()
    assert len(workers) == 2
    assert _wait_for(lambda: not any(_is_running(worker) for worker in workers))


def _wait_for(found: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while not (result := found()) and time.monotonic() < end:
        time.sleep(0.05)
    return result


def _spawned_by(pid: int) -> list[int]:
    """Worker processes of a process; not multiprocessing's resource tracker."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


def _is_running(pid: int) -> bool:
    """A zombie, not yet collected by whoever inherited it, runs no more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_flac_keeps_16_bit_audio_and_turns_down_what_is_too_loud() -> None:
    audio = np.array([0, 0.5, -1.0, 1 / 32767], np.float32)
    back, _ = soundfile.read(io.BytesIO(encode_flac(audio)), dtype="int16")
    assert back.tolist() == [0, 16384, -32767, 1]
    back, _ = soundfile.read(io.BytesIO(encode_flac(audio * 4)), dtype="int16")
    assert back.tolist() == [0, 16384, -32767, 1]


def test_recordings_are_cut_end_to_end(tmp_path: Path) -> None:
    long, short = recording(tmp_path, "long", 5.4), recording(tmp_path, "short", 0.5)
    maker = RecordedShards((long, short), "train", seconds=2.0, per_shard=2)
    manifest = make_shards(tmp_path / "out", maker)
    samples = [s for path in shard_paths(tmp_path / "out") for s in samples_of(Path(path)).values()]
    assert len(samples) == 3, "the half second is too short for a clip, the rest of 1.4 s is not"
    hits = []
    for number, members in enumerate(samples):
        labels = json.loads(members["json"])
        audio, _ = soundfile.read(io.BytesIO(members["flac"]))
        assert audio[0] == pytest.approx(0.9 * 2 * number / 5.4, abs=1e-4)
        assert labels["kits"] == ["kit long"] and labels["licence"] == "CC0"
        hits += [round(time + 2 * number, 6) for time, _, _ in labels["hits"]]
    assert hits == [round(hit.time, 6) for hit in long.hits], "every hit is in exactly one clip"
    assert manifest["sources"]["corpora"]["made"]["unmapped"] == {"99": 6}
    assert manifest["sources"]["corpora"]["made"]["excluded"] == {"33": 2}
    assert manifest["kits"] == {"kit long": {"licence": "CC0", "clips": 3}}


def test_recordings_are_drawn_by_performance(tmp_path: Path) -> None:
    many = [recording(tmp_path, f"m{i}", 3.0, take="many") for i in range(9)]
    maker = RecordedShards(
        (*many, recording(tmp_path, "one", 3.0)), "train", 0, 40, seconds=1.0, per_shard=20
    )
    manifest = make_shards(tmp_path / "out", maker)
    assert manifest["clips"] == 40 and manifest["performances"] == 2
    assert 10 <= manifest["kits"]["kit one"]["clips"] <= 30
    starts = [start for _, start in maker.plan]
    assert min(starts) >= 0 and max(starts) <= 2.0 and len(set(starts)) > 30


def test_cut_resamples_and_mixes_down(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    wave = np.sin(2 * np.pi * 440 * np.arange(48000) / 48000)
    soundfile.write(str(path), np.stack([wave, 0 * wave], 1), 48000)
    source = replace(recording(tmp_path, "x", 1.0), audio=path)
    clip = cut_recording(source, 0.25, 0.5)
    assert clip.audio.dtype == np.float32 and abs(len(clip.audio) - 22050) <= 1
    expected = 0.5 * np.sin(2 * np.pi * 440 * (0.25 + np.arange(22050) / 44100))
    middle = slice(1000, 20000)
    assert np.abs(clip.audio[middle] - expected[middle]).max() < 0.01
    assert [round(hit.time, 3) for hit in clip.hits] == [0.05, 0.15, 0.25, 0.35, 0.45]


def test_audio_errors_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(b"nothing")
    source = replace(recording(tmp_path, "x", 1.0), audio=path)
    with pytest.raises(ValueError, match=r"bad\.wav: cannot read the audio"):
        make_shards(tmp_path / "out", RecordedShards((source,), "train"))
    with pytest.raises(ValueError, match="made x: no audio"):
        cut_recording(replace(source, audio=None), 0.0, 1.0)


def test_performances_fill_the_clip_and_ring_into_it() -> None:
    config = RenderConfig(seconds=12.0, patterns=0.0, vary=0.0)
    palette = Palette((performance("fill", 2.0), performance("long", 60.0)))
    rings = 0
    for seed in range(30):
        played = choose_performance(config, palette, np.random.default_rng(seed))
        times = [hit.time for hit in played.hits]
        assert times == sorted(times) and min(times) >= -RING_SECONDS and max(times) < 12.0
        assert max(times) > 10.0, "a fill of 2 s is followed by others"
        rings += min(times) < -1.0
    assert rings > 10


def test_varied_performances_cover_the_clip() -> None:
    config = RenderConfig(seconds=6.0, patterns=0.0, vary=1.0)
    palette = Palette((performance("long", 90.0, step=0.1),))
    for seed in range(30):
        played = choose_performance(config, palette, np.random.default_rng(seed))
        assert max(hit.time for hit in played.hits) > 5.0


def test_bands_and_negatives(tmp_path: Path) -> None:
    from data.band.play import synthetic_notes

    notes = synthetic_notes(np.random.default_rng(0), per_kind=1, noises=1)
    config = RenderConfig(seconds=1.0, electronic=0.0, band=0.5, negatives=0.3)
    maker = RenderedShards(config, Palette((performance(),), notes=notes), 0, 24, per_shard=24)
    manifest = make_shards(tmp_path, maker)
    samples = list(samples_of(tmp_path / "train-000000.tar").values())
    bands = sum("band.flac" in members for members in samples)
    drumless = 0
    for members in samples:
        labels = json.loads(members["json"])
        audio, _ = soundfile.read(io.BytesIO(members["flac"]))
        if labels["corpus"] == "no drums":
            drumless += 1
            assert labels["hits"] == [] and labels["kits"] == [] and not audio.any()
            band, _ = soundfile.read(io.BytesIO(members["band.flac"]))
            assert np.abs(band).max() > 0.5 and len(band) == len(audio)
        else:
            assert np.abs(audio).max() > 0.5 or not labels["hits"]  # a second of a sparse take
    assert 8 <= bands <= 23 and 3 <= drumless <= 13
    assert manifest["corpora"]["no drums"]["clips"] == drumless
    assert list(manifest["sources"]["accompaniment"]) == ["synthesised"]


def test_configuration_is_checked() -> None:
    with pytest.raises(ValueError, match="patterns is 2"):
        RenderConfig(patterns=2)
    with pytest.raises(ValueError, match="negatives need a band"):
        RenderConfig(band=0.0)
    with pytest.raises(ValueError, match="seconds is 0"):
        RenderConfig(seconds=0)
    plain = RenderConfig.plain("test")
    assert (plain.patterns, plain.vary, plain.band, plain.negatives, plain.synthetic) == (0, 0, 0, 0, 0)


def test_command_makes_shards_without_any_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    command = [
        "--output",
        str(out),
        "--no-data",
        "--clips",
        "3",
        "--clips-per-shard",
        "2",
        "--seconds",
        "1.5",
    ]
    assert main([*command, "--workers", "1", "--no-band"]) == 0
    assert "3 clips" in capsys.readouterr().out
    assert [shard["clips"] for shard in read_manifest(out)["shards"]] == [2, 1]
    assert main([*command, "--workers", "1", "--no-band", "--seed", "9"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("make_shards: ")
    missing = ["--output", str(tmp_path / "b"), "--clips", "1", "--data", str(tmp_path / "gone")]
    assert main(missing) == 1
    assert "gone is not a folder; use --no-data to synthesise everything" in capsys.readouterr().err


def test_command_cuts_a_folder_of_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tokenizer.midi import write_midi

    source = recording(tmp_path, "song", 3.0)
    write_midi([replace(hit, drum=0) for hit in source.hits], tmp_path / "song.mid")
    out = tmp_path / "out"
    command = ["--output", str(out), "--corpus", "folder", "--root", str(tmp_path), "--workers", "1"]
    assert main([*command, "--seconds", "1"]) == 0
    manifest = read_manifest(out)
    assert manifest["clips"] == 3 and manifest["hits"]["kick"] == 30
    assert main([*command[:-2], "--split", "test", "--label-map", "nonsense"]) == 1
    assert "nonsense" in capsys.readouterr().err


def test_help_does_not_wait_for_heavy_imports() -> None:
    code = (
        "import sys, scripts.make_shards as m; m.parse_args(['--output', 'x', '--no-data', '--clips', '1'])"
    )
    code += "; print([name for name in ('numpy', 'torch', 'soundfile') if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
