"""The tables and pictures of docs/errors.md, from the errors that scripts/error_report.py found."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.metrics.f_measure import Counts
from mt3drum.files import write_whole
from scripts.pages.doc_block import filled
from scripts.pages.error_hits import (
    LABELS,
    MIXES,
    MOMENT_SECONDS,
    ONSET,
    RANGES,
    STRONG,
    WEAK,
    Levels,
    Take,
    Wrong,
    near,
)
from tokenizer.drums import DRUMS, SCHEMES

ROOT = Path(__file__).resolve().parents[2]
MAX_BYTES = 90_000
SHADES = 14  # of the spectrogram: with all of them the files would be three times as large
RANGE = 60.0  # dB shown below the loudest
MIX_NAMES = {"drum_only": "drums only", "pseudo_mix": "pseudo mix", "full_mix": "full mix"}
Moment = tuple[Take, float, list[Wrong]]


def write_page(
    folder: Path,
    takes: Sequence[Take],
    wrong: Sequence[Wrong],
    moments: Sequence[Moment],
    captions: Sequence[str],
    more: Sequence[str] = (),
) -> None:
    """Write errors.md and its pictures; the text around the tables is that of docs/errors.md.

    Args:
        more: paragraphs after the tables.

    Raises:
        ValueError: a picture is too large, or docs/errors.md lacks the marks.
        OSError: a file cannot be written.
    """
    page = ROOT / "docs" / "errors.md"
    images = folder / "images" / "errors"
    for old in images.glob("[0-9][0-9].png"):
        old.unlink()
    parts = [*tables(takes, wrong), *more]
    for number, ((take, start, inside), caption) in enumerate(zip(moments, captions, strict=True), start=1):
        picture = draw(take, start)
        if len(picture) > MAX_BYTES:
            raise ValueError(f"picture {number} has {len(picture)} bytes, at most {MAX_BYTES} are allowed")
        write_whole(images / f"{number:02}.png", picture)
        title = f"{take.song}, {MIX_NAMES[take.mix]}, {start:.1f} s"
        text = [
            f"### {number}. {title}",
            caption,
            _listed(inside),
            f"![{title}](images/errors/{number:02}.png)",
        ]
        parts.append("\n\n".join(part for part in text if part))
        if not caption:
            print(f"no caption for {take.song} {take.mix} {start:.1f}")
    write_whole(folder / "errors.md", filled(page, "results", "\n\n".join(parts)))
    print(f"wrote {folder / 'errors.md'} and {len(moments)} pictures")


def tables(takes: Sequence[Take], wrong: Sequence[Wrong]) -> list[str]:
    """The paragraphs of the page before its pictures."""
    chance = np.mean([_chance(take) for take in takes if take.mix != "drum_only"])
    missed = (
        "Missed hits, each counted once under the first reason that applies. *low confidence*: decoded, then "
        "removed by the confidence threshold. *as another*: a hit that was not played was written at the "
        "same time. Otherwise the evidence of the onset head for the label: *strong evidence* (probability "
        f"{STRONG} or more), *weak evidence* ({WEAK} or more) or *no evidence*. In addition, *masked*: the "
        f"frequency bands of the label rise by less than {ONSET / 2:g} dB in the drums alone; *ADTOF too*: "
        "the other system misses the hit as well."
    )
    invented = (
        "False hits, each counted once under the first reason that applies. *for another*: a hit of another "
        "label was missed at the same time. *twice*: a second hit on one stroke. *beside another*: another "
        "label was played and detected. *unscored stroke*: a side stick, which is not scored. *band*: the "
        f"mix rises by {ONSET:g} dB and the drums alone do not (true of {chance:.0%} of all times). *drums*: "
        "the drums alone rise and nothing is annotated. *nothing*: none of these. In addition, *flat*: the "
        f"frequency bands of the label rise by less than {ONSET / 2:g} dB in the drums alone; *ADTOF too*."
    )
    company = (
        "Recall by the drums played together (within 50 ms), for combinations missed at least twice in one "
        "mix. *rise*: median rise in the drums alone, in the frequency bands of the label "
        f"({', '.join(f'{label} {low:g} to {high:g} Hz' for label, (low, high) in RANGES.items())})."
    )
    why_missed = ("low confidence", "as another", "strong evidence", "weak evidence", "no evidence")
    why_invented = ("for another", "twice", "beside another", "unscored stroke", "band", "drums", "nothing")
    mixes = [MIX_NAMES[mix] for mix in MIXES]
    return [
        "F-measure, with the numbers of missed and false hits in brackets.",
        _table(("recording", "mix", "all", *LABELS), _scores(takes)),
        missed,
        _table(
            ("label", "mix", "missed", *why_missed, "masked", "ADTOF too"),
            _reasons(wrong, "missed", why_missed),
        ),
        invented,
        _table(
            ("label", "mix", "invented", *why_invented, "flat", "ADTOF too"),
            _reasons(wrong, "invented", why_invented),
        ),
        company,
        _table(("recording", "stroke", "with", *mixes, "rise, dB"), _company(takes)),
    ]


def _table(columns: Sequence[str], rows: Iterator[list[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|---|---|" + "---:|" * (len(columns) - 2)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _scores(takes: Sequence[Take]) -> Iterator[list[str]]:
    for mix in MIXES:
        of_mix = [take for take in takes if take.mix == mix]
        total = [Counts()] * len(LABELS)
        for take in of_mix:
            counts = [_counts(take, label) for label in range(len(LABELS))]
            total = [a + b for a, b in zip(total, counts, strict=True)]
            yield [take.song, MIX_NAMES[mix], *map(_cell, [sum(counts, Counts()), *counts])]
        if len(of_mix) > 1:
            yield ["**all**", MIX_NAMES[mix], *map(_cell, [sum(total, Counts()), *total])]


def _counts(take: Take, label: int) -> Counts:
    match = take.match
    missed = int((match.references.label[match.missed] == label).sum())
    return Counts(
        tp=int((match.references.label == label).sum()) - missed,
        fp=int((match.estimates.label[match.false] == label).sum()),
        fn=missed,
    )


def _cell(counts: Counts) -> str:
    if counts.empty:
        return "-"
    return f"{counts.f:.3f} (−{counts.fn} +{counts.fp})"


def _reasons(wrong: Sequence[Wrong], kind: str, reasons: Sequence[str]) -> Iterator[list[str]]:
    for mix in MIXES:
        for label in LABELS:
            own = [w for w in wrong if (w.kind, w.take.mix, w.label) == (kind, mix, label)]
            if own:
                counts = Counter(w.why for w in own)
                sides = (sum(w.flat for w in own), sum(w.shared for w in own))
                figures = [len(own), *[counts[reason] for reason in reasons], *sides]
                yield [label, MIX_NAMES[mix], *[str(n) if n else "" for n in figures]]


def _chance(take: Take) -> float:
    """Share of all times at which the band would be blamed."""
    seconds = take.levels.decibel.shape[1] / 100
    times = np.arange(0.5, seconds - 0.5, 0.05)
    return float(np.mean([(take.levels.onsets(t) & ~take.drums.onsets(t)).any() for t in times]))


def _company(takes: Sequence[Take]) -> Iterator[list[str]]:
    label_of = SCHEMES["5"].of_class
    groups: dict[tuple[str, str, str], dict[str, list[bool]]] = {}
    rises: dict[tuple[str, str, str], list[float]] = {}
    for take in takes:
        times = np.array([stroke.time for stroke in take.strokes])
        references, found = take.match.references, take.match.found
        for stroke in take.strokes:
            label = label_of[stroke.drum]
            same = [i for i in near(references.time, stroke.time) if references.label[i] == label]
            if not same:  # scoring leaves it out
                continue
            together = {DRUMS[take.strokes[i].drum].name for i in near(times, stroke.time)}
            name = DRUMS[stroke.drum].name
            key = (take.song, name, ", ".join(sorted(together - {name})) or "alone")
            own = min(same, key=lambda i: abs(references.time[i] - stroke.time))
            groups.setdefault(key, {}).setdefault(take.mix, []).append(bool(found[own]))
            if take.mix == "drum_only":
                rises.setdefault(key, []).append(take.drums.rise(stroke.time, *RANGES[LABELS[label]]))
    for key, of_mix in sorted(groups.items()):
        if any(found.count(False) >= 2 for found in of_mix.values()):
            shown = [f"{sum(of_mix[mix])}/{len(of_mix[mix])}" if mix in of_mix else "-" for mix in MIXES]
            yield [*key, *shown, f"{np.median(rises[key]):.0f}"]


def _listed(inside: Sequence[Wrong]) -> str:
    """One line: what is missed and invented in a moment."""
    parts = []
    for kind in ("missed", "invented"):
        counts = Counter(f"{wrong.label} ({wrong.drum})" for wrong in inside if wrong.kind == kind)
        if counts:
            parts.append(f"{kind}: " + ", ".join(f"{n} {name}" for name, n in sorted(counts.items())))
    text = "; ".join(parts)
    return text[0].upper() + text[1:] + "."


def draw(take: Take, start: float) -> bytes:
    """A PNG of one moment: its log-mel spectrogram above the lanes of the five labels."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(8.2, 4.6), sharex=True, layout="constrained", height_ratios=(3, 2)
    )
    spectrogram(top, take.levels, start, plt.get_cmap("magma", SHADES))
    match = take.match
    missed, false = np.isin(np.arange(len(match.references)), match.missed), ~match.hit_right
    size, line = 70, 1.4
    for events, wrong, name, wrong_name, style, bad in (
        (match.references, missed, "played", "missed", {"s": 2 * size, "facecolors": "none"}, "tab:red"),
        (match.estimates, false, "written", "invented", {"s": size / 2}, "tab:orange"),
    ):
        for chosen, colour, label in ((~wrong, "black", name), (wrong, bad, wrong_name)):
            chosen = chosen & (events.time >= start) & (events.time < start + MOMENT_SECONDS)
            lanes = len(LABELS) - 1 - events.label[chosen]
            bottom.scatter(
                events.time[chosen],
                lanes,
                edgecolors=colour,
                linewidths=line,
                label=label,
                **({"color": colour} if name == "written" else {}),
                **style,
            )
    label_of = SCHEMES["5"].of_class
    unscored = [
        (stroke.time, len(LABELS) - 1 - label_of[stroke.drum])
        for stroke in take.strokes
        if start <= stroke.time < start + MOMENT_SECONDS
        and label_of[stroke.drum] >= 0
        and not len(near(match.references.time, stroke.time))
    ]
    if unscored:
        bottom.scatter(
            *zip(*unscored, strict=True),
            s=2 * size,
            facecolors="none",
            edgecolors="tab:gray",
            linestyles=":",
            linewidths=line,
            label="played, not scored",
        )
    bottom.set_yticks(range(len(LABELS)), LABELS[::-1])
    bottom.set_ylim(-0.6, len(LABELS) - 0.4)
    bottom.set_xlabel("seconds")
    bottom.set_xlim(start, start + MOMENT_SECONDS)
    bottom.grid(axis="y", alpha=0.3)
    figure.legend(
        *bottom.get_legend_handles_labels(), loc="outside upper right", ncols=5, fontsize=8, frameon=False
    )
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=90)
    plt.close(figure)
    return target.getvalue()


def spectrogram(axes: Any, levels: Levels, start: float, shades: Any) -> None:
    """Draw `MOMENT_SECONDS` from `start` (s)."""
    first = max(0, round(start * 100))
    shown = levels.decibel[:, first : first + round(MOMENT_SECONDS * 100)]
    loudest = float(np.quantile(levels.decibel, 0.999))
    # Nearest: blended pixels would be more than the shades, and the file large.
    axes.imshow(
        shown,
        origin="lower",
        aspect="auto",
        cmap=shades,
        vmin=loudest - RANGE,
        vmax=loudest,
        extent=(first / 100, first / 100 + shown.shape[1] / 100, 0, len(shown)),
        interpolation="nearest",
    )
    ticks = [200, 1_000, 3_000, 10_000]
    axes.set_yticks(
        np.interp(ticks, levels.hertz, np.arange(len(levels.hertz)) + 0.5), [f"{t:,} Hz" for t in ticks]
    )
