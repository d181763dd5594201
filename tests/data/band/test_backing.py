"""What plays beside the drums: shares, stems and their licence, clips without drums up to the batch."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from data.augment import AugmentConfig, augment
from data.band import backing, synthetic
from data.band.backing import KINDS, BackingConfig, choose_kind, render_backing
from data.band.notes import NoteBank
from data.band.stems import SOURCE, BackingStem, StemConfig, load_stems, render_stems
from data.borders import begin, end
from data.clips.clip import Palette, RenderConfig, render_clip, synthetic_kits
from data.clips.makers import RenderedShards
from data.dsp.levels import PEAK
from data.example import LoaderConfig
from data.loader import make_loader
from data.shards.write import make_shards, read_manifest, shard_paths
from mt3drum.config import SAMPLE_RATE
from tokenizer.codec import EOS, Codec
from tokenizer.hits import Hit

SECONDS = 2.0


@pytest.fixture(scope="module")
def bank() -> NoteBank:
    return synthetic.synthetic_notes(np.random.default_rng(0), per_kind=1, noises=2)


def tone(hertz: float, seconds: float) -> np.ndarray:
    return (
        20_000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)
    ).astype(np.int16)


STEMS = (
    BackingStem("one", tone(220, 5)),
    BackingStem("one", tone(330, 4)),
    BackingStem("two", tone(440, 0.3)),
)


@pytest.mark.parametrize("drumless", [False, True])
def test_shares_are_those_asked_for(drumless: bool) -> None:
    config = BackingConfig()
    rng = np.random.default_rng(0)
    count = Counter(choose_kind(rng, drumless, True, config) for _ in range(20_000))
    shares = config.drumless if drumless else config.with_drums
    for kind, share in zip(KINDS, shares, strict=True):
        assert count[kind] / 20_000 == pytest.approx(share, abs=0.015)


def test_without_stems_their_share_is_the_bands() -> None:
    rng = np.random.default_rng(0)
    count = Counter(choose_kind(rng, False, False, BackingConfig()) for _ in range(5000))
    assert "stems" not in count and count["band"] / 5000 == pytest.approx(0.6, abs=0.03)


def test_shares_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 6 shares with a sum of 1"):
        BackingConfig(drumless=(1.0,))
    with pytest.raises(ValueError, match="with_drums is"):
        BackingConfig(with_drums=(0.5, 0.5, 0.5, 0, 0, 0))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_renders(kind: str, bank: NoteBank) -> None:
    shares = tuple(float(name == kind) for name in KINDS)
    config = BackingConfig(with_drums=shares, drumless=shares)
    for seed, drumless in itertools.product(range(3), (False, True)):
        first, again = (
            render_backing(
                bank, STEMS, np.random.default_rng(seed), SECONDS, 120.0, [0.5, 1.0], drumless, config
            )
            for _ in range(2)
        )
        assert first.shape == (round(SECONDS * SAMPLE_RATE),) and first.dtype == np.float32
        assert np.isfinite(first).all() and np.abs(first).max() == pytest.approx(PEAK, abs=1e-3)
        np.testing.assert_array_equal(first, again)


def test_kicks_duck_electronic_bands(bank: NoteBank) -> None:
    shares = tuple(float(name == "stems") for name in KINDS)
    config = BackingConfig(
        with_drums=shares, ducked=1.0, cut=0.0, limited=0.0, stems=StemConfig(coloured=0.0, room=0.0)
    )
    steady = (BackingStem("one", tone(220, 8)),)
    audio = render_backing(bank, steady, np.random.default_rng(0), SECONDS, 120.0, [1.0], False, config)
    at = SAMPLE_RATE
    assert np.abs(audio[at + 10 : at + 400]).max() < 0.7 * np.abs(audio[at - 2000 : at - 10]).max()


def test_a_cut_band_begins_in_the_middle(bank: NoteBank, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rendering is longer than the clip, and its kicks are later by what is cut off."""
    seen = []

    def render(*args: Any) -> np.ndarray:
        seen.append((args[4], args[6]))
        return np.arange(round(args[4] * SAMPLE_RATE), dtype=np.float32)

    monkeypatch.setattr(backing, "_render", render)
    config = BackingConfig(cut=1.0, ducked=0.0, limited=0.0)
    audio = render_backing(bank, (), np.random.default_rng(0), SECONDS, 120.0, [0.5], False, config)
    (seconds, kicks) = seen[0]
    assert seconds > SECONDS and kicks == [pytest.approx(0.5 + seconds - SECONDS)]
    assert audio[0] > 0 and len(audio) == round(SECONDS * SAMPLE_RATE)


# stems


def write_stems(folder: Path) -> Path:
    (folder / "train").mkdir(parents=True)
    soundfile.write(folder / "train" / "argon_pluck.flac", np.sin(np.arange(48_000) * 0.05) * 0.5, 48_000)
    (folder / "SOURCE.txt").write_text("repo: https://example.org/album\nlicence: CC0-1.0\nholds: one stem\n")
    return folder


def test_stems_are_read_with_their_licence(tmp_path: Path) -> None:
    (stem,), licences = load_stems(write_stems(tmp_path / SOURCE))
    assert stem.song == "argon" and len(stem.audio) == SAMPLE_RATE and np.abs(stem.audio).max() == 32_000
    assert licences == {SOURCE: "repo: https://example.org/album | licence: CC0-1.0"}
    flat = tmp_path / "guitars"
    flat.mkdir()
    for path in (tmp_path / SOURCE / "train").iterdir():
        path.rename(flat / path.name)
    (flat / "SOURCE.txt").write_text("repo: r\nlicence: CC0-1.0\n")
    (stem,), licences = load_stems(flat)
    assert stem.song == "argon" and set(licences) == {"guitars"}


def test_broken_stems_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere: cannot be read"):
        load_stems(tmp_path / "nowhere")
    folder = write_stems(tmp_path)
    (folder / "SOURCE.txt").unlink()
    with pytest.raises(ValueError, match="without its licence"):
        load_stems(folder)
    (folder / "train" / "argon_pluck.flac").write_bytes(b"no audio")
    with pytest.raises(ValueError, match=r"argon_pluck\.flac: cannot be read"):
        load_stems(folder)
    (folder / "train" / "argon_pluck.flac").unlink()
    with pytest.raises(ValueError, match="no stems"):
        load_stems(folder)


def test_one_to_four_stems_short_ones_repeated() -> None:
    for seed in range(12):
        audio = render_stems(STEMS, SECONDS, np.random.default_rng(seed), StemConfig(room=0.0))
        assert len(audio) == round(SECONDS * SAMPLE_RATE) and np.isfinite(audio).all()
        assert audio[-2000:].any()


# clips without drums, from the renderer to a batch


def clip_without_drums(bank: NoteBank, seed: int) -> object:
    config = RenderConfig(seconds=SECONDS, negatives=1.0)
    return render_clip(config, Palette(notes=bank, stems=STEMS), [], np.random.default_rng(seed))


def test_about_a_fifth_of_the_clips_have_no_drums(bank: NoteBank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.clips.clip.render_backing", lambda *args: np.ones(44_100, np.float32) * 0.5)
    config, palette = RenderConfig(seconds=1.0), Palette(notes=bank)
    made = synthetic_kits(config, palette, 8, np.random.default_rng(0))
    clips = [render_clip(config, palette, made, np.random.default_rng([5, seed])) for seed in range(150)]
    silent = [clip for clip in clips if clip.corpus == "no drums"]
    assert len(silent) / 150 == pytest.approx(RenderConfig().negatives, abs=0.08)
    for clip in silent:
        assert clip.hits == () and not clip.audio.any() and clip.band is not None and not clip.kits


def test_clips_without_drums_are_loud_in_a_batch(bank: NoteBank, tmp_path: Path) -> None:
    """Through shards and loader at its defaults: no tokens but EOS, no targets, never silent."""
    maker = RenderedShards(
        RenderConfig(seconds=SECONDS, negatives=1.0), Palette(notes=bank, stems=STEMS), 0, 6, per_shard=3
    )
    manifest = make_shards(tmp_path, maker)
    assert sum(manifest["hits"].values()) == 0 and manifest["corpora"]["no drums"]["clips"] == 6
    assert manifest == read_manifest(tmp_path)
    codec = Codec(segment_steps=200)  # whole clips: a bass may rest for a second
    config = LoaderConfig(
        batch_size=4, augment=AugmentConfig(seconds=2.0, begin_probability=0, end_probability=0)
    )
    for batch in itertools.islice(make_loader(shard_paths(tmp_path), codec, config), 6):
        assert (batch.tokens[:, 0] == EOS).all() and not batch.onset.any() and not batch.velocity.any()
        peaks = batch.audio.abs().amax(dim=1)
        assert (peaks > 10 ** (-18.5 / 20)).all() and (peaks <= 1.001).all()


# recordings that begin or end inside a window


@pytest.mark.parametrize("seed", range(40))
def test_a_beginning_keeps_whole_strokes(seed: int) -> None:
    times = [0.1, 0.11, 0.6, 1.0, 1.4, 2.0]
    hits = [Hit(time, 0, 100) for time in times]
    audio, kept = begin(np.ones(4 * SAMPLE_RATE, np.float32), hits, np.random.default_rng(seed), 1.5, 0.4)
    start = int(np.argmax(audio > 0)) / SAMPLE_RATE
    assert not audio[: round(start * SAMPLE_RATE)].any() and audio[-1] == 1
    assert [hit.time for hit in kept] == [time for time in times if time >= start - 1e-4]
    assert all(not start - 0.03 < hit.time < start - 1e-4 for hit in hits)


def test_many_beginnings_are_trimmed_to_a_stroke() -> None:
    hits = [Hit(0.5, 0, 100), Hit(1.2, 0, 100)]
    starts = []
    for seed in range(300):
        audio, _ = begin(np.ones(4 * SAMPLE_RATE, np.float32), hits, np.random.default_rng(seed), 1.5, 0.4)
        starts.append(int(np.argmax(audio > 0)) / SAMPLE_RATE)
    trimmed = [start for start in starts if min(abs(hit.time - start) for hit in hits) <= 0.0051]
    assert 0.3 < len(trimmed) / 300 < 0.55 and max(starts) <= 1.5


@pytest.mark.parametrize("seed", range(20))
def test_an_ending_cuts_no_stroke(seed: int) -> None:
    times = [0.5, 2.1, 2.7, 3.2, 3.9]
    audio, kept = end(
        np.ones(4 * SAMPLE_RATE, np.float32),
        [Hit(time, 0, 100) for time in times],
        np.random.default_rng(seed),
    )
    last = int(np.flatnonzero(audio)[-1]) / SAMPLE_RATE
    assert last >= 1.99 and [hit.time for hit in kept] == [time for time in times if time <= last]
    assert all(last - hit.time > 0.029 for hit in kept)


def test_windows_begin_and_end_as_often_as_asked() -> None:
    config = AugmentConfig(
        **{**AugmentConfig.none().__dict__, "begin_probability": 0.1, "end_probability": 0.05}
    )
    drums = np.ones(round(4.3 * SAMPLE_RATE), np.float32)
    results = [augment(drums, None, [], np.random.default_rng(seed), config)[0] for seed in range(1500)]
    assert np.mean([audio[0] == 0 for audio in results]) == pytest.approx(0.1, abs=0.025)
    assert np.mean([audio[-1] == 0 for audio in results]) == pytest.approx(0.05, abs=0.02)
