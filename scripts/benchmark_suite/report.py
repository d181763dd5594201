"""References and systems, read, scored and put together."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from eval.evaluate import Evaluation, Settings, evaluate
from eval.metrics.bootstrap import paired
from eval.report.report import Comparison, Report
from scripts.benchmark_suite.inputs import References, audio_files, audio_lengths, read_references
from scripts.benchmark_suite.systems import System, read_systems
from tokenizer.drums import SCHEMES


def build_report(args: argparse.Namespace, command: str) -> tuple[Report, dict[str, Path]]:
    """Read, decode, score.

    Returns:
        the report, and the recording of each track that has one.

    Raises:
        ValueError, OSError: an input cannot be read or does not fit; the message names it.
    """
    references = read_references(args)
    drumless = {} if args.drumless is None else audio_files(args.drumless)
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
    )
    return report, references.audio


def _settings(args: argparse.Namespace, references: References, systems: Sequence[System]) -> Settings:
    finest = references.label_map.finest
    judged = tuple(SCHEMES)[tuple(SCHEMES).index(finest) :]
    scheme = args.scheme or ("5" if "5" in judged else finest)
    if scheme in SCHEMES and scheme not in judged:
        raise ValueError(
            f"--scheme {scheme}: {references.label_map.name} labels can judge {', '.join(judged)} classes"
        )
    try:
        windows = tuple(float(window) / 1000 for window in args.windows.split(","))
    except ValueError:
        raise ValueError(f"--windows {args.windows!r}: wanted milliseconds, such as 20,30,50") from None
    return Settings(
        scheme=scheme,
        schemes=judged,
        window=args.window / 1000,
        windows=windows,
        unjudged=references.label_map.unjudged.union(*[system.unjudged for system in systems]),
        merge=args.merge / 1000,
        samples=args.bootstrap,
        seed=args.seed,
        seam_period=args.seam or next((system.seam for system in systems if system.seam), None),
    )
