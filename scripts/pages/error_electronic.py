"""The electronic development song on docs/errors.md: what is invented on its stems, and in its mix."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from eval.inputs.annotations import read_annotation
from eval.metrics.match import match_tracks
from mt3drum import Transcriber
from mt3drum.audio.recording import open_file
from mt3drum.files import write_whole
from scripts.pages.error_hits import MOMENT_SECONDS, WINDOW, Levels, measure
from scripts.pages.error_page import SHADES, spectrogram
from tokenizer.drums import DRUMS, FAMILIES, SCHEMES
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS

JUDGED = ("KD", "HH")
"""The labels that the song's reference has."""
PICTURE = "images/errors/electronic.png"


def electronic_section(transcriber: Transcriber, folder: Path, output: Path) -> list[str]:
    """Paragraphs of the page; writes its picture below `output`.

    Args:
        folder: the song, with melodic/ (stems without drums), mix/ and ref/, one file each.

    Raises:
        ValueError: a file is missing or cannot be read.
    """
    melodic, mix = (_only_file(folder / name) for name in ("melodic", "mix"))
    invented = transcriber.transcribe_file(melodic)
    start = _worst(invented.hits)
    write_whole(output / PICTURE, _draw(measure(open_file(melodic)), invented.hits, start))
    minutes = invented.seconds / 60
    return [
        "### The electronic song",
        f"{melodic.stem.capitalize()}, a CC0 song with stems (docs/data.md). Its melodic stems alone, which "
        "hold no drums: "
        f"{len(invented.hits)} hits are invented, {len(invented.hits) / minutes:.1f} a minute.",
        _families(invented.hits, minutes),
        "Its mix, kick and hi-hat, 50 ms; the reference has no other classes:",
        _mix(transcriber, mix, _only_file(folder / "ref"), invented.hits),
        f"*Also in the stems*: of the hits invented in the mix, those with a hit of the same family within "
        f"{1000 * WINDOW:.0f} ms in the melodic stems alone. The picture shows the {MOMENT_SECONDS:g} s of "
        "the stems with most invented hits.",
        f"![{melodic.stem}, melodic stems, {start:.1f} s]({PICTURE})",
    ]


def _only_file(folder: Path) -> Path:
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    if len(files) != 1:
        raise ValueError(f"{folder}: has {len(files)} files, expected one")
    return files[0]


def _families(hits: tuple[Hit, ...], minutes: float) -> str:
    lines = ["| family | invented a minute | confidence: lower quartile, median, upper |", "|---|---:|---|"]
    for family in FAMILIES:
        sure = [hit.confidence for hit in hits if DRUMS[hit.drum].family == family]
        if sure:
            quartiles = ", ".join(f"{value:.2f}" for value in np.quantile(sure, (0.25, 0.5, 0.75)))
            lines.append(f"| {family} | {len(sure) / minutes:.1f} | {quartiles} |")
    return "\n".join(lines)


def _mix(transcriber: Transcriber, mix: Path, reference: Path, invented: tuple[Hit, ...]) -> str:
    scheme = SCHEMES["5"]
    unjudged = frozenset(
        drum.name
        for drum in DRUMS
        if scheme.of_class[drum.index] not in [scheme.labels.index(label) for label in JUDGED]
    )
    played = read_annotation(reference, LABEL_MAPS["mdb_class"]).hits
    hits = transcriber.transcribe_file(mix).hits
    (match,) = match_tracks({"song": played}, {"song": hits}, window=WINDOW, unjudged=unjudged)
    stems = np.array([hit.time for hit in invented])
    label_of = np.array([scheme.of_class[hit.drum] for hit in invented])
    lines = [
        "| class | played | found | invented | also in the stems |",
        "|---|---:|---:|---:|---:|",
    ]
    for label in map(scheme.labels.index, JUDGED):
        own = match.references.label == label
        false = [i for i in match.false.tolist() if match.estimates.label[i] == label]
        times = stems[label_of == label]
        again = sum(bool((np.abs(times - match.estimates.time[i]) <= WINDOW).any()) for i in false)
        missed = int((match.references.label[match.missed] == label).sum())
        played_hits = int(own.sum())
        lines.append(
            f"| {scheme.labels[label]} | {played_hits} | {played_hits - missed} | {len(false)} | {again} |"
        )
    return "\n".join(lines)


def _worst(hits: tuple[Hit, ...]) -> float:
    times = np.array([hit.time for hit in hits])
    if not len(times):
        return 0.0
    inside = [((times >= time) & (times < time + MOMENT_SECONDS)).sum() for time in times]
    return max(0.0, float(times[int(np.argmax(inside))]) - 0.1)


def _draw(levels: Levels, hits: tuple[Hit, ...], start: float) -> bytes:
    """A PNG: the log-mel spectrogram above the lanes of the eight families."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(8.2, 4.6), sharex=True, layout="constrained", height_ratios=(3, 2)
    )
    spectrogram(top, levels, start, plt.get_cmap("magma", SHADES))
    shown = [hit for hit in hits if start <= hit.time < start + MOMENT_SECONDS]
    lanes = [len(FAMILIES) - 1 - FAMILIES.index(DRUMS[hit.drum].family) for hit in shown]
    bottom.scatter([hit.time for hit in shown], lanes, s=35, color="tab:orange")
    bottom.set_yticks(range(len(FAMILIES)), FAMILIES[::-1])
    bottom.set_ylim(-0.6, len(FAMILIES) - 0.4)
    bottom.set_xlim(start, start + MOMENT_SECONDS)
    bottom.set_xlabel("seconds")
    bottom.grid(axis="y", alpha=0.3)
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=90)
    plt.close(figure)
    return target.getvalue()
