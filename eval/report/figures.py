"""Pictures for the HTML report, as strings to put into the page: curves by matplotlib, moments as inline
SVG."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from eval.evaluate import Evaluation
from eval.metrics.match import Events, TrackMatch
from eval.metrics.timing import errors_of

MOMENT_SECONDS = 5.0
_WIDTH, _MARGIN, _LANE, _PICTURE = 900, 130, 14, 130
_PLOT = 750  # a little short of the edge, for the last second's number
_RIGHT, _WRONG = "#2a7f5c", "#c8472f"


@dataclass(frozen=True)
class Moment:
    """A passage of one track and the errors in it, over all systems."""

    track: str
    start: float
    """Seconds."""
    errors: int


def worst_moments(matches: Sequence[TrackMatch], count: int) -> list[Moment]:
    """The passages of 5 s with the most missed and false hits of one track, worst first, not overlapping.

    Args:
        matches: the track as matched by each system.
        count: maximum number of passages.
    """
    wrong = [np.concatenate([m.references.time[m.missed], m.estimates.time[m.false]]) for m in matches]
    times = np.sort(np.concatenate(wrong))
    starts = np.unique(np.maximum(0, np.floor(times - MOMENT_SECONDS / 2)))
    errors = np.searchsorted(times, starts + MOMENT_SECONDS) - np.searchsorted(times, starts)
    chosen: list[Moment] = []
    for i in np.argsort(-errors, kind="stable"):
        start = float(starts[i])
        if all(abs(start - moment.start) >= MOMENT_SECONDS for moment in chosen):
            chosen.append(Moment(matches[0].track, start, int(errors[i])))
        if len(chosen) == count:
            break
    return chosen


def read_clip(path: Path, start: float) -> tuple[np.ndarray, int]:
    """One moment of a recording, mono.

    Raises:
        soundfile.LibsndfileError: not an audio file that libsndfile reads.
    """
    import soundfile

    with soundfile.SoundFile(str(path)) as file:
        first = min(int(start * file.samplerate), file.frames)
        file.seek(first)
        audio = file.read(int(MOMENT_SECONDS * file.samplerate), dtype="float32", always_2d=True)
        return audio.mean(axis=1), int(file.samplerate)


def sound(audio: np.ndarray, rate: int) -> str:
    """An HTML element that plays the clip, its MP3 inside the page."""
    import soundfile

    target = io.BytesIO()
    soundfile.write(target, audio, rate, format="MP3")
    data = base64.b64encode(target.getvalue()).decode()
    return f'<audio controls preload="none" src="data:audio/mpeg;base64,{data}"></audio>'


def spectrogram(audio: np.ndarray, rate: int) -> str:
    """A PNG (as data URI) of 30 Hz to 18 kHz on a logarithmic axis, 70 dB deep, one moment wide."""
    from matplotlib import colormaps, image

    size, hop = 2048, max(1, rate // 120)
    wanted = int(MOMENT_SECONDS * rate)
    padded = np.zeros(wanted + size, dtype=np.float32)
    padded[size // 2 : size // 2 + len(audio[:wanted])] = audio[:wanted]
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(size).astype(np.float32), axis=1)) ** 2
    bins = np.geomspace(30, min(18000, rate / 2), 120) * size / rate
    level = 10 * np.log10(power[:, np.round(bins).astype(int).clip(0, size // 2)] + 1e-9)
    shade = np.clip((level - (level.max() - 70)) / 70, 0, 1).T[::-1]
    target = io.BytesIO()
    image.imsave(target, colormaps["magma"](shade), format="png")
    return "data:image/png;base64," + base64.b64encode(target.getvalue()).decode()


def moment_svg(
    moment: Moment, systems: Sequence[tuple[str, TrackMatch]], labels: Sequence[str], picture: str | None
) -> str:
    """Spectrogram, reference hits and the hits of each system below, on one time axis.

    Filled bars: correct. Hollow bars: missed and false hits. Height: velocity.
    """
    shown = [i for i in range(len(labels)) if any(_has(match, i, moment) for _, match in systems)]
    # A reference hit is drawn filled if every system found it.
    found = np.all([match.found for _, match in systems], axis=0)
    blocks = [("played", systems[0][1].references, found)]
    blocks += [(name, match.estimates, match.hit_right) for name, match in systems]
    top = _PICTURE + 6 if picture else 6
    height = top + len(blocks) * (len(shown) * _LANE + 22) + 18
    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img" class="moment">']
    if picture:
        parts.append(
            f'<image x="{_MARGIN}" y="0" width="{_PLOT}" height="{_PICTURE}" '
            f'preserveAspectRatio="none" href="{picture}"/>'
        )
    for name, events, right in blocks:
        parts.append(f'<text x="0" y="{top + 13}" class="block">{escape(name)}</text>')
        top += 18
        for lane, label in enumerate(shown):
            y = top + lane * _LANE
            parts.append(f'<text x="{_MARGIN - 8}" y="{y + 11}" class="lane">{escape(labels[label])}</text>')
            parts.append(f'<path d="M{_MARGIN} {y + _LANE - 1}H{_MARGIN + _PLOT}" class="rule"/>')
            parts += _bars(events, right, label, moment.start, y)
        top += len(shown) * _LANE + 4
    for second in range(int(np.ceil(moment.start)), int(moment.start + MOMENT_SECONDS) + 1):
        x = _MARGIN + (second - moment.start) / MOMENT_SECONDS * _PLOT
        parts.append(f'<text x="{x:.1f}" y="{height - 4}" class="tick">{second} s</text>')
    return "".join(parts) + "</svg>"


def _has(match: TrackMatch, label: int, moment: Moment) -> bool:
    return any(
        bool(np.any((events.label == label) & _inside(events, moment.start)))
        for events in (match.references, match.estimates)
    )


def _inside(events: Events, start: float) -> np.ndarray:
    return np.asarray((events.time >= start) & (events.time < start + MOMENT_SECONDS))


def _bars(events: Events, right: np.ndarray, label: int, start: float, y: float) -> list[str]:
    bars = []
    for i in np.flatnonzero((events.label == label) & _inside(events, start)):
        x = _MARGIN + (events.time[i] - start) / MOMENT_SECONDS * _PLOT
        tall = 4 + 9 * events.velocity[i] / 127
        paint = f'fill="{_RIGHT}"' if right[i] else f'fill="none" stroke="{_WRONG}" stroke-width="1.3"'
        bars.append(
            f'<rect x="{x - 1.5:.1f}" y="{y + 13 - tall:.1f}" width="3" height="{tall:.1f}" {paint}/>'
        )
    return bars


def class_bars(evaluations: Sequence[Evaluation]) -> str:
    """F per label and system with its interval."""
    labels = evaluations[0].settings.labels
    figure, axes = _axes(max(6.0, 0.35 * len(labels) * max(2, len(evaluations)) + 2), 3.0)
    width = 0.8 / len(evaluations)
    for i, e in enumerate(evaluations):
        places = np.arange(len(labels)) + (i - (len(evaluations) - 1) / 2) * width
        heights = np.array([counts.f for counts in e.headline.classes.values()])
        known = [e.headline_intervals.get(label) for label in labels]
        ends = np.array([(v.value - v.low, v.high - v.value) if v else (0.0, 0.0) for v in known]).clip(0).T
        axes.bar(places, heights, width * 0.92, yerr=ends, label=e.name, error_kw={"lw": 0.8})
    axes.set_xticks(range(len(labels)), labels, rotation=0 if len(labels) < 9 else 60)
    axes.set_ylabel("F")
    axes.set_ylim(0, 1)
    axes.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4)
    return _svg(figure)


def timing_histogram(evaluations: Sequence[Evaluation]) -> str:
    """Signed errors of matched hits."""
    figure, axes = _axes(6.0, 2.6)
    edge = evaluations[0].settings.window * 1000
    for e in evaluations:
        errors = np.concatenate([errors_of(match) for match in e.matches]) * 1000
        axes.hist(errors, bins=np.linspace(-edge, edge, 51), histtype="step", label=e.name)
    axes.axvline(0, color="0.7", lw=0.8)
    axes.set_xlabel("estimate minus reference, ms")
    axes.set_ylabel("matched hits")
    axes.legend(fontsize=8, frameon=False)
    return _svg(figure)


def precision_recall_plot(evaluations: Sequence[Evaluation]) -> str | None:
    """Curves of the systems that give confidences, or None."""
    curves = [(e.name, e.curve) for e in evaluations if e.curve]
    if not curves:
        return None
    figure, axes = _axes(4.5, 3.4)
    for name, curve in curves:
        axes.plot(curve.recall, curve.precision, label=f"{name}, AP {curve.average_precision:.3f}")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.01))
    axes.legend(fontsize=8, frameon=False)
    return _svg(figure)


def class_curves_plot(evaluations: Sequence[Evaluation]) -> str | None:
    """A small precision-recall plot for every label, all systems in each; None without confidences."""
    labels = [
        label for label in evaluations[0].settings.labels if any(label in e.class_curves for e in evaluations)
    ]
    if not labels:
        return None
    from matplotlib.figure import Figure

    columns = min(5, len(labels))
    rows = -(-len(labels) // columns)
    figure = Figure(figsize=(1.8 * columns, 1.9 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).flat
    for axes, label in zip(panels, labels, strict=False):
        for number, e in enumerate(evaluations):
            if curve := e.class_curves.get(label):
                axes.plot(curve.recall, curve.precision, color=f"C{number}", label=e.name)
        found = [e.class_curves[label].average_precision for e in evaluations if label in e.class_curves]
        axes.set_title(f"{label}, AP {', '.join(f'{ap:.2f}' for ap in found)}", fontsize=8)
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
    for axes in list(figure.axes)[len(labels) :]:
        axes.set_axis_off()
    figure.supxlabel("recall", fontsize=8)
    figure.supylabel("precision", fontsize=8)
    return _svg(figure)


def reliability_plot(evaluations: Sequence[Evaluation]) -> str | None:
    """Share of correct hits per confidence bin, or None."""
    found = [(e.name, e.reliability) for e in evaluations if e.reliability]
    if not found:
        return None
    figure, axes = _axes(4.5, 3.4)
    axes.plot([0, 1], [0, 1], color="0.7", lw=0.8)
    for name, bins in found:
        known = bins.count > 0
        label = f"{name}, ECE {bins.expected_error:.3f}"
        axes.plot(bins.confidence[known], bins.right[known], marker="o", ms=4, label=label)
    axes.set(xlabel="confidence", ylabel="share right", xlim=(0, 1), ylim=(0, 1.01))
    axes.legend(fontsize=8, frameon=False)
    return _svg(figure)


def _axes(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Any) -> str:
    import matplotlib

    target = io.StringIO()
    # Text stays text; the salt makes element ids, and so the whole page, the same on every run.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "mt3drum", "font.size": 9}):
        figure.savefig(target, format="svg", metadata={"Date": None}, transparent=True)
    drawing = target.getvalue()
    return drawing[drawing.index("<svg") :]
