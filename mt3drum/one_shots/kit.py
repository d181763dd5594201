"""A kit of labelled samples: a folder with `kit.json`, which the renderer reads, whose files are named after
their drums, as `--kit` wants them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from mt3drum.config import SAMPLE_RATE
from mt3drum.one_shots.facts import read_sample
from mt3drum.one_shots.library import Label
from tokenizer.drums import CLASS_INDEX
from tokenizer.json_object import read_json_object
from tokenizer.whole_file import whole_folder

MOST_PER_DRUM = 10
"""The most confident ones; `--kit` reads 260 files."""
MANIFEST = "kit.json"
_FORM = '{"samples": [...]}'


def choose(labels: Iterable[Label], unsure: float) -> dict[str, Label]:
    """File name -> sample: of each content and drum the most confident, none below `unsure`."""
    drums: dict[str, list[Label]] = {}
    for label in labels:
        if not label.duplicate_of and label.confidence26 >= unsure:
            drums.setdefault(label.class26, []).append(label)
    chosen: dict[str, Label] = {}
    for drum in sorted(drums, key=CLASS_INDEX.__getitem__):
        best = sorted(drums[drum], key=lambda label: (-label.confidence26, label.source))[:MOST_PER_DRUM]
        chosen |= {f"{drum}_{number}.flac": label for number, label in enumerate(best, 1)}
    return chosen


def write_kit(folder: Path, chosen: dict[str, Label]) -> None:
    """Write the kit, complete or not at all; one that is there is replaced, and left alone if it is the same.

    Raises:
        ValueError: the folder exists and is no kit that was made here.
        OSError: it cannot be written.
    """
    manifest = {
        "name": folder.absolute().parent.name,
        "licence": "",
        "kind": "acoustic",
        "family": folder.absolute().parent.name,
        "partial": None,
        "levels": "single-layer",
        "made_by": "mt3drum label",
        "samples": [_entry(name, label) for name, label in chosen.items()],
    }
    if folder.exists():
        old = read_json_object(folder / MANIFEST, _FORM, 8 << 20) if (folder / MANIFEST).is_file() else {}
        if old.get("made_by") != manifest["made_by"]:
            raise ValueError(
                f"{folder}: exists and was not made by mt3drum label; name another folder with -o"
            )
        if old == manifest and all((folder / name).is_file() for name in chosen):
            return
    with whole_folder(folder) as made:
        for name, label in chosen.items():
            audio = read_sample(Path(label.source))
            loudest = max(1.0, float(np.abs(audio).max()))
            soundfile.write(made / name, audio / loudest, SAMPLE_RATE, "PCM_16", format="FLAC")
        (made / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _entry(name: str, label: Label) -> dict[str, Any]:
    return {
        "file": name,
        "articulation": label.class26,
        "velocity_low": 1,
        "velocity_high": 127,
        "peak_dbfs": label.peak_db,
        "rms150_dbfs": label.loudness_db,
        "seconds": label.seconds,
        "confidence": label.confidence26,
        "source_file": label.source,
        "sha256": label.sha256,
    }
