"""Reading of small JSON files from users: bounded, with one-line errors that name the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_json_object(path: Path, form: str, most: int = 2**20) -> dict[str, Any]:
    """The object in a JSON file.

    Args:
        form: an example of the expected object, for the error message.
        most: maximum size in bytes.

    Raises:
        ValueError: the file is too large or does not contain a JSON object.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return parse_json_object(file.read(most + 1), path, form, most)


def parse_json_object(data: bytes, path: Path, form: str, most: int = 2**20) -> dict[str, Any]:
    """The same from the bytes of a file, of which at most `most` + 1 have been read.

    Raises:
        ValueError: there are too many bytes, or they are not a JSON object; the message names `path`.
    """
    if len(data) > most:
        raise ValueError(f"{path}: larger than {most >> 10} KiB; expected a JSON file such as {form}")
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError(f"{path}: not a JSON file") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path}: not of the form {form}")
    return values
