"""Write the table of docs/reliability.md: each failure mode, the expected behaviour and its tests.

    python scripts/reliability.py --write docs/reliability.md

The counts are the tests that pytest collects, or the cases listed in a test module.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.pages.doc_block import replace_block

ROOT = Path(__file__).resolve().parent.parent
BLOCK = "table"


class Row(NamedTuple):
    """One failure mode."""

    what: str
    asked: str
    """Expected behaviour."""
    tests: tuple[str, ...]
    """Files below tests/ (without .py), or file::function."""
    cases: str = ""
    """module:NAME of the list of cases, where one test runs many."""
    unit: str = "tests"


ROWS = (
    Row(
        "malformed and unusual recordings: not audio, false headers, 0 to 2,047 samples, silence, DC, "
        "clipping, NaN, infinities, 4 to 384 kHz, 8 to 64 bits, 1 to 65,535 channels, ten "
        "containers, noise, a sine, speech-like decoys, corruption, file names in any script",
        "hits, no hits or a one-line error naming the file, as specified per case; same result alone and "
        "in a batch; memory grows by less than 600 MiB",
        ("mt3drum/audio/test_awkward",),
        cases="tests.mt3drum.audio.test_awkward:CASES",
        unit="files",
    ),
    Row(
        "three hours of silence around ten seconds of drums; an hour of noise",
        "the drums are found; constant memory",
        (
            "mt3drum/audio/test_awkward::test_three_hours_of_silence_around_ten_seconds_of_drums",
            "mt3drum/test_transcriber::test_an_hour_in_constant_memory",
        ),
    ),
    Row(
        "fuzzing (see below)",
        "a result or a one-line error of at most 2,000 characters naming the file, within 20 CPU-seconds",
        ("scripts/test_fuzz",),
        cases="scripts.fuzzing.targets:TARGETS",
        unit="file types",
    ),
    Row(
        "malicious files: pickles, playlists, headers declaring terabytes, tar members that "
        "escape their folder, names that look like commands",
        "rejected; nothing executed, nothing written",
        (
            "house/test_security",
            "mt3drum/batch/test_tars::test_a_list_runs_nothing",
            "mt3drum/batch/test_tars::test_a_file_whose_name_is_a_command_runs_nothing",
            "data/shards/test_find::test_no_file_can_name_a_command",
        ),
    ),
    Row(
        "full disk, file-size limit, missing folder, read-only folder, kill during a write, "
        "two processes in one folder",
        "each result complete or absent, one error line per file, remaining files processed",
        ("mt3drum/test_files",),
    ),
    Row(
        "one of two ranks killed at random times and restarted; truncated ledgers",
        "every recording processed once, output identical to a single process",
        ("mt3drum/batch/test_ledger",),
    ),
    Row(
        "the same under `torchrun` and `deepspeed`, with files and tar files",
        "the same",
        ("mt3drum/batch/test_launchers",),
    ),
    Row(
        "input from lists, tar files and commands, output to tar files: corruption, kills, full disk",
        "every recording processed once; tar files complete or absent",
        ("mt3drum/batch/test_tars",),
    ),
    Row(
        "web app: foreign hosts and origins, malicious names, uploads too large, too long, too slow or "
        "too many at once, malformed scores",
        "rejected in one line; names escaped; loopback only; files deleted",
        (
            "mt3drum/web/test_app",
            "mt3drum/web/test_limits",
        ),
    ),
    Row(
        "web app: restarted, killed or offline during editing; edits in two windows; invalid and stale edits",
        "every recording, score and edit survives",
        ("mt3drum/web/test_keeping",),
    ),
    Row(
        "hundreds of recordings in one process (see below)",
        "constant memory; same results as one file at a time",
        ("scripts/test_soak", "mt3drum/test_memory"),
    ),
    Row(
        "training: 1 % and 20 % bad samples, damaged or oversized members",
        "counted by reason; batches stay full",
        (
            "train/test_faults::test_a_share_of_bad_samples_is_counted_and_the_loss_falls",
            "train/test_steps::test_damaged_data_are_logged_and_passed_over",
            "train/test_steps::test_no_usable_data_is_an_error_in_one_line",
            "data/test_loader::test_damage_is_counted_and_the_rest_arrives",
            "data/test_loader::test_a_whole_bad_batch_is_replaced_and_a_whole_bad_epoch_is_an_error",
            "data/test_loader::test_member_too_large_is_not_read",
        ),
    ),
    Row(
        "training: a shard disappears",
        "counted; training continues",
        ("train/test_faults::test_a_shard_that_vanishes_is_missed_and_training_goes_on",),
    ),
    Row(
        "training: a NaN batch, a non-finite loss or gradient",
        "stops before the optimizer step; resuming from the saved state gives the same loss curve",
        (
            "train/test_faults::test_a_batch_of_nan_stops_before_the_step_and_the_saved_state_is_good",
            "train/test_steps::test_a_loss_that_is_not_finite_stops",
            "train/test_steps::test_a_gradient_that_is_not_finite_stops",
        ),
    ),
    Row(
        "training: SIGTERM",
        "saves and stops; resuming gives the same loss curve",
        (
            "train/test_main::test_sigterm_saves_and_stops",
            "train/test_steps::test_a_signal_between_exchanges_does_not_part_the_ranks",
        ),
    ),
    Row(
        "training: `kill -9` at ten random times in one run",
        "resuming gives the same loss curve and weights",
        ("train/test_faults::test_killed_at_ten_random_moments_gives_the_same_curve",),
        cases="tests.train.test_faults:KILLS",
        unit="kills",
    ),
    Row(
        "training: `kill -9` during a step and while a state is written; one of two ranks",
        "the same",
        (
            "train/test_main::test_killed_and_resumed_equals_uninterrupted",
            "train/test_main::test_two_ranks_killed_and_resumed_repeat_the_same_steps",
            "train/test_main::test_two_ranks_killed_and_resumed_equal_uninterrupted",
        ),
    ),
    Row(
        "training: full disk during a checkpoint, damaged and partly written states",
        "the previous state loads; one-line warning",
        (
            "train/test_main::test_a_full_disk_keeps_the_state_before_and_training_goes_on",
            "train/test_state",
        ),
    ),
)


def collected() -> list[str]:
    """Test ids (file::function[case]) of the files that ROWS names.

    Raises:
        ValueError: pytest cannot collect them.
    """
    files = sorted({f"tests/{test.split('::')[0]}.py" for row in ROWS for test in row.tests})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"pytest cannot collect the tests: {done.stdout[-500:]}")
    return [line for line in done.stdout.splitlines() if line.startswith("tests/")]


def count(row: Row, tests: Sequence[str]) -> int:
    """Number of tests or cases of a row.

    Raises:
        ValueError: a test of it does not exist.
    """
    numbers = []
    for name in row.tests:
        file, _, function = name.partition("::")
        found = [t for t in tests if t.startswith(f"tests/{file}.py::{function}")]
        found = [t for t in found if not function or t.split("::")[1].split("[")[0] == function]
        if not found:
            raise ValueError(f"there is no test {name}")
        numbers.append(len(found))
    if not row.cases:
        return sum(numbers)
    module, _, attribute = row.cases.partition(":")
    cases = getattr(importlib.import_module(module), attribute)
    return cases if isinstance(cases, int) else len(cases)


def table(tests: Sequence[str]) -> str:
    """Markdown.

    Raises:
        ValueError: a test does not exist.
    """
    lines = ["| failure mode | count | expected behaviour | tests |", "|---|--:|---|---|"]
    for row in ROWS:
        number = count(row, tests)
        unit = row.unit if number != 1 else row.unit.removesuffix("s")
        names = ", ".join(f"`{name}`" for name in dict.fromkeys(test.split("::")[0] for test in row.tests))
        lines.append(f"| {row.what} | {number} {unit} | {row.asked} | {names} |")
    return "\n".join(lines)


def parse_args(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", type=Path, metavar="PAGE", help="update the table in this page")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 with one line on standard error."""
    args = parse_args(arguments)
    try:
        text = table(collected())
        print(text)
        if args.write:
            replace_block(args.write, BLOCK, text)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
