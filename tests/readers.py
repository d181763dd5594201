"""Hits out of files of every format, by parsers that know nothing of our writers."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import jams
import mido
import music21
import numpy as np
import pandas as pd
import pypdf
import soundfile

from mt3drum.formats.lanes import LANE_OF
from mt3drum.formats.staff import SIGNS
from tests.mt3drum.formats.test_chart import COLOURS, chart_notes, mid_notes, read_chart
from tests.mt3drum.formats.test_formats import read_tab
from tokenizer.drums import DRUMS
from tokenizer.hits import Hit

SVG = "{http://www.w3.org/2000/svg}"
Row = tuple[float, str, int, float]


def rows(hits: list[Hit]) -> list[Row]:
    """What tables hold of hits."""
    return [(round(h.time, 6), DRUMS[h.drum].name, h.velocity, round(h.confidence, 4)) for h in hits]


def table(name: str, data: bytes) -> list[Row]:
    """Every hit of a JSON, JSON Lines, CSV, JAMS or Parquet file."""
    text = "" if name == "parquet" else data.decode("utf-8")
    found: list[Any]
    if name == "jams":
        (blob,) = jams.load(io.StringIO(text)).search(namespace="blob")
        return [(round(o.time, 6), o.value["drum"], o.value["velocity"], o.confidence) for o in blob]
    if name == "parquet":
        (whole,) = pd.read_parquet(io.BytesIO(data)).to_dict("records")
        assert whole["status"] == "done"
        columns = (whole[column] for column in ("time", "drum", "velocity", "confidence"))
        return [(t, d, int(v), round(float(c), 4)) for t, d, v, c in zip(*columns, strict=True)]
    if name == "csv":
        found = list(csv.DictReader(io.StringIO(text)))
    else:
        found = json.loads(text)["hits"] if name == "json" else list(map(json.loads, text.splitlines()))
    return [(float(r["time"]), r["drum"], int(r["velocity"]), float(r["confidence"])) for r in found]


def midi(data: bytes) -> list[tuple[float, int, int]]:
    """(seconds, note, velocity) of every stroke, by mido's own clock."""
    found, now = [], 0.0
    for message in mido.MidiFile(file=io.BytesIO(data)):
        now += message.time
        if message.type == "note_on" and message.velocity:
            found.append((now, message.note, message.velocity))
    return found


def written_bars(svg: bytes) -> list[int]:
    """Notes in each bar of a picture of a score; a simile mark has those of the bar before."""
    bars: list[int] = []
    root = ET.fromstring(svg)
    systems = [
        part for part in root.findall(f"{SVG}svg") if part.get("x") == "0"
    ]  # the others are the legend
    for group in (group for system in systems for group in system.iter(f"{SVG}g")):
        if group.get("class") != "measure":
            continue
        kinds = Counter(inner.get("class", "").split(" ")[0] for inner in group.iter())
        if kinds["mRpt2"]:  # of two bars
            bars += bars[-2:]
            continue
        bars.append(bars[-1] if kinds["mRpt"] else kinds["note"])
    return bars


def check_five_lanes(data: bytes, hits: list[Hit]) -> None:
    """Assert that a chart for five lanes has a gem for every hit that pro drums have one for."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (path,) = [path for path in archive.namelist() if path.endswith("notes.chart")]
        pairs = read_chart(archive.read(path).decode())["ExpertDrums"]
        ini = archive.read(path.replace("notes.chart", "song.ini")).decode()
    assert "five_lane_drums = True" in ini and "pro_drums" not in ini
    codes = Counter(int(value.split()[1]) for _, value in pairs)
    charted = sum(LANE_OF[hit.drum] is not None for hit in hits)
    assert sum(count for code, count in codes.items() if code < 6 or code == 32) == charted
    assert not [code for code in codes if code > 44]  # no cymbal modifiers


def check(name: str, data: bytes, hits: list[Hit], notes: str = "gm") -> None:
    """Assert that a file of a format holds these hits as far as the format can.

    Where it holds places and no times (musicxml, tab, chart), the number of strokes of each kind is compared;
    that the places are right is the business of the formats' own tests.
    """
    counts = Counter(DRUMS[hit.drum].name for hit in hits)
    if name in ("json", "jsonl", "csv", "jams", "parquet"):
        assert table(name, data) == rows(hits)
    elif name == "midi":
        numbers = [drum.gm_note if notes == "gm" else drum.td17_note for drum in DRUMS]
        wanted = sorted((hit.time, numbers[hit.drum], hit.velocity) for hit in hits)
        read = sorted(midi(data))
        assert [row[1:] for row in read] == [row[1:] for row in wanted]
        assert np.abs(np.array([r[0] for r in read]) - [w[0] for w in wanted]).max() < 1e-3
    elif name == "musicxml":
        stream = music21.converter.parseData(data.decode("utf-8"), format="musicxml")
        places: Counter[str] = Counter()
        for element in stream.recurse().notes:
            for note in element.notes if hasattr(element, "notes") else [element]:
                places[f"{note.displayStep}{note.displayOctave} {note.notehead}"] += 1
        signs = {drum: SIGNS[drum] for drum in range(len(DRUMS))}
        assert places == Counter(
            f"{signs[h.drum].step}{signs[h.drum].octave} {signs[h.drum].head}" for h in hits
        )
    elif name == "tab":
        lines = Counter(line for _, line, _ in read_tab(data.decode("utf-8")).elements())
        assert lines == Counter(SIGNS[hit.drum].line for hit in hits)
    elif name == "chart":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = {Path(name).name: name for name in archive.namelist()}
            assert set(names) == {"notes.chart", "notes.mid", "song.ini"}
            expert = chart_notes(read_chart(archive.read(names["notes.chart"]).decode())["ExpertDrums"])
            assert expert == mid_notes(mido.MidiFile(file=io.BytesIO(archive.read(names["notes.mid"]))), 96)
        lanes = [lane for lane in (LANE_OF[hit.drum] for hit in hits) if lane is not None]
        what = Counter(what for _, what, _ in expert.elements())
        assert what == Counter(COLOURS[lane] + (" cymbal" if cymbal else "") for lane, cymbal in lanes)
    elif name == "chart5":
        check_five_lanes(data, hits)
    elif name == "svg":
        assert sum(written_bars(data)) == len(hits)
    elif name == "pdf":
        text = " ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages)
        assert all(SIGNS[hit.drum].title in " ".join(text.split()) for hit in hits)
    elif name == "practice-midi":
        read = [row for row in midi(data) if row[1] not in (76, 77)]
        assert len(read) == len(hits)
        gaps = np.diff(sorted(row[0] for row in read)), np.diff(sorted(hit.time for hit in hits))
        assert np.abs(gaps[0] - 2 * gaps[1]).max() < 2e-3
    elif name == "practice-wav":
        assert soundfile.info(io.BytesIO(data)).duration > 2 * (hits[-1].time - hits[0].time)
    else:
        assert name == "wav" and counts
        audio, rate = soundfile.read(io.BytesIO(data), dtype="float32")
        for hit in hits:
            start = round(hit.time * rate)
            assert np.abs(audio[start : start + rate // 50]).max() > 1e-3
