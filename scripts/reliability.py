"""The table of docs/reliability.md: what has been tried to break it, by which tests, and how many.

    python scripts/reliability.py --write docs/reliability.md

Counts are of the tests pytest collects, or of the table of cases a test module holds.
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
    """One kind of harm."""

    what: str
    asked: str
    """What must become of it."""
    tests: tuple[str, ...]
    """Files below tests/ (without .py), or file::function."""
    cases: str = ""
    """module:NAME of the cases, where one test runs many."""
    unit: str = "tests"


ROWS = (
    Row(
        "awkward recordings: not audio, headers that lie, 0 to 2,047 samples, silence, DC, "
        "clipping, NaN, infinities, 4 to 384 kHz, 8 to 64 bits, 1 to 65,535 channels, ten "
        "containers, noise, a sine, speech-like decoys, damage, names in any script",
        "hits, no hits, or one line naming the file, as stated for each; alone as in company; "
        "memory grows by less than 600 MiB",
        ("mt3drum/audio/test_awkward",),
        cases="tests.mt3drum.audio.test_awkward:CASES",
        unit="files",
    ),
    Row(
        "three hours of silence around ten seconds of drums; an hour of noise",
        "found; constant memory",
        (
            "mt3drum/audio/test_awkward::test_three_hours_of_silence_around_ten_seconds_of_drums",
            "mt3drum/test_transcriber::test_an_hour_in_constant_memory",
        ),
    ),
    Row(
        "fuzzing, counted below",
        "a result, or one line of at most 2,000 characters naming the file, within 20 CPU-seconds",
        ("scripts/test_fuzz",),
        cases="scripts.fuzzing.targets:TARGETS",
        unit="kinds of file",
    ),
    Row(
        "hostile files: pickles, playlists, headers that ask for terabytes, tar members that "
        "climb out, names that look like commands",
        "refused, nothing run, nothing written",
        (
            "house/test_security",
            "mt3drum/batch/test_tars::test_a_list_runs_nothing",
            "mt3drum/batch/test_tars::test_a_file_whose_name_is_a_command_runs_nothing",
            "data/shards/test_find::test_no_file_can_name_a_command",
        ),
    ),
    Row(
        "disk full, kernel limit, no folder, read-only, killed while writing, two processes on one folder",
        "results complete or absent, one line a file, the rest goes on",
        ("mt3drum/test_files",),
    ),
    Row(
        "one of two ranks killed at random moments, then started again; torn ledgers",
        "every recording done once, bytes as of one process",
        ("mt3drum/batch/test_ledger",),
    ),
    Row(
        "the same under `torchrun` and `deepspeed`, from and to files and tar files",
        "the same",
        ("mt3drum/batch/test_launchers",),
    ),
    Row(
        "recordings from lists, tar files and commands, results in tar files: damage, kills, a full disk",
        "every recording once; tar files complete or absent",
        ("mt3drum/batch/test_tars",),
    ),
    Row(
        "web app: other hosts and origins, hostile names, too large, too long, too slow, too many"
        " at once, bad scores",
        "refused in one line; escaped; loopback only; files deleted",
        (
            "mt3drum/web/test_app",
            "mt3drum/web/test_limits",
        ),
    ),
    Row(
        "web app: restarted, killed, away while somebody edits; edits in two windows; bad and stale edits",
        "every recording, score and edit is there again",
        ("mt3drum/web/test_keeping",),
    ),
    Row(
        "hundreds of recordings in one process, measured below",
        "flat memory, results as of each alone",
        ("scripts/test_soak", "mt3drum/test_memory"),
    ),
    Row(
        "training: 1 % and 20 % of the samples bad, members damaged or too large",
        "counted by reason, batches full",
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
        "training: a shard vanishes",
        "counted, training goes on",
        ("train/test_faults::test_a_shard_that_vanishes_is_missed_and_training_goes_on",),
    ),
    Row(
        "training: a batch of NaN, a loss or gradient that is not finite",
        "stops before the step; the saved state resumes to the same curve",
        (
            "train/test_faults::test_a_batch_of_nan_stops_before_the_step_and_the_saved_state_is_good",
            "train/test_steps::test_a_loss_that_is_not_finite_stops",
            "train/test_steps::test_a_gradient_that_is_not_finite_stops",
        ),
    ),
    Row(
        "training: SIGTERM",
        "saves, stops, resumes to the same curve",
        (
            "train/test_main::test_sigterm_saves_and_stops",
            "train/test_steps::test_a_signal_between_exchanges_does_not_part_the_ranks",
        ),
    ),
    Row(
        "training: `kill -9` at ten random moments of one run",
        "resumes to the same curve and weights",
        ("train/test_faults::test_killed_at_ten_random_moments_gives_the_same_curve",),
        cases="tests.train.test_faults:KILLS",
        unit="kills",
    ),
    Row(
        "training: `kill -9` in a step and within the writing of a state; one of two ranks",
        "the same",
        (
            "train/test_main::test_killed_and_resumed_equals_uninterrupted",
            "train/test_main::test_two_ranks_killed_and_resumed_repeat_the_same_steps",
            "train/test_main::test_two_ranks_killed_and_resumed_equal_uninterrupted",
        ),
    ),
    Row(
        "training: disk full during a checkpoint, damaged and half-written states",
        "the one before loads, one line",
        (
            "train/test_main::test_a_full_disk_keeps_the_state_before_and_training_goes_on",
            "train/test_state",
        ),
    ),
)


def collected() -> list[str]:
    """Every test of the project, as file::function[case].

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
    """Tests or cases of a row.

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
    lines = ["| what | how many | what is asked | tests |", "|---|--:|---|---|"]
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
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into the page's block")
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
