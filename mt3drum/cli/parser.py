"""An argument parser whose errors are one line each, with a suggestion for misspelt words."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from mt3drum.files import AUDIO_SUFFIXES

EXIT_USAGE = 2


def meant(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` if a known word is close, else ""."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument(
        "--json", action="store_true", help="print machine-readable JSON instead of text, one object per line"
    )


class _Once(argparse._StoreAction):
    """A value that may be given at most once: argparse would silently keep the last one."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option: str | None = None,
    ) -> None:
        given: set[str] = vars(namespace).setdefault("_given", set())
        if self.option_strings and self.dest in given:
            parser.error(f"{option} is given twice; which one is meant?")
        given.add(self.dest)
        super().__call__(parser, namespace, values, option)


class CommandParser(argparse.ArgumentParser):
    """Exits with 2 after one line on standard error."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in (None, "store"):
            self.register("action", name, _Once)

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Parse as argparse does, but list a subcommand's options if one of them is unknown."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            word = next((word for word in unknown if word.startswith("-")), unknown[0]).split("=")[0]
            command = self._command(found)
            options = [text for action in command._actions for text in action.option_strings]
            what = "option" if word.startswith("-") else "argument"
            command.error(f"unknown {what} {word}{meant(word, options)}")
        return found

    def _command(self, found: argparse.Namespace) -> argparse.ArgumentParser:
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction) and getattr(found, "command", None):
                return action.choices[found.command]
        return self

    def error(self, message: str) -> NoReturn:
        """Print one line with the message, a suggestion, and the command that lists the options."""
        if choice := re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message):
            hint = meant(choice[1], re.findall(r"'([^']+)'", choice[2]) or choice[2].split(", "))
            if "COMMAND" in message and Path(choice[1]).suffix.lower() in AUDIO_SUFFIXES:
                hint = f"; did you mean {self.prog} transcribe {choice[1]}?"
            message += hint
        print(f"error: {' '.join(message.split())} ({self.prog} --help lists all)", file=sys.stderr)
        sys.exit(EXIT_USAGE)
