"""Find training shards: in folders, by patterns, or from the output of commands."""

from __future__ import annotations

import glob
import hashlib
import itertools
import math
import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from data.shards.write import read_manifest, shard_paths
from mt3drum.batch.inputs import PIPE, brace_patterns
from mt3drum.batch.pipes import fetch
from tokenizer.whole_file import whole_file


class ShardSet(NamedTuple):
    """Shards on disk and their description."""

    paths: list[str]
    manifest: dict[str, Any]
    """The manifest of the folder; for several folders their sum, for a pattern that of the whole folder."""
    groups: list[list[str]]
    """The paths per name in the setting, if it has several; all commands form one group."""

    def part(self, fraction: float) -> list[list[str]]:
        """A share of each group, at least one shard: those whose names have the lowest hashes, so that a
        larger share contains every smaller one."""
        chosen = []
        for group in self.groups:
            order = sorted(group, key=lambda path: (zlib.crc32(Path(path).name.encode()), path))
            chosen.append(sorted(order[: math.ceil(fraction * len(order))]))
        return chosen


def find_shards(
    text: str, manifest: str = "", cache: Path = Path("shards"), rank: int = 0, world: int = 1
) -> ShardSet:
    """Find the shards that a setting names.

    Args:
        text: a folder with its manifest, tar files beside theirs, or `pipe:COMMAND`: a shell command that
            writes a tar file; with `{000..127}`, `{a,b}` and wildcards, several of them. Whoever wrote it can
            run anything: it must not come from a file that is read as data.
        manifest: folder of the manifest, where it is not beside the shards.
        cache: folder for what commands write; fetched once.
        rank: of `world`: ranks that share the cache begin at different shards.
    Raises:
        ValueError: nothing is found, a command fails, or there is no manifest.
    """
    groups: list[list[str]] = []
    folders = []
    urls = [name for name in brace_patterns([text]) if name.startswith(PIPE)]
    for name in brace_patterns([text]) if not urls else ():
        found = [name] if Path(name).exists() or not glob.has_magic(name) else sorted(glob.glob(name))
        if not found:
            raise ValueError(f"shards {name}: nothing matches")
        group: list[str] = []
        for path in map(Path, found):
            folders.append(path if path.is_dir() or path.suffix != ".tar" else path.parent)
            group += [str(path)] if folders[-1] != path else shard_paths(path)
        groups.append(group)
    if urls and not manifest:
        raise ValueError(f"shards {text}: of a command, `manifest` must name the folder of manifest.json")
    if manifest:
        folders = [Path(manifest)]
    merged = _merged([read_manifest(folder) for folder in dict.fromkeys(folders)])
    groups = groups or [_fetched(urls, cache, rank / world)]
    return ShardSet(list(itertools.chain(*groups)), merged, groups)


def _fetched(urls: list[str], cache: Path, turn: float) -> list[str]:
    """Write each command's output to a file that is complete or absent, starting at the share `turn`.

    Raises:
        ValueError: a command fails, or the folder cannot be written.
    """
    files = [
        cache / f"{number:06d}-{hashlib.sha256(url.encode()).hexdigest()[:16]}.tar"
        for number, url in enumerate(urls)
    ]
    jobs, first = list(zip(urls, files, strict=True)), int(turn * len(urls))
    for url, path in jobs[first:] + jobs[:first]:
        try:
            if not path.exists():
                with whole_file(path) as temporary:
                    fetch(url, temporary)
        except OSError as error:
            raise ValueError(f"shards {error}") from error
    return [str(path) for path in files]


def _merged(manifests: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return a single manifest unchanged; for several, add up the numbers and list the rest."""
    first, *rest = manifests
    if not rest:
        return first
    both = [first, *rest]
    hits: Counter[str] = Counter()
    for one in both:
        hits.update(one["hits"])
    return {
        name: dict(hits)
        if name == "hits"
        else sum(one[name] for one in both)
        if name in ("clips", "seconds")
        else [one.get(name) for one in both]
        for name in first
    }
