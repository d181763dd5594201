"""Fuzzing guided by coverage: atheris, in a process for every target, since libFuzzer ends its own.

scripts/fuzz.py starts them as `python -m scripts.fuzzing.guided TARGET COUNT SEED FAILURES SCRATCH`.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.fuzzing.targets import Target

READ_IN_PYTHON = (
    "MIDI",
    "text annotation",
    "JSON annotation",
    "JAMS annotation",
    "training settings (YAML)",
    "shard manifest",
    "kit splits",
    "kit.json",
    "tar shard",
    "checkpoint header",
    "tar of recordings",
    "list of recordings",
)
"""Targets in whose readers atheris sees something; not the C libraries."""
_MODULES = [
    "tokenizer",
    "eval",
    "data",
    "train.config",
    "mt3drum.model.checkpoint",
    "mt3drum.config",
    "mt3drum.batch.inputs",
    "mt3drum.batch.tars",
    "mido",
    "yaml",
    "webdataset",
]
SEEDS = 30
"""Files atheris begins with: the first cases of the unguided run."""


def load_targets() -> tuple[Target, ...]:
    """The targets that can be guided.

    Raises:
        ValueError: atheris is not installed.
    """
    if find_spec("atheris") is None:
        raise ValueError("atheris is not installed; pip install 'mt3drum[fuzz]'")
    from scripts.fuzzing.targets import TARGETS

    return tuple(target for target in TARGETS if target.name in READ_IN_PYTHON)


def guided(target: Target, count: int, seed: int, failures: Path | None) -> Counter[str]:
    """Outcomes of `count` cases; a process that ends before its time is a failure more."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        command = [
            sys.executable,
            "-m",
            __name__,
            target.name,
            str(count),
            str(seed),
            str(failures or ""),
            scratch,
        ]
        with open(Path(scratch) / "log", "wb") as log:
            code = subprocess.run(command, stdout=log, stderr=log, check=False).returncode
        text = (Path(scratch) / "log").read_text(encoding="utf-8", errors="replace")
        counts = Path(scratch) / "counts.json"
        found = Counter(json.loads(counts.read_text())) if counts.exists() else Counter()
    for line in text.splitlines():
        if "FAILED" in line:
            print(line, file=sys.stderr)
    if code or found.total() != count:
        print(f"{target.name}: ended with {code}: {text[-2000:]}", file=sys.stderr)
        found["failed"] += 1
    return found


def _fuzz(name: str, count: int, seed: int, failures: Path | None, scratch: Path) -> None:
    """Never returns: `count` cases, then the process ends. Nothing of ours may be imported before."""
    import atheris

    with atheris.instrument_imports(include=_MODULES, enable_loader_override=False):
        from scripts.fuzzing.targets import TARGETS
    from scripts.fuzzing.attempt import attempt

    (target,) = (target for target in TARGETS if target.name == name)
    counts: Counter[str] = Counter()
    path, corpus = target.prepare(scratch / "file"), scratch / "corpus"
    corpus.mkdir()
    for number in range(SEEDS):
        (corpus / str(number)).write_bytes(target.case(random.Random(f"{seed}:{target.name}:{number}")))

    def one(content: bytes) -> None:
        counts[attempt(target, path, content, str(counts.total()), failures)] += 1
        if counts.total() == count:
            (scratch / "counts.json").write_text(json.dumps(counts))
            os._exit(0)

    atheris.Setup([sys.argv[0], str(corpus), f"-seed={seed + 1}", "-timeout=120", "-rss_limit_mb=4096"], one)
    atheris.Fuzz()


if __name__ == "__main__":
    _name, _count, _seed, _failures, _scratch = sys.argv[1:]
    _fuzz(_name, int(_count), int(_seed), Path(_failures) if _failures else None, Path(_scratch))
