"""What the benchmark scores: systems, from folders of estimates or decoded on the spot."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from eval.inputs.annotations import annotation_files, read_annotation
from eval.inputs.names import match_names
from mt3drum.files import write_whole
from scripts.benchmark_suite.inputs import References, key_value, literal
from tokenizer.drums import DRUMS
from tokenizer.hits import Hit
from tokenizer.maps import LabelMap, find_label_map


@dataclass
class System:
    """What one system heard, under the references' names."""

    name: str
    unjudged: frozenset[str]
    hits: dict[str, tuple[Hit, ...]] = field(default_factory=dict)
    drumless: dict[str, tuple[Hit, ...]] = field(default_factory=dict)
    stray: list[str] = field(default_factory=list)
    scheme: str = "26"
    """The finest labels that it tells apart."""
    seam: float | None = None
    """Seconds between two joins of its segments, where it was decoded here."""
    renamed: dict[str, str] = field(default_factory=dict)
    unmapped: Counter[str] = field(default_factory=Counter)
    excluded: Counter[str] = field(default_factory=Counter)


def read_systems(
    args: argparse.Namespace, references: References, drumless: Mapping[str, Path]
) -> list[System]:
    """Every system the options name; the bundled checkpoint if they name none.

    Raises:
        ValueError, OSError: an estimate or checkpoint cannot be read; the message names it.
    """
    systems = _folders(args, references, list(drumless)) + _decoded(args, references, drumless)
    names = Counter(system.name for system in systems)
    if len(names) < len(systems):
        raise ValueError(f"two systems are called {names.most_common(1)[0][0]}; give NAME=...")
    return systems


def _folders(args: argparse.Namespace, references: References, drumless: Sequence[str]) -> list[System]:
    """The systems given as folders of estimates."""
    default, named = "gm", {}
    for item in args.estimate_map:
        system, equals, label_map = item.rpartition("=")
        if equals:
            named[system] = label_map
        else:
            default = label_map
    systems: list[System] = []
    for item in args.estimate:
        given, _, folder = item.partition("=") if "=" in item else ("", "", item)
        name = given or Path(folder).resolve().name
        label_map = find_label_map(named.pop(name, default))
        systems.append(_folder(name, Path(folder), label_map, references, drumless))
    if named:
        raise ValueError(f"--estimate-map: no system called {', '.join(named)}")
    return systems


def _folder(
    name: str, folder: Path, label_map: LabelMap, references: References, drumless: Sequence[str]
) -> System:
    files = annotation_files(folder)
    pairs = match_names(references.names, [stem for stem in files if stem not in set(drumless)])
    if not pairs:
        raise ValueError(f"{folder}: none of its {len(files)} files bears the name of a reference")
    system = System(name, label_map.unjudged)
    system.renamed = {ref: est for ref, est in pairs.items() if ref != est and ref in references.hits}
    wanted = {stem: track for track, stem in pairs.items()}
    for stem, path in files.items():
        if stem not in wanted and stem not in drumless:
            system.stray.append(stem)
        if wanted.get(stem) not in references.hits and stem not in drumless:
            continue
        annotation = read_annotation(path, label_map)
        system.unmapped += annotation.unmapped
        system.excluded += annotation.excluded
        if stem in wanted:
            system.hits[wanted[stem]] = annotation.hits
        else:
            system.drumless[stem] = annotation.hits
    return system


def _decoded(args: argparse.Namespace, references: References, drumless: Mapping[str, Path]) -> list[System]:
    """The systems given as checkpoints; the bundled one if nothing else is given."""
    checkpoints = args.checkpoint or ([] if args.estimate else ["bundled"])
    silent = [name for name in references.hits if name not in references.audio]
    if checkpoints and silent:
        some = ", ".join(silent[:5])
        raise ValueError(f"no recording of {some} to decode; give --audio DIR or --estimate DIR")
    options = {key: literal(value) for key, value in map(key_value, args.decode)}
    systems = []
    for item in checkpoints:
        system, own = _own_options(item)
        given, _, file = system.rpartition("=")
        name = given or ("mt3drum" if file == "bundled" else Path(file).stem)
        systems.append(
            _decode(
                name,
                None if file == "bundled" else Path(file),
                options | own,
                references,
                drumless,
            )
        )
        if args.output is not None:
            _keep(args.output / "estimates" / name, systems[-1].hits | systems[-1].drumless)
    return systems


def _own_options(item: str) -> tuple[str, dict[str, Any]]:
    """`name=file@key=value,key=value` -> `name=file` and the options; an @ of a path is left alone."""
    system, at, given = item.rpartition("@")
    if not at or "=" not in given:
        return item, {}
    return system, {key: literal(value) for key, value in map(key_value, given.split(","))}


def _decode(
    name: str,
    checkpoint: Path | None,
    options: dict[str, Any],
    references: References,
    drumless: Mapping[str, Path],
) -> System:
    from mt3drum import Transcriber
    from mt3drum.decoding import DecodeConfig
    from mt3drum.transcriber import Failure

    known = [option.name for option in fields(DecodeConfig)]
    more = ("decoder", "device", "precision")
    unknown = sorted(set(options) - {*known, *more})
    if unknown:
        raise ValueError(f"--decode: no option {', '.join(unknown)}; known: {', '.join((*more, *known))}")
    transcriber = Transcriber.load(checkpoint, **options)
    codec = transcriber.model.config.codec
    config = transcriber.config
    stride = codec.segment_steps - config.margin_steps(codec) - config.steps_before(codec)
    system = System(name, frozenset(), scheme=transcriber.config.scheme, seam=stride / codec.steps_per_second)
    recordings = [(track, references.audio[track]) for track in references.hits] + list(drumless.items())
    results = transcriber.transcribe_files([path for _, path in recordings])
    for i, ((track, _), result) in enumerate(zip(recordings, results, strict=True)):
        if isinstance(result, Failure):
            # It scores as empty, as any missing estimate, and the lint says so.
            print(f"benchmark: {result.reason}", file=sys.stderr)
            continue
        side = system.hits if i < len(references.hits) else system.drumless
        side[track] = result.hits
        print(f"{name}: {track}: {len(result.hits)} hits", file=sys.stderr)
    return system


def _keep(folder: Path, hits: Mapping[str, Sequence[Hit]]) -> None:
    """Decoded hits as JSON, confidences and all, to be scored again without decoding."""
    folder.mkdir(parents=True, exist_ok=True)
    for track, of_track in hits.items():
        rows = [
            {"time": h.time, "drum": DRUMS[h.drum].name, "velocity": h.velocity, "confidence": h.confidence}
            for h in of_track
        ]
        write_whole(folder / f"{track}.json", json.dumps({"hits": rows}, indent=0) + "\n")
