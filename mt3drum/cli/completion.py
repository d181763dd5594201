"""The subcommand `mt3drum completion`: a shell script that completes commands, options and file names."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHELLS = ("bash", "zsh", "fish", "powershell")
_FOLDERS = frozenset({"DIR"})
_INSTALL = """Load it once, or for every new shell:
  bash        mt3drum completion bash > ~/.local/share/bash-completion/completions/mt3drum
  zsh         mt3drum completion zsh > "${fpath[1]}/_mt3drum"
  fish        mt3drum completion fish > ~/.config/fish/completions/mt3drum.fish
  powershell  mt3drum completion powershell >> $PROFILE"""


def add_parser(commands: Any) -> None:
    """Add the parser to the subparsers of `mt3drum`."""
    parser = commands.add_parser(
        "completion",
        help="print a script for shell completion of commands, options and files",
        description="Print a completion script.",
        epilog=_INSTALL,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=SHELLS)


def completion(args: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Print the completion script for all options of `parser`. Returns the exit code."""
    import shtab

    for action in _actions(parser):
        if action.type is Path or action.dest == "files":
            action.complete = (  # type: ignore[attr-defined]  # shtab reads this attribute
                shtab.DIRECTORY if action.metavar in _FOLDERS else shtab.FILE
            )
    print(shtab.complete(parser, args.shell), file=sys.stdout)
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action
