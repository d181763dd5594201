"""Fuzzing guided by coverage: atheris, in a fork for every target, since libFuzzer ends its process."""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import traceback
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
    """The targets, instrumented; to be called before anything of ours is imported.

    Raises:
        ValueError: atheris is not installed.
    """
    if find_spec("atheris") is None:
        raise ValueError("atheris is not installed; pip install 'mt3drum[fuzz]'")
    import atheris

    with atheris.instrument_imports(include=_MODULES, enable_loader_override=False):
        from scripts.fuzzing.targets import TARGETS
    return tuple(target for target in TARGETS if target.name in READ_IN_PYTHON)


def guided(target: Target, count: int, seed: int, failures: Path | None) -> Counter[str]:
    """Outcomes of `count` cases; a process that ends before its time is a failure more."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        log, counts = Path(scratch) / "log", Path(scratch) / "counts.json"
        child = os.fork()
        if not child:
            try:
                out = os.open(log, os.O_WRONLY | os.O_CREAT)
                os.dup2(out, 1)
                os.dup2(out, 2)
                _fuzz(target, count, seed, failures, Path(scratch))
            except BaseException:
                traceback.print_exc()
            os._exit(99)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        text = log.read_text(encoding="utf-8", errors="replace")
        found = Counter(json.loads(counts.read_text())) if counts.exists() else Counter()
    for line in text.splitlines():
        if "FAILED" in line:
            print(line, file=sys.stderr)
    if code or found.total() != count:
        print(f"{target.name}: ended with {code}: {text[-2000:]}", file=sys.stderr)
        found["failed"] += 1
    return found


def _fuzz(target: Target, count: int, seed: int, failures: Path | None, scratch: Path) -> None:
    """Never returns: `count` cases, then the process ends."""
    import atheris
    import torch

    from scripts.fuzzing.attempt import attempt

    torch.set_num_threads(1)  # the threads of the parent are not there after a fork
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
