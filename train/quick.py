"""Small whole runs: the one-minute test of the chain, and a look at what the model eats."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from data.clips.clip import Palette, RenderConfig
from data.clips.makers import RenderedShards
from data.loader import make_loader
from data.shards.find import find_shards
from data.shards.write import make_shards
from mt3drum.audio.log_mel import LogMel
from mt3drum.model.checkpoint import load_model
from tokenizer.codec import PAD
from train.board import write_example
from train.config import TrainConfig
from train.run import build_model, loader_config

log = logging.getLogger("train")

QUICK_CLIPS = 16
QUICK_STEPS = 40


def quick_test(output: Path | None) -> int:
    """Render synthesised shards, train `tiny`, validate, save, load: the whole chain in about a minute.

    Returns:
        0 if the loss fell and the checkpoint loads; 1 otherwise.
    """
    from train.main import run

    with tempfile.TemporaryDirectory() as scratch:
        folder = output or Path(scratch) / "run"
        shards = {}
        for split, clips in (("train", QUICK_CLIPS), ("validation", 2)):
            config = RenderConfig(split, synthetic=1.0, patterns=1.0, band=0.0, negatives=0.0)
            shards[split] = Path(scratch) / split
            make_shards(shards[split], RenderedShards(config, Palette(), 0, clips, per_shard=8))
        config_of_run = TrainConfig(
            shards=str(shards["train"]),
            validation=str(shards["validation"]),
            preset="tiny",
            steps=QUICK_STEPS,
            batch=4,
            learning_rate=3e-3,
            warmup_steps=5,
            validate_every=QUICK_STEPS,
            save_every=QUICK_STEPS // 2,
        )
        code = run(config_of_run, folder)
        if code:
            return code
        losses = _token_losses(folder / "losses.jsonl")
        model, header = load_model(folder / "last.safetensors")
        fell = sum(losses[-5:]) < sum(losses[:5])
        log.info(
            "quick test: token loss %.2f -> %.2f nats, %d weights at step %d: %s",
            losses[0],
            losses[-1],
            sum(p.numel() for p in model.parameters()),
            header["training"]["step"],
            "ok" if fell else "the loss did not fall",
        )
        return 0 if fell else 1


def _token_losses(path: Path) -> list[float]:
    import json

    return [json.loads(line)["loss/tokens"] for line in path.read_text().splitlines()]


def write_one_example(config: TrainConfig, folder: Path) -> None:
    """Write the first segment of the run's first batch as sound, picture and MIDI.

    Raises:
        ValueError: there are no shards.
    """
    model = build_model(config).config
    loader = replace(loader_config(config), workers=0)
    shards = find_shards(config.shards, config.manifest, folder / "shards").part(config.fraction)
    batch = next(iter(make_loader(shards, model.codec, loader, weights=config.shard_weights)))
    with torch.no_grad():
        mel = LogMel(model.audio)(batch.audio[:1])[0].numpy()
    ids = [token for token in batch.tokens[0].tolist() if token != PAD]
    write_example(folder, model.codec, batch.audio[0].numpy(), mel, ids)
    log.info("wrote %s of %s", folder, batch.keys[0])
