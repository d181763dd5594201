"""What a large collection costs, from measured speed: the tables of docs/large.md.

    python scripts/large.py --docs docs/large.md
    python scripts/large.py --hours 20000 --speed 45 --cores 64

Speed is seconds of audio a CPU-second: `mt3drum doctor` measures it; docs/performance.md has 76 for whole
songs, greedy. The size of a result is measured on the demo clip. Prices are assumptions: give your own.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from mt3drum import Transcriber
from mt3drum.batch.parquet import write_chunk
from mt3drum.batch.rows import to_row
from scripts.pages.doc_block import replace_block

SONG = 240.0
"""Seconds of one recording: what a collection of songs has on average."""
COPIES = 256
"""Rows of the Parquet file whose size is measured."""
FLAC_KBITS = 700.0
"""Of a stereo recording at 44.1 kHz, roughly."""
LEDGER_BYTES = 300
"""Of one line of a ledger."""


def bytes_an_hour() -> float:
    """Of a Parquet file of many rows like the demo clip's transcription, for an hour of music."""
    clip = Path(str(resources.files("mt3drum") / "assets" / "demo.ogg"))
    found = Transcriber.load(device="cpu").transcribe_file(clip)
    with tempfile.TemporaryDirectory() as folder:
        rows = [to_row(f"/recordings/{number:08d}.flac", found) for number in range(COPIES)]
        # Alike rows would compress to nothing: every copy has times of its own.
        for number, row in enumerate(rows):
            row["time"] = [round(time + 1e-6 * (number * 7919 % 1000), 6) for time in row["time"]]
        size = write_chunk(Path(folder), rows).stat().st_size
    return size / (COPIES * found.seconds) * 3600


def table(hours: float, speed: float, cores: int, price: float, size: float) -> str:
    """The table in Markdown."""
    cpu_hours = hours / speed
    days = cpu_hours / cores / 24
    recordings = hours * 3600 / SONG
    audio = hours * 3600 * FLAC_KBITS * 1000 / 8
    rate = audio / (days * 86400)
    rows = [
        ("recordings of 4 minutes", f"{recordings:,.0f}"),
        (f"CPU-hours at {speed:g} s of audio a CPU-second", f"{cpu_hours:,.0f}"),
        (f"days on {cores:,} cores", f"{days:,.1f}"),
        (f"cost at {price:g} a core-hour", f"{cpu_hours * price:,.0f}"),
        (f"audio to read, FLAC of {FLAC_KBITS:g} kbit/s", f"{audio / 1e12:,.0f} TB"),
        ("... read at, for all that time", f"{rate / 1e6:,.0f} MB/s"),
        ("results as Parquet", f"{hours * size / 1e9:,.0f} GB"),
        ("results as one file each", f"{recordings:,.0f} files"),
        ("ledger of `--manifest`", f"{recordings * LEDGER_BYTES / 1e9:,.1f} GB, read whole by every process"),
    ]
    lines = [f"| {hours:,.0f} hours | |", "|---|--:|", *(f"| {name} | {value} |" for name, value in rows)]
    return "\n".join(lines) + "\n"


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--hours", type=float, default=1e6, help="of audio (default: a million)")
    add("--speed", type=float, default=76.0, metavar="X", help="seconds of audio a CPU-second (default: 76)")
    add("--cores", type=int, default=1000, help="default: 1000")
    add("--price", type=float, default=0.04, help="of a core-hour, in any currency (default: 0.04)")
    add("--docs", type=Path, metavar="FILE", help="write the table between the marks of this page")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    args = parse_args(arguments)
    if min(args.hours, args.speed, args.cores, args.price) <= 0:
        print("error: hours, speed, cores and price are more than 0", file=sys.stderr)
        return 2
    text = table(args.hours, args.speed, args.cores, args.price, bytes_an_hour())
    if args.docs is None:
        print(text, end="")
    else:
        replace_block(args.docs, "large", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
