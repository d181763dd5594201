"""What is fuzzed: for every kind of file a maker of damaged ones and its reader."""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
import yaml

from data.augment import AugmentConfig
from data.example import LoaderConfig
from data.kits.load import kit_split, load_kit
from data.loader import make_loader
from data.shards.write import encode_flac, read_manifest
from eval.inputs.annotations import read_annotation
from mt3drum.audio.recording import open_file
from mt3drum.batch.inputs import Task, plan, read_list
from mt3drum.batch.tars import open_tars
from mt3drum.config import PRESETS
from mt3drum.decoding import DecodeConfig
from mt3drum.model.checkpoint import load_model, read_header, save_checkpoint
from mt3drum.model.network import DrumModel
from scripts.fuzzing.damage import damage, damage_document
from tokenizer.codec import Codec
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS
from tokenizer.midi import read_midi, write_midi
from train.config import load_config

GM = LABEL_MAPS["gm"]
HITS = [Hit(0.25 * i, drum, 40 + i) for i, drum in enumerate((0, 4, 1, 4, 0, 4, 1, 17))]


@dataclass(frozen=True)
class Target:
    """A kind of file."""

    name: str
    file: str
    weight: float
    """Its share of the cases."""
    case: Callable[[random.Random], bytes]
    read: Callable[[Path], object]
    named: Callable[[Path], str] = str
    """What an error message must hold."""
    errors: tuple[type[Exception], ...] = (ValueError, OSError)
    folder: Callable[[Path], None] = lambda folder: None
    """Makes what lies beside the file."""

    def prepare(self, scratch: Path) -> Path:
        """The place of the file."""
        scratch.mkdir(parents=True, exist_ok=True)
        self.folder(scratch)
        return scratch / self.file


def _bytes_of(write: Callable[[Path], object]) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        write(Path(scratch) / "seed")
        return (Path(scratch) / "seed").read_bytes()


def _click(count: int = 2000) -> np.ndarray:
    return np.asarray(np.cos(np.arange(count) / 5) * np.exp(-np.arange(count) / 300), np.float32)


# MIDI, annotations, settings

_MIDI = _bytes_of(lambda path: write_midi(HITS, path, tempos=[(0.0, 100.0), (1.0, 140.0)]))
_ROWS: list[Any] = [[hit.time, "kick", hit.velocity] for hit in HITS]
_JSON = {
    "hits": [{"time": hit.time, "drum": "snare_head", "velocity": 90, "confidence": 0.5} for hit in HITS]
}
_DATA = [{"time": hit.time, "duration": 0.0, "value": 36, "confidence": 1.0} for hit in HITS]
_JAMS = {"annotations": [{"namespace": "note_midi", "data": _DATA}], "file_metadata": {"duration": 4.0}}
_TEXT = "time,drum,velocity\n" + "".join(f"{hit.time},kick,{hit.velocity}\n" for hit in HITS)
_YAML = {
    "shards": "datasets/train",
    "steps": 100,
    "batch": 4,
    "learning_rate": 1e-3,
    "preset": "tiny",
    "ema": 0.99,
    "development_mixes": ["drum_only"],
    "loss": {"time_sigma": 0.5},
    "augment": {"band_probability": 0.5},
}


def _json_case(document: Any) -> Callable[[random.Random], bytes]:
    def case(rng: random.Random) -> bytes:
        text = json.dumps(damage_document(document, rng) if rng.random() < 0.8 else document).encode()
        return damage(text, rng) if rng.random() < 0.3 else text

    return case


def _yaml_case(rng: random.Random) -> bytes:
    text = yaml.safe_dump(damage_document(_YAML, rng) if rng.random() < 0.8 else _YAML).encode()
    return damage(text, rng) if rng.random() < 0.4 else text


def _jams_case(rng: random.Random) -> bytes:
    dense = {name: [item[name] for item in _DATA] for name in _DATA[0]}
    data = _DATA if rng.random() < 0.5 else dense
    return _json_case({"annotations": [{"namespace": "note_midi", "data": data}]})(rng)


def _rows_case(rng: random.Random) -> bytes:
    return _json_case(_JSON if rng.random() < 0.5 else _ROWS)(rng)


# Kits

_KIT = {
    "licence": "CC0-1.0",
    "kind": "acoustic",
    "samples": [
        {"file": "a.flac", "articulation": "kick", "velocity_low": 1, "velocity_high": 127, "variant": "x"},
        {"file": "a.flac", "articulation": "splash", "velocity_low": None},
    ],
}


def _kit_folder(folder: Path) -> None:
    soundfile.write(folder / "a.flac", _click(), 44_100)


def _kit_sample_folder(folder: Path) -> None:
    entries = [{"file": "b.flac", "articulation": "snare_cross_stick"}]
    (folder / "kit.json").write_text(json.dumps({"samples": entries}))


# Shards

_SAMPLE = {
    "hits": [[0.01, "kick", 100]],
    "seconds": 0.05,
    "corpus": "c",
    "performance": "p",
    "licence": "CC0",
}
_LOADER = LoaderConfig(batch_size=1, augment=AugmentConfig.none(), buffer=1)


def _tar(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _shard_case(rng: random.Random) -> bytes:
    members = {"a.flac": _FLAC, "a.json": json.dumps(_SAMPLE).encode(), "b.flac": _FLAC}
    kind = rng.randrange(4)
    if kind == 0:
        members["a.json"] = _json_case(_SAMPLE)(rng)
    elif kind == 1:
        members["a.flac"] = damage(_FLAC, rng)
    content = bytearray(_tar(members))
    if kind == 2:  # within one header, its checksum mended half of the time
        start = 512 * rng.randrange(4)
        content[start : start + 512] = damage(bytes(content[start : start + 512]), rng)[:512].ljust(
            512, b"\0"
        )
        if rng.random() < 0.5:
            content[start + 148 : start + 156] = b" " * 8
            content[start + 148 : start + 156] = b"%06o\0 " % sum(content[start : start + 512])
    return damage(bytes(content), rng) if kind == 3 else bytes(content)


def _recordings_case(rng: random.Random) -> bytes:
    names = ("a.wav", "b/c.flac", "../d.wav", "e.txt", "a.wav", "/f.mp3", "\n.wav", "x" * 90 + ".ogg")
    members = {name: _FLAC for name in rng.sample(names, 3)}
    content = _tar(members)
    return damage(content, rng) if rng.random() < 0.7 else content


def _read_recordings(path: Path) -> object:
    opened = open_tars([Task(path, path.with_suffix(""))])
    if opened.problems:
        raise ValueError(opened.problems[0].reason)
    return opened


_LIST = "a.wav\nb c/d.flac\r\n\npipes.wav\n"


def _list_case(rng: random.Random) -> bytes:
    text = damage(_LIST.encode(), rng).replace(b"..", b"__")  # two ways to one file are named, not the list
    return text.replace(b"pipes", b"pipe:") if rng.random() < 0.2 else text


def _read_shard(path: Path) -> object:
    return next(iter(make_loader([str(path)], Codec(), _LOADER)))


# Checkpoints

_TINY = PRESETS["tiny"]


def _checkpoint() -> bytes:
    torch.manual_seed(0)
    weights = DrumModel(_TINY).state_dict()
    return _bytes_of(
        lambda path: save_checkpoint(path, _TINY, weights, DecodeConfig().to_dict(), {"step": 1})
    )


def _header_case(rng: random.Random) -> bytes:
    length = int.from_bytes(_CHECKPOINT[:8], "little")
    header = json.loads(_CHECKPOINT[8 : 8 + length])
    kind = rng.randrange(4)
    if kind == 0:
        name = rng.choice(["config", "decoding", "training"])
        inner = damage_document(json.loads(header["__metadata__"][name]), rng)
        header["__metadata__"][name] = json.dumps(inner)
    elif kind == 1:
        header = damage_document(header, rng)
    text = json.dumps(header).encode()
    if kind == 2:
        text = damage(text, rng)
    content = len(text).to_bytes(8, "little") + text + _CHECKPOINT[8 + length :]
    return damage(content, rng) if kind == 3 else content


def _read_checkpoint_header(path: Path) -> object:
    return read_header(path)


def _weights_case(rng: random.Random) -> bytes:
    return _header_case(rng) if rng.random() < 0.7 else damage(_CHECKPOINT, rng)


# Audio


def _sample_case(rng: random.Random) -> bytes:
    return _FLAC if rng.random() < 0.2 else damage(_FLAC, rng)


_FLAC = encode_flac(_click())
_SOUNDS = [_FLAC]
for _kind, _bits in (("WAV", "PCM_16"), ("AIFF", "PCM_24"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")):
    _buffer = io.BytesIO()
    soundfile.write(_buffer, _click(), 44_100, format=_kind, subtype=_bits)
    _SOUNDS.append(_buffer.getvalue())
_CHECKPOINT = _checkpoint()


def _audio_case(rng: random.Random) -> bytes:
    sound = rng.choice(_SOUNDS)
    if rng.random() < 0.5:  # the header alone
        return damage(sound[:64], rng) + sound[64:]
    return damage(sound, rng)


def _beside(path: Path) -> str:
    return str(path.parent)


_MANIFEST = {"format": 1, "shards": [{"file": "a.tar", "clips": 3}], "clips": 3}
_SPLITS = {"kits": {"train": ["a", "b"], "test": ["c"]}}

TARGETS: tuple[Target, ...] = (
    Target("MIDI", "a.mid", 20, lambda rng: damage(_MIDI, rng), lambda path: read_midi(path, GM)),
    Target(
        "text annotation",
        "a.csv",
        14,
        lambda rng: damage(_TEXT.encode(), rng),
        lambda path: read_annotation(path, GM),
    ),
    Target("JSON annotation", "a.json", 14, _rows_case, lambda path: read_annotation(path, GM)),
    Target("JAMS annotation", "a.jams", 14, _jams_case, lambda path: read_annotation(path, GM)),
    Target("training settings (YAML)", "a.yaml", 10, _yaml_case, lambda path: load_config(path, {})),
    Target(
        "shard manifest", "manifest.json", 5, _json_case(_MANIFEST), lambda path: read_manifest(path.parent)
    ),
    Target("kit splits", "splits.json", 3, _json_case(_SPLITS), lambda path: kit_split(path, "train")),
    Target(
        "kit.json",
        "kit.json",
        4,
        _json_case(_KIT),
        lambda path: load_kit(path.parent),
        _beside,
        folder=_kit_folder,
    ),
    Target(
        "kit sample",
        "b.flac",
        2,
        _sample_case,
        lambda path: load_kit(path.parent),
        _beside,
        folder=_kit_sample_folder,
    ),
    Target("tar shard", "a.tar", 6, _shard_case, _read_shard),
    Target("tar of recordings", "a.tar", 3, _recordings_case, _read_recordings),
    Target(
        "list of recordings",
        "a.txt",
        2,
        _list_case,
        lambda path: plan((), path.parent / "out", read_list(path)),
    ),
    Target("checkpoint header", "a.safetensors", 5, _header_case, _read_checkpoint_header),
    Target("checkpoint weights", "a.safetensors", 0.5, _weights_case, load_model),
    Target("audio", "a.wav", 6, _audio_case, open_file),
)
