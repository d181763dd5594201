"""The TensorBoard log: losses by token kind, F per class, learning rate, throughput, pictures and sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from einops import rearrange
from torch.utils.tensorboard import SummaryWriter

from mt3drum.config import HOP, SAMPLE_RATE
from tokenizer.codec import Codec
from tokenizer.drums import DRUMS
from tokenizer.encode import decode
from train.validate import Validation

KINDS = ("time", "drum", "velocity", "end")


class Board:
    """Writes events of one run; only rank 0 has one.

    Args:
        step: where the run goes on; events after it, of a process that was killed, are hidden.
    """

    def __init__(self, folder: Path, step: int = 0) -> None:
        self.writer = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def step(self, step: int, scalars: dict[str, float]) -> None:
        """Scalars of one training step, `group/name` -> value."""
        for name, value in scalars.items():
            self.writer.add_scalar(name, value, step)

    def validation(self, step: int, result: Validation) -> None:
        """F by group and class."""
        self.writer.add_scalar("validation/mean_f", result.f_measure, step)
        for name, value in (result.by_group | result.by_class).items():
            self.writer.add_scalar(f"validation/{name}", value, step)
        self.writer.flush()

    def example(self, step: int, codec: Codec, audio: np.ndarray, mel: np.ndarray, ids: list[int]) -> None:
        """What the model eats: one segment as sound, and its spectrogram above its piano roll.

        Args:
            audio: [n]; mel: [w m t]; ids: its tokens.
        """
        image = rearrange(mel, "w m t -> (w m) t")[::-1]
        image = (image - image.min()) / max(1e-6, float(np.ptp(image)))
        roll = np.zeros((len(DRUMS) * 4, codec.segment_steps), dtype=np.float32)
        for hit in decode(codec, ids).hits:
            frame = codec.step_of(hit.time)
            roll[hit.drum * 4 : hit.drum * 4 + 3, frame : frame + 2] = 0.3 + 0.7 * hit.velocity / 127
        self.writer.add_image("example/spectrogram_and_hits", np.concatenate((image, roll))[None], step)
        self.writer.add_audio("example/audio", audio[None], step, sample_rate=SAMPLE_RATE)

    def close(self) -> None:
        """Flush and close."""
        self.writer.close()


def write_example(folder: Path, codec: Codec, audio: np.ndarray, mel: Any, ids: list[int]) -> None:
    """One training segment as `example.wav`, `example.png` and `example.mid`: look at what the model eats."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import soundfile

    from tokenizer.midi import write_midi

    folder.mkdir(parents=True, exist_ok=True)
    hits = decode(codec, ids).hits
    soundfile.write(folder / "example.wav", audio, SAMPLE_RATE)
    write_midi(hits, folder / "example.mid")
    figure, axes = plt.subplots(len(mel) + 1, 1, figsize=(12, 9), sharex=True)
    seconds = mel.shape[-1] * HOP / SAMPLE_RATE
    for axis, channel in zip(axes, mel, strict=False):
        axis.imshow(channel, origin="lower", aspect="auto", extent=(0, seconds, 0, len(channel)))
    axes[-1].scatter([h.time for h in hits], [h.drum for h in hits], s=[h.velocity / 2 for h in hits])
    axes[-1].set_yticks(range(len(DRUMS)), [drum.name for drum in DRUMS], fontsize=5)
    axes[-1].set_xlabel("seconds")
    figure.savefig(folder / "example.png", dpi=100, bbox_inches="tight")
    plt.close(figure)
