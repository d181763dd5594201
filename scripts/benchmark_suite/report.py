"""References and systems, read, scored and put together."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from eval.evaluate import Evaluation, Settings, evaluate
from eval.metrics.bootstrap import paired
from eval.metrics.match import get_scheme
from eval.report.report import Comparison, Report
from scripts.benchmark_suite.inputs import References, audio_files, audio_lengths, read_references
from scripts.benchmark_suite.systems import System, read_systems
from tokenizer.drums import DRUMS, SCHEMES


def build_report(args: argparse.Namespace, command: str) -> tuple[Report, dict[str, Path]]:
    """Read, decode, score.

    Returns:
        the report, and the recording of each track that has one.

    Raises:
        ValueError, OSError: an input cannot be read or does not fit; the message names it.
    """
    references = read_references(args)
    beside = args.drumless is not None and bool(args.corpus or args.reference)
    drumless = audio_files(args.drumless) if beside else {}
    systems = read_systems(args, references, drumless)
    settings = _settings(args, references, systems)
    seconds = audio_lengths(references.audio | drumless)
    evaluations: list[Evaluation] = [
        evaluate(
            system.name,
            references.hits,
            system.hits,
            settings,
            seconds=seconds,
            drumless=system.drumless,
            unmapped=system.unmapped,
            excluded=system.excluded,
            stray=system.stray,
        )
        for system in systems
    ]
    pairs = [
        Comparison(
            a.name,
            b.name,
            figure,
            paired(a.headline, b.headline, figure=figure, samples=args.bootstrap, seed=args.seed),
        )
        for a, b in combinations(evaluations, 2)
        if len(references.hits) > 1
        for figure in ("micro", "macro", "track")
    ]
    report = Report(
        title=references.title,
        settings=settings,
        evaluations=evaluations,
        comparisons=pairs,
        unmapped=references.unmapped,
        excluded=references.excluded,
        names={system.name: system.renamed for system in systems if system.renamed},
        command=command,
        groups={} if args.groups is None else _groups(args.groups),
    )
    return report, references.audio


def _groups(path: Path) -> dict[str, str]:
    """Track to group, from a JSON file.

    Raises:
        ValueError, OSError: it is no such file.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not a JSON file ({error})") from None
    if not isinstance(values, dict) or not all(isinstance(group, str) for group in values.values()):
        raise ValueError(f'{path}: not of the form {{"track": "group", ...}}')
    return values


def _settings(args: argparse.Namespace, references: References, systems: Sequence[System]) -> Settings:
    order = tuple(SCHEMES)
    finest = max(references.label_map.finest, *(system.scheme for system in systems), key=order.index)
    judged = order[order.index(finest) :]
    scheme = args.scheme or ("5" if "5" in judged else finest)
    if scheme in SCHEMES and scheme not in judged:
        coarse = [system.name for system in systems if system.scheme == finest != references.label_map.finest]
        who = f"{coarse[0]} tells" if coarse else f"{references.label_map.name} labels can judge"
        raise ValueError(f"--scheme {scheme}: {who} {', '.join(judged)} classes")
    unjudged = references.label_map.unjudged.union(*[system.unjudged for system in systems])
    if args.labels:
        unjudged |= _other_classes(args.labels, scheme)
    try:
        windows = tuple(float(window) / 1000 for window in args.windows.split(","))
    except ValueError:
        raise ValueError(f"--windows {args.windows!r}: expected milliseconds, such as 20,30,50") from None
    return Settings(
        scheme=scheme,
        schemes=judged,
        window=args.window / 1000,
        windows=windows,
        unjudged=unjudged,
        merge=args.merge / 1000,
        samples=args.bootstrap,
        seed=args.seed,
        seam_period=args.seam or next((system.seam for system in systems if system.seam), None),
    )


def _other_classes(labels: str, scheme: str) -> frozenset[str]:
    """Names of the classes that none of these labels of the scheme covers.

    Raises:
        ValueError: the scheme has no such label.
    """
    wanted, table = labels.split(","), get_scheme(scheme)
    unknown = sorted(set(wanted) - set(table.labels))
    if unknown:
        known = ", ".join(table.labels)
        raise ValueError(f"--labels {labels}: scheme {scheme} has no {', '.join(unknown)}; known: {known}")
    kept = {table.labels.index(label) for label in wanted}
    return frozenset(drum.name for drum in DRUMS if table.of_class[drum.index] not in kept)
