"""The subcommand `mt3drum export-site`: write the static site that transcribes in the browser."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

EXIT_FAILED, EXIT_USAGE = 1, 2


def add_parser(commands: Any) -> None:
    """Add the parser to the subparsers of `mt3drum`."""
    parser = commands.add_parser(
        "export-site",
        help="a static site that transcribes in the browser",
        description="Write a static site: drop a recording, see its hits, correct and export them; nothing "
        "leaves the computer. Any web server can serve the folder (python3 -m http.server -d DIR). Needs "
        "npm, once, and the extra: pip install 'mt3drum[onnx]'.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder for the site: new, empty, or a site")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="use this checkpoint (default: the bundled one)"
    )


def export_site(args: argparse.Namespace) -> int:
    """Run the command. Returns the exit code."""
    folder: Path = args.folder
    if folder.exists() and not folder.is_dir():
        return _error(f"{folder}: is a file; name a folder", EXIT_USAGE)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "sw.js").is_file():
        return _error(f"{folder}: holds other files; name a new folder", EXIT_USAGE)
    from mt3drum.model.checkpoint import bundled
    from mt3drum.web.site import NoPackages, write_site

    try:
        size = write_site(args.checkpoint or bundled(), folder)
    except (NoPackages, ValueError, OSError, ImportError) as error:
        return _error(str(error))
    print(f"{folder}: {size / 1e6:.1f} MB; serve it with: python3 -m http.server -d {folder}")
    return 0


def _error(text: str, code: int = EXIT_FAILED) -> int:
    print(f"error: {text}", file=sys.stderr)
    return code
