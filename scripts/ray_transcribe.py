"""Transcribe on a Ray cluster into Parquet: the example of `mt3drum.batch.rows`.

    python scripts/ray_transcribe.py recordings -o results
    python scripts/ray_transcribe.py --list paths.txt -o /shared/results --address auto

Recordings are taken in chunks; a chunk is one task and one file, chunk-*.parquet, complete or absent. A
worker that is killed has its chunk done again by another, into the same file. To resume after the whole run
was killed, run it again: what the files hold is left out, what failed is tried again. No recording is done
twice; of one that failed before, the row whose status is done counts. Needs the extra: pip install
'mt3drum[ray]'.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mt3drum.batch import inputs
from mt3drum.batch.parquet import done_paths, write_chunk
from mt3drum.batch.rows import TranscribeRows
from mt3drum.extras import need

CHUNK = 32
"""Recordings in one task: minutes of work, so that a killed one is a small loss."""


def transcribe_chunk(paths: list[str], folder: str) -> dict[str, Any]:
    """Transcribe and write one chunk; what a worker does. Returns the name of its file and counts."""
    rows = list(TranscribeRows().rows(paths))
    file = write_chunk(Path(folder), rows)
    failed = sum(row["status"] == "failed" for row in rows)
    seconds = sum(row["seconds"] or 0.0 for row in rows)
    return {"file": file.name, "recordings": len(rows), "failed": failed, "seconds": seconds}


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", help="recordings, folders, patterns")
    parser.add_argument("--list", type=Path, metavar="FILE", help="a file of further paths, one a line")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="of the Parquet files"
    )
    parser.add_argument("--address", help="of a cluster (auto: the one running here; default: start one)")
    parser.add_argument("--workers", type=int, metavar="N", help="processors used of this machine")
    parser.add_argument("--chunk", type=int, default=CHUNK, metavar="N", help=f"recordings a task ({CHUNK})")
    parser.add_argument("--gpus", type=float, default=0.0, metavar="X", help="share of a GPU a task has")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 all done, 1 some failed, 2 wrong usage."""
    args = parse_args(arguments)
    need("ray", "ray", "pyarrow")
    try:
        listed = inputs.read_list(args.list) if args.list else ()
        tasks, problems = inputs.plan(args.files, args.output, listed)
        args.output.mkdir(parents=True, exist_ok=True)
        known = done_paths(args.output)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for problem in problems:
        print(f"error: {problem.reason}", file=sys.stderr)
    paths = [str(task.source.absolute()) for task in tasks]
    todo = [path for path in paths if path not in known]
    chunks = [todo[start : start + args.chunk] for start in range(0, len(todo), args.chunk)]
    failed = _run(chunks, args) if chunks else 0
    print(
        f"{len(todo) - failed} transcribed, {failed + len(problems)} failed, "
        f"{len(paths) - len(todo)} already there"
    )
    return 1 if failed or problems else 0


def _run(chunks: list[list[str]], args: argparse.Namespace) -> int:
    """Returns how many recordings failed."""
    # Ray gives up on workers that have not answered after a minute; on a busy machine they need longer.
    os.environ.setdefault("RAY_worker_register_timeout_seconds", "600")
    import ray

    ray.init(address=args.address, num_cpus=args.workers, include_dashboard=False, log_to_driver=False)
    try:
        # A killed worker is no fault of its chunk: it is done again, as often as need be.
        options = {"num_cpus": 1, "num_gpus": args.gpus, "max_retries": -1}
        work = ray.remote(**options)(transcribe_chunk)
        waiting = [work.remote(chunk, str(args.output.absolute())) for chunk in chunks]
        failed = 0
        while waiting:
            (ready,), waiting = ray.wait(waiting)
            told = ray.get(ready)
            failed += told["failed"]
            minutes = told["seconds"] / 60
            print(f"{told['file']}: {told['recordings']} recordings, {minutes:.1f} minutes", flush=True)
    finally:
        ray.shutdown()
    return failed


if __name__ == "__main__":
    sys.exit(main())
