"""`python scripts/decode.py FILES -o DIR`: the command `mt3drum transcribe` from a checkout."""

from __future__ import annotations

import sys

from mt3drum.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["transcribe", *sys.argv[1:]]))
