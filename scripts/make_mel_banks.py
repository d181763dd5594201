"""Write mt3drum/assets/mel_banks.npz: the mel filters that transcription and the review page use, by librosa.

python scripts/make_mel_banks.py

Run it after a change of a preset's `AudioConfig` or of the review page's spectrogram.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mt3drum.audio.log_mel import bank_name, librosa_filters
from mt3drum.config import PRESETS
from mt3drum.files import write_whole
from mt3drum.web import spectrogram

ASSET = Path(__file__).resolve().parents[1] / "mt3drum" / "assets" / "mel_banks.npz"


def banks() -> dict[str, np.ndarray]:
    """Name -> filters [mel bins] of every bank that the package uses."""
    configs = [*(preset.audio for preset in PRESETS.values()), spectrogram.AUDIO]
    return {
        bank_name(window, config): librosa_filters(window, config)
        for config in configs
        for window in config.windows
    }


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    return argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parse_args(argv)
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **banks())
    write_whole(ASSET, file.getvalue())
    print(f"{ASSET}: {len(banks())} banks")
    return 0


if __name__ == "__main__":
    sys.exit(main())
