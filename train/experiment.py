"""One experiment: train, tune the decoding on rendered validation clips, measure. Ablations, sweeps and
fine-tuning are made of these."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from data.example import LoaderConfig, frame_targets
from data.shards.read import StoredClip, read_clips
from data.shards.write import read_manifest
from eval.metrics.f_measure import f_measure
from mt3drum.decoding import DecodeConfig
from mt3drum.model.checkpoint import load_model, read_header, save_checkpoint
from mt3drum.model.loss import CELLS, LossConfig, losses
from mt3drum.transcriber import Transcriber
from tokenizer.codec import PAD
from tokenizer.encode import encode
from tokenizer.hits import Hit
from train.tune import mixed, tune

ROOT = Path(__file__).resolve().parent.parent
PLAIN = LossConfig(time_sigma=0.0, family_weight=0.0, onset_positive=0.0, velocity_weight=0.0)
"""Likelihoods alone: the same figure for runs whose losses differ."""
TUNING_CLIPS = 48


def run_training(settings: Mapping[str, Any], place: Path) -> Path:
    """`last.safetensors` of a run with these settings in `place`, trained now unless it is there; a run that
    was stopped half-way goes on.

    Raises:
        ValueError: the training failed; its last lines are in the message.
    """
    checkpoint, steps = place / "last.safetensors", settings["steps"]
    if checkpoint.exists() and read_header(checkpoint)["training"]["step"] == steps:
        return checkpoint
    place.mkdir(parents=True, exist_ok=True)
    file = place / "settings.yaml"
    file.write_text(yaml.safe_dump(dict(settings)))
    program = str(ROOT / "train" / "main.py")
    command = [sys.executable, program, "--config", str(file), "--output", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (place / "log").write_text(done.stdout + done.stderr)
    if done.returncode or not checkpoint.exists():
        raise ValueError(f"{place}: {' '.join(done.stderr.strip().splitlines()[-2:])}")
    return checkpoint


def with_tuned_decoding(checkpoint: Path, validation: Path, clips: int = TUNING_CLIPS) -> Path:
    """A copy beside a checkpoint, with weight, bias, bounds and calibration chosen on validation clips; made
    now unless it is there and newer."""
    tuned = checkpoint.with_name("tuned.safetensors")
    if tuned.exists() and tuned.stat().st_mtime >= checkpoint.stat().st_mtime:
        return tuned
    model, header = load_model(checkpoint)
    config, _ = tune(model, list(read_clips(validation, clips)), lambda _: None, None, header["decoding"])
    save_checkpoint(tuned, model.config, model.state_dict(), config.to_dict(), header["training"])
    return tuned


@torch.inference_mode()
def nats(checkpoint: Path, clips: Sequence[StoredClip]) -> dict[str, float]:
    """Negative log-likelihood of rendered clips, every second one with its band: of a token (teacher-forced,
    under the grammar), and of all cells of the onset head in a second, with the bias that is decoded with.

    Less noisy than F, and the same for every loss.
    """
    model, header = load_model(checkpoint)
    decoding = DecodeConfig.from_dict(header["decoding"])
    labelled = LoaderConfig(classes=decoding.classes, scheme=decoding.scheme).labelled
    codec = model.config.codec
    sums = np.zeros(4)
    for key, audio in mixed(list(clips)).items():
        hits = next(clip.hits for clip in clips if clip.key == key)
        length = model.config.segment_samples
        for first in range(0, len(audio) - length + 1, length):
            start = first / length * codec.segment_seconds
            own = labelled([replace(h, time=h.time - start) for h in hits if h.time >= start])
            onset, velocity = (torch.from_numpy(x)[None] for x in frame_targets(own, codec))
            tokens = torch.tensor([encode(codec, own).ids])
            mel = model.features(torch.from_numpy(audio[first : first + length])[None])
            encoded, logits = model(mel, tokens)
            biased = encoded._replace(onset_logits=encoded.onset_logits + decoding.onset_bias)
            found = losses(codec, biased, logits, tokens, onset, velocity, PLAIN)
            cells = onset.shape[1] * onset.shape[2] / CELLS  # `onset_loss` scales by its inverse
            sums += (float(found.tokens), int((tokens != PAD).sum()), float(found.onsets) * cells, 1)
    seconds = max(1e-9, sums[3] * codec.segment_seconds)
    return {"token_nats": sums[0] / max(1, sums[1]), "onset_nats": sums[2] / seconds}


def rendered_f(
    checkpoint: Path | Sequence[Path] | None,
    clips: Sequence[StoredClip],
    decode: Mapping[str, Any],
    schemes: Sequence[str],
) -> dict[str, float]:
    """Micro F at 50 ms of rendered clips, drums alone."""
    transcriber = Transcriber.load(checkpoint, **decode)
    heard = {clip.key: transcriber.transcribe_array(clip.audio).hits for clip in clips}
    played: dict[str, Sequence[Hit]] = {clip.key: clip.hits for clip in clips}
    return {scheme: f_measure(played, heard, scheme=scheme).micro.f for scheme in schemes}


def fingerprint(settings: Mapping[str, Any], *data: Path) -> str:
    """Of an experiment: its settings and the data it is measured on. Another one is measured anew."""
    sets = [read_manifest(folder)["settings_hash"] for folder in data]
    text = json.dumps([settings, sets], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
