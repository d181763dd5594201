"""The loader: every sample once, the same batches for the same seed, and damage counted instead of fatal."""

from __future__ import annotations

import io
import itertools
import json
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.augment import AugmentConfig
from data.example import LoaderConfig, frame_targets, mix_hits
from data.loader import Batch, make_loader
from data.shards.walk import Order, located
from data.shards.write import encode_flac
from tokenizer.codec import EOS, PAD, Codec
from tokenizer.drums import CLASS_INDEX, NUM_CLASSES
from tokenizer.encode import decode
from tokenizer.hits import Hit

RATE = 44100
CODEC = Codec(segment_steps=100)
PLAIN = AugmentConfig.none(seconds=1.0)


def click(times: list[float], seconds: float) -> np.ndarray:
    """One sample of full scale at each time."""
    audio = np.zeros(round(seconds * RATE), np.float32)
    for time in times:
        audio[round(time * RATE)] = 0.9
    return audio


def members_of(number: int, seconds: float = 2.0, band: bool = True) -> dict[str, bytes]:
    """A sample with a hit every 100 ms; the band is a constant that tells the samples apart."""
    times = [0.05 + 0.1 * i for i in range(int(seconds * 10))]
    names = ("kick", "snare_head", "ride")
    hits = [[time, names[i % 3], 1 + (7 * i + number) % 127] for i, time in enumerate(times)]
    members = {"flac": encode_flac(click(times, seconds))}
    if band:
        members["band.flac"] = encode_flac(np.full(round(seconds * RATE), (number + 1) / 1000, np.float32))
    members["json"] = json.dumps({"hits": hits, "seconds": seconds, "corpus": "made"}).encode()
    return members


def write_tar(path: Path, samples: dict[str, dict[str, bytes]]) -> str:
    with tarfile.open(path, "w") as tar:
        for key, members in samples.items():
            for suffix, content in members.items():
                info = tarfile.TarInfo(f"{key}.{suffix}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return str(path)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """11 samples in 3 shards of unequal size: nothing divides evenly."""
    folder = tmp_path_factory.mktemp("shards")
    paths, number = [], 0
    for shard, size in enumerate((5, 2, 4)):
        samples = {f"s{number + i:02d}": members_of(number + i) for i in range(size)}
        paths.append(write_tar(folder / f"train-{shard:06d}.tar", samples))
        number += size
    return paths


def take(
    shards: list[str], number: int, rank: int = 0, world: int = 1, start: int = 0, **settings: Any
) -> list[Batch]:
    chosen: dict[str, Any] = {"batch_size": 2, "augment": PLAIN, "swap_band": 0.0, "buffer": 4}
    config = LoaderConfig(**{**chosen, **settings})
    return list(itertools.islice(make_loader(shards, CODEC, config, rank, world, start), number))


def keys(batches: list[Batch]) -> list[str]:
    return [key for batch in batches for key in batch.keys]


def same(first: list[Batch], second: list[Batch]) -> bool:
    return len(first) == len(second) and all(
        a.keys == b.keys and all(torch.equal(x, y) for x, y in zip(a[:4], b[:4], strict=True))
        for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("world", [1, 2, 3])
def test_every_sample_once_an_epoch_over_all_ranks(shards: list[str], world: int) -> None:
    # 11 batches of 2 a rank are 2 * world whole epochs.
    count = Counter(key for rank in range(world) for key in keys(take(shards, 11, rank, world)))
    assert count == {f"s{i:02d}": 2 * world for i in range(11)}


@pytest.mark.parametrize("world", [1, 2])
def test_epochs_do_not_overlap(shards: list[str], world: int) -> None:
    ranks = [keys(take(shards, 11, rank, world, batch_size=1)) for rank in range(world)]
    merged = [key for together in zip(*ranks, strict=True) for key in together]
    for epoch in range(world):
        assert len(set(merged[11 * epoch : 11 * epoch + 11])) == 11


@pytest.mark.parametrize("world", [1, 2])
def test_workers_do_not_change_the_batches(shards: list[str], world: int) -> None:
    for rank in range(world):
        alone = take(shards, 7, rank, world, augment=AugmentConfig(seconds=1.0), swap_band=0.5)
        assert same(
            alone, take(shards, 7, rank, world, augment=AugmentConfig(seconds=1.0), swap_band=0.5, workers=2)
        )


def test_seed_decides_order_and_augmentation(shards: list[str]) -> None:
    first = take(shards, 6, augment=AugmentConfig(seconds=1.0), seed=3)
    assert same(first, take(shards, 6, augment=AugmentConfig(seconds=1.0), seed=3))
    assert same(first, take(shards[::-1], 6, augment=AugmentConfig(seconds=1.0), seed=3))
    assert keys(first) != keys(take(shards, 6, augment=AugmentConfig(seconds=1.0), seed=4))


def test_epochs_differ_in_order_and_audio(shards: list[str]) -> None:
    batches = take(shards, 22, batch_size=1)
    first, second = batches[:11], batches[11:]
    assert keys(first) != keys(second)
    audio = {batch.keys[0]: batch.audio for batch in first}
    assert not all(torch.equal(audio[batch.keys[0]], batch.audio) for batch in second)


@pytest.mark.parametrize("done", [1, 3, 8, 40])
@pytest.mark.parametrize("workers", [0, 2])
def test_resume_equals_uninterrupted(shards: list[str], done: int, workers: int) -> None:
    settings: dict[str, Any] = {"augment": AugmentConfig(seconds=1.0), "swap_band": 0.5}
    whole = take(shards, done + 3, rank=1, world=2, **settings)
    resumed = take(shards, 3, rank=1, world=2, start=2 * done, workers=workers, **settings)
    assert same(whole[done:], resumed)


def test_batch_holds_what_lies_in_the_window(shards: list[str]) -> None:
    config = LoaderConfig(batch_size=4, augment=PLAIN, swap_band=0.0)
    batch = next(iter(make_loader(shards, CODEC, config)))
    assert batch.audio.shape == (4, RATE) and batch.audio.dtype == torch.float32
    assert batch.tokens.dtype == torch.int64
    assert batch.onset.shape == batch.velocity.shape == (4, 100, 26)
    for row in range(4):
        tokens = batch.tokens[row].tolist()
        end = tokens.index(EOS)
        assert set(tokens[end + 1 :]) <= {PAD}
        decoded = decode(CODEC, tokens[: end + 1])
        assert decoded.invalid == decoded.dropped == 0
        clicks = np.flatnonzero(batch.audio[row].numpy() > 0.5) / RATE
        assert len(decoded.hits) == len(clicks) > 8
        for hit, time in zip(decoded.hits, clicks, strict=True):
            step = CODEC.step_of(time)
            assert abs(hit.time - time) <= 0.00501
            assert batch.onset[row, step, hit.drum] == 1.0
            assert batch.onset[row, max(0, step - 1), hit.drum] >= 0.5
            bins = 128 / CODEC.velocity_bins
            assert abs(batch.velocity[row, step, hit.drum].item() * 127 - hit.velocity) <= bins
        assert (batch.onset[row] == 1.0).sum() == len(clicks)


def test_change_of_speed_moves_the_labels_with_the_audio(shards: list[str]) -> None:
    faster = AugmentConfig(**{**PLAIN.__dict__, "speed_probability": 1.0})
    gaps = []
    for batch in take(shards, 11, batch_size=1, augment=faster):
        # The click of the highest rate is one sample: its energy after resampling is near, not at, one place.
        energy = np.abs(batch.audio[0].numpy())
        steps = batch.onset[0].eq(1.0).any(dim=1).nonzero().flatten().tolist()
        assert len(steps) > 8
        for step in steps[1:-1]:
            at = round(step * 0.01 * RATE)
            near = energy[max(0, at - 441) : at + 441]
            assert near.max() > 0.2
            assert abs(int(near.argmax()) - min(at, 441)) <= 0.006 * RATE
        gaps.append(float(np.diff(steps[1:-1]).mean()))
    assert min(gaps) < 9.8 and max(gaps) > 10.2, "hits 100 ms apart come closer, or further apart"


def test_swapped_band_comes_from_the_sample_before(shards: list[str]) -> None:
    always_band = AugmentConfig(
        **{**PLAIN.__dict__, "band_probability": 1.0, "drumless_probability": 1.0}
    )  # the band alone is heard

    def bands(swap: float) -> list[int]:
        batches = take(shards, 11, batch_size=1, augment=always_band, swap_band=swap)
        return [round(float(batch.audio.abs().max()) * 1000) - 1 for batch in batches]

    own = [int(key[1:]) for key in keys(take(shards, 11, batch_size=1))]
    assert bands(0.0) == own
    assert bands(1.0) == [own[0], *own[:-1]]


def test_targets_at_the_borders() -> None:
    hits = [Hit(0.0, 0, 127), Hit(0.994, 1, 64), Hit(0.5, 2, 10), Hit(0.5, 2, 100), Hit(0.999, 3, 50)]
    onset, velocity = frame_targets(hits, CODEC)
    assert onset[0, 0] == 1 and onset[1, 0] == 0.5 and onset[2, 0] == 0
    assert onset[99, 1] == 1 and onset[98, 1] == 0.5
    assert onset[50, 2] == 1 and velocity[50, 2] == pytest.approx(100 / 127)
    assert onset[:, 3].sum() == 0, "0.999 s is nearest to step 100, which the next segment holds"


def test_clip_shorter_than_a_segment_is_padded(tmp_path: Path) -> None:
    shard = write_tar(tmp_path / "a.tar", {"k": members_of(0, seconds=0.5)})
    batch = take([shard], 1, batch_size=1)[0]
    assert batch.audio.shape == (1, RATE)
    assert batch.audio[0, RATE // 2 :].abs().max() == 0


def test_damage_is_counted_and_the_rest_arrives(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    good = {f"g{i}": members_of(i) for i in range(4)}
    flac_cut = members_of(5)
    flac_cut["flac"] = flac_cut["flac"][: len(flac_cut["flac"]) // 2]
    flac_noise = members_of(6) | {"flac": b"this is not audio" * 50}
    no_json = {suffix: content for suffix, content in members_of(7).items() if suffix != "json"}
    no_audio = {"json": members_of(8)["json"]}
    unknown = members_of(9) | {"json": json.dumps({"hits": [[0.1, "gong", 9]], "seconds": 2.0}).encode()}
    not_finite = members_of(10) | {"json": b'{"hits": [[NaN, "kick", 9]], "seconds": 2.0}'}
    nonsense = members_of(11) | {"json": b"[1, 2"}
    endless = members_of(13) | {"json": b'{"hits": [], "seconds": 1e300}'}
    loud = members_of(12) | {"json": json.dumps({"hits": [[0.1, "kick", 200]], "seconds": 2.0}).encode()}
    bad = dict(
        b0=flac_cut,
        b1=flac_noise,
        b2=no_json,
        b3=no_audio,
        b4=unknown,
        b5=not_finite,
        b6=nonsense,
        b7=loud,
        b8=endless,
    )
    shards = [write_tar(tmp_path / "a.tar", {**good, **bad})]
    whole = Path(write_tar(tmp_path / "whole.tar", {f"t{i}": members_of(i) for i in range(3)}))
    with tarfile.open(whole) as tar:
        cut = tar.getmember("t2.json").offset_data + 100
    (tmp_path / "b.tar").write_bytes(whole.read_bytes()[:cut])
    (tmp_path / "c.tar").write_bytes(b"\x07" * 3000)
    shards += [str(tmp_path / "b.tar"), str(tmp_path / "c.tar"), str(tmp_path / "gone.tar")]
    loader = make_loader(shards, CODEC, LoaderConfig(batch_size=8, augment=PLAIN, buffer=4))
    with caplog.at_level("WARNING"):
        batches = list(itertools.islice(loader, 6))  # three epochs of 16 samples
    seen = set(keys(batches))
    assert seen == {"g0", "g1", "g2", "g3", "t0", "t1"}
    assert all(len(batch.keys) == 8 for batch in batches)
    per_epoch = {
        "flac corrupt": 2,
        "json missing": 1,
        "flac missing": 1,
        "unknown class": 1,
        "json malformed": 4,
    }
    for reason, count in per_epoch.items():
        assert loader.bad[reason] == 3 * count, (reason, loader.bad)
    assert loader.bad["shard missing"] == 3
    assert loader.bad["shard broken"] == 2 * 3
    assert loader.bad["shard truncated"] == 3
    logged = [record.getMessage() for record in caplog.records]
    assert sum("json missing" in line for line in logged) == 1


def test_counts_arrive_from_workers(tmp_path: Path) -> None:
    samples = {f"g{i}": members_of(i) for i in range(5)} | {"b": {"flac": b""}}
    shard = write_tar(tmp_path / "a.tar", samples)
    loader = make_loader([shard], CODEC, LoaderConfig(batch_size=2, augment=PLAIN, workers=2))
    assert len(list(itertools.islice(loader, 6))) == 6
    assert loader.bad == {"json missing": 2}


def test_a_whole_bad_batch_is_replaced_and_a_whole_bad_epoch_is_an_error(tmp_path: Path) -> None:
    mostly_bad = {f"b{i}": {"json": b"{}"} for i in range(6)} | {"g": members_of(0)}
    shard = write_tar(tmp_path / "a.tar", mostly_bad)
    assert set(keys(take([shard], 7))) == {"g"}
    all_bad = write_tar(tmp_path / "b.tar", {f"b{i}": {"json": b"{}"} for i in range(3)})
    with pytest.raises(ValueError, match=r"no usable sample in a whole epoch.*json malformed"):
        take([all_bad], 1)
    with pytest.raises(ValueError, match=r"no sample found in 1 shards.*shard missing"):
        take([str(tmp_path / "gone.tar")], 1)


def test_member_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.shards.unpack.MAX_MEMBER_BYTES", 20_000)
    large = {"big": members_of(0) | {"json": json.dumps({"pad": "x" * 30_000}).encode()}}
    shard = write_tar(tmp_path / "a.tar", large | {"good": members_of(1, band=False)})
    loader = make_loader([shard], CODEC, LoaderConfig(batch_size=1, augment=PLAIN))
    assert set(keys(list(itertools.islice(loader, 4)))) == {"good"}
    assert loader.bad["member too large"] > 0


def test_links_and_folders_in_a_tar_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    write_tar(path, {"good": members_of(0)})
    with tarfile.open(path, "a") as tar:
        link = tarfile.TarInfo("evil.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert set(keys(take([str(path)], 3))) == {"good"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rank": 2, "world": 2}, "rank 2 is outside 0..1"),
        ({"start_sample": 3}, "start_sample 3 is not a multiple"),
    ],
)
def test_arguments_are_checked(shards: list[str], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_loader(shards, CODEC, LoaderConfig(batch_size=2, augment=PLAIN), **arguments)


def test_configuration_is_checked(shards: list[str]) -> None:
    with pytest.raises(ValueError, match="no shards given"):
        make_loader([], CODEC, LoaderConfig(augment=PLAIN))
    with pytest.raises(ValueError, match=r"the codec's segments are 1\.0 s"):
        make_loader(shards, CODEC, LoaderConfig())
    with pytest.raises(ValueError, match="batch_size 0"):
        LoaderConfig(batch_size=0)
    with pytest.raises(ValueError, match="swap_band is 2"):
        LoaderConfig(swap_band=2)


def test_mixed_hits_bring_audio_and_labels_of_another_sample(shards: list[str]) -> None:
    place = next(located(Order((tuple(shards),), 0, 4), 0, 1, 0, Counter()))
    theirs = [
        Hit(time, CLASS_INDEX[name], velocity)
        for time, name, velocity in json.loads(members_of(int(place.members["__key__"][-2:]))["json"])["hits"]
    ]
    own = [Hit(theirs[0].time, theirs[0].drum, 100), Hit(0.5, NUM_CLASSES - 1, 60)]
    audio = click([hit.time for hit in own], 1.07)
    mixed, hits = mix_hits(audio, own, place.members, 0, np.random.default_rng(0))
    assert len(hits) == len(theirs) + 1, "two strokes of one drum at one time are one"
    assert [hit.time for hit in hits] == sorted(hit.time for hit in hits)
    added = mixed - audio
    at = [round(hit.time * RATE) for hit in theirs if hit.time < 1.07]
    assert np.abs(added[at]).min() > 0.1 and np.abs(np.delete(added, at)).max() < 1e-3


def test_hit_mixing_is_off_unless_asked_for(shards: list[str]) -> None:
    plain, again, mixed = (
        take(shards, 4, augment=AugmentConfig(**{**vars(PLAIN), "hit_mixing_probability": chance}))
        for chance in (0.0, 0.0, 1.0)
    )
    assert all(torch.equal(a.audio, b.audio) for a, b in zip(plain, again, strict=True))
    assert not all(torch.equal(a.audio, b.audio) for a, b in zip(plain, mixed, strict=True))
