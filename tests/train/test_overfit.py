"""The seam of the two lives of a hit: overfit one bar, save, load, decode it, F = 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from data.example import frame_targets
from data.kits.synth import synthesise_kit
from data.render.drums import render_drums
from eval.metrics.f_measure import f_measure
from mt3drum.audio.recording import open_array, segments
from mt3drum.config import AudioConfig, ModelConfig
from mt3drum.model.checkpoint import save_checkpoint
from mt3drum.model.loss import LossConfig, losses
from mt3drum.model.network import DrumModel
from mt3drum.transcriber import Transcriber
from tokenizer.drums import CLASS_INDEX
from tokenizer.encode import encode
from tokenizer.hits import Hit

CONFIG = ModelConfig(
    width=64,
    head_width=32,
    encoder_layers=1,
    decoder_layers=1,
    feed_forward=2,
    stem_channels=8,
    audio=AudioConfig(mel_bands=48),
)
LEARNT = (0.5, 0.03, 0.03, 0.03)
"""Nats a time, drum, velocity and EOS token. A time's target is spread over neighbours: 0.42 is its least."""
HEAD_LEARNT = 4.0
"""Of 127: by how much the onset head's velocities are wrong, in the median."""
MOST_STEPS = 600


def bar() -> list[Hit]:
    """Two bars at 120 beats a minute: chords, a flam, a roll into the last step, soft and loud."""
    beats = {
        "kick": (0.0, 0.75, 1.0, 2.0, 2.5, 3.0),
        "snare_head": (0.5, 1.5, 2.47, 2.53, 3.5),
        "hihat_closed": tuple(np.arange(0, 3, 0.25)),
        "crash1": (0.0, 2.0),
        "tom1_head": (3.25, 3.375),
        "floor_tom_head": (3.75, 3.875),
        "ride": (3.0, 3.25, 3.5, 3.75),
    }
    velocity = np.random.default_rng(5)
    return sorted(
        Hit(float(time) + 0.02, CLASS_INDEX[name], int(velocity.integers(30, 127)))
        for name, times in beats.items()
        for time in times
    )


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray, list[Hit]]:
    """A checkpoint that knows one segment by heart, the segment and its hits."""
    rng = np.random.default_rng(0)
    rendered = render_drums(bar(), [synthesise_kit(rng)], rng, 4.0)
    hits = list(rendered.hits)
    # As the transcriber will hear it: at its loudness, in its segment.
    (segment,) = segments(open_array(rendered.audio), CONFIG.codec, 0)
    torch.manual_seed(0)
    model = DrumModel(CONFIG).train()
    tokens = torch.tensor([encode(CONFIG.codec, hits).ids])
    onset, velocity = (torch.from_numpy(part)[None] for part in frame_targets(hits, CONFIG.codec))
    with torch.no_grad():
        mel = model.features(torch.from_numpy(segment.audio)[None])
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    mean = torch.full((4,), torch.inf)
    for step in range(MOST_STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * min(1.0, (step + 1) / 20)
        encoded, logits = model(mel, tokens)
        found = losses(CONFIG.codec, encoded, logits, tokens, onset, velocity, LossConfig())
        mean = found.by_kind[:, 0] / found.by_kind[:, 1]
        apart = (torch.sigmoid(encoded.velocity) - velocity)[onset == 1].abs().median() * 127
        if (mean < torch.tensor(LEARNT)).all() and apart <= HEAD_LEARNT:
            break
        optimizer.zero_grad()
        (found.tokens / tokens.numel() + found.onsets).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    assert step < MOST_STEPS - 1, f"not learnt in {MOST_STEPS} steps: {mean.tolist()} nats a token"
    path = tmp_path_factory.mktemp("overfit") / "bar.safetensors"
    save_checkpoint(path, CONFIG, model.state_dict(), {"margin": 0.0}, {})
    return path, rendered.audio, hits


@pytest.mark.parametrize(("onset_weight", "beam"), [(0.5, 1), (0.0, 1), (0.5, 4)])
def test_what_was_learnt_is_decoded(
    learnt: tuple[Path, np.ndarray, list[Hit]], onset_weight: float, beam: int
) -> None:
    path, audio, hits = learnt
    found = Transcriber.load(path, onset_weight=onset_weight, beam=beam).transcribe_array(audio)
    scores = f_measure({"bar": hits}, {"bar": list(found.hits)}, scheme="26", window=0.05)
    assert scores.micro.f == 1.0, (found.hits, hits)
    assert f_measure({"bar": hits}, {"bar": list(found.hits)}, scheme="26", window=0.015).micro.f == 1.0
    assert len(found.hits) == len(hits)
    loudness = {(round(h.time, 1), h.drum): h.velocity for h in hits}
    near = [
        abs(loudness[key] - h.velocity) for h in found.hits if (key := (round(h.time, 1), h.drum)) in loudness
    ]
    assert len(near) > len(hits) / 2 and np.median(near) <= 4  # the width of a bin
