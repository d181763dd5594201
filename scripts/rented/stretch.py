"""One stretch of work on a machine held for minutes: render, then train, each going on where it was."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.rented import parts

RESERVE = 60.0
"""Seconds before the end at which training is told to stop: it finishes a step, saves and writes weights."""
GRACE = 45.0
"""Seconds it may take to do so."""


@dataclass(frozen=True)
class Stretch:
    """What is done, and where."""

    pack: Path
    """Folder with code/, data/ and wheels/ (`scripts.rented.pack`)."""
    work: Path
    """Shards and the run, kept from stretch to stretch."""
    output: Path
    """What is brought back."""
    seconds: float
    clips: int
    validation_clips: int
    config: str
    """Configuration of the run, below code/."""
    settings: Sequence[str] = ()
    """NAME=VALUE overrides of it."""
    first_part: int = 0

    def run(self) -> int:
        """Exit code: 0 when weights were brought back, 3 when rendering goes on in the next stretch.

        Raises:
            ValueError: a step failed.
        """
        end = time.monotonic() + self.seconds
        self.work.mkdir(parents=True, exist_ok=True)
        self._install()
        for split, clips in (("train", self.clips), ("validation", self.validation_clips)):
            if not self._render(split, clips, end - time.monotonic() - RESERVE):
                print(f"{split} shards not finished: the next stretch goes on", flush=True)
                return 3
        self._train(end - time.monotonic() - RESERVE)
        return self._bring_back()

    def _environment(self) -> dict[str, str]:
        paths = [str(self.pack / "code"), str(self.work / "site"), os.environ.get("PYTHONPATH", "")]
        return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1"}

    def _install(self) -> None:
        """The wheels, beside the machine's own packages, once."""
        wheels, site = sorted((self.pack / "wheels").glob("*.whl")), self.work / "site"
        if not wheels or site.exists():
            return
        part = self.work / "site.part"
        shutil.rmtree(part, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-compile"]
        if subprocess.run([*pip, "--target", str(part), *map(str, wheels)], check=False).returncode:
            raise ValueError(f"{self.pack / 'wheels'}: pip could not install them")
        part.rename(site)

    def _render(self, split: str, clips: int, seconds: float) -> bool:
        """Whether the shards are finished; `make_shards.py` goes on where it was interrupted."""
        command = ["scripts/make_shards.py", "--split", split, "--clips", str(clips)]
        command += ["--output", str((self.work / "shards" / split).resolve())]
        if split != "train":
            command += ["--band", "1", "--negatives", "0"]
        data = self.pack / "data"
        command += ["--data", str(data.resolve())] if data.is_dir() else ["--no-data"]
        code = self._for(seconds, signal.SIGINT, command)
        if code not in (0, 130):
            raise ValueError(f"rendering {split} failed with exit code {code}; its last lines say why")
        return code == 0

    def _train(self, seconds: float) -> None:
        command = ["train/main.py", "--config", self.config, "--output", str((self.work / "run").resolve())]
        shards = (self.work / "shards").resolve()
        for setting in (f"shards={shards}/train", f"validation={shards}/validation", *self.settings):
            command += ["--set", setting]
        command += ["--deepspeed_config", "train/zero/zero0.json"]
        code = self._for(seconds, signal.SIGTERM, command)
        if code:
            raise ValueError(f"training failed with exit code {code}; its last lines say why")

    def _for(self, seconds: float, sign: signal.Signals, command: Sequence[str]) -> int:
        """Run a script of the pack at most so long; then the signal asks it to end in order."""
        interrupted = 130 if sign is signal.SIGINT else 0
        if seconds <= 0:
            return interrupted
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=self.pack / "code",
            env=self._environment(),
            start_new_session=True,
        )
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, sign)
            try:
                code = process.wait(GRACE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                code = process.wait()
            # Ended by a signal, also before it listened to any: what it saved until then is there.
            return interrupted if code < 0 else code

    def _bring_back(self) -> int:
        """Weights in parts, curves and log lines."""
        run = self.work / "run"
        self.output.mkdir(parents=True, exist_ok=True)
        found = {}
        weights = next((p for name in ("best", "last") if (p := run / f"{name}.safetensors").is_file()), None)
        if weights is not None:
            found = {weights.name: parts.split(weights, self.output, self.first_part)}
        for name in ("losses.jsonl", "validations.jsonl"):
            if (run / name).is_file():
                shutil.copyfile(run / name, self.output / name)
        print(json.dumps({"parts": found, "from": self.first_part}), flush=True)
        return 0 if found else 3
