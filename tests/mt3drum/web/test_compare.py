"""Another score beside the page's: read as Python reads it, matched by the rule of eval/, shown."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import mido
import pytest

from eval.metrics.f_measure import f_measure
from mt3drum.formats import tables
from mt3drum.web.page import page_tables
from tests import ROOT
from tests.mt3drum.web.browser import frames, needs_chromium, on_page, opened, until
from tests.review_stub import GROOVE, GROOVE_SECONDS
from tokenizer.drums import CLASS_INDEX, SCHEMES
from tokenizer.hits import Hit
from tokenizer.maps import LABEL_MAPS
from tokenizer.midi import write_midi
from tokenizer.midi_read import MidiError, read_midi

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="no node on this machine (nodejs.org)")
HAT, SNARE, CRASH = (CLASS_INDEX[name] for name in ("hihat_closed", "snare_head", "crash1"))
PROGRAM = """
const fs = require("node:fs");
const { files, pairs, data } = JSON.parse(fs.readFileSync(0, "utf8"));
const tried = (action) => { try { return action(); } catch (error) { return { error: error.message }; } };
const found = files.map(([path, notes]) =>
  tried(() => readScore(new Uint8Array(fs.readFileSync(path)), data, notes)));
const hits = (rows) => rows.map(([time, drum], id) => ({ id, time, drum }));
const scored = pairs.map(([a, b, name]) => {
  const { labels, of_class: ofClass } = data.schemes[name];
  return scoreRows(matchHits(hits(a), hits(b), ofClass), labels);
});
console.log(JSON.stringify({ found, scored }));
"""


def under_node(files: Any = (), pairs: Any = ()) -> dict[str, Any]:
    """What the page's own scripts say of files (path, notes) and of pairs of scores (rows, rows, scheme)."""
    names = ("score", "match", "read_score")
    code = "\n".join((ROOT / "mt3drum" / "web" / f"{name}.js").read_text(encoding="utf-8") for name in names)
    data = {"files": [(str(path), notes) for path, notes in files], "pairs": pairs, "data": page_tables()}
    run = subprocess.run(
        [NODE or "node", "-e", code + PROGRAM],
        input=json.dumps(data),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def scores(count: int) -> list[tuple[list[Hit], list[Hit], str]]:
    """Thick random scores, and what became of them: moved, dropped, doubled, relabelled."""
    draw = random.Random(7)
    pairs = []
    for number in range(count):
        drums = draw.sample(range(26), 6)
        reference = [
            Hit(round(draw.uniform(0, 4), 4), draw.choice(drums), 80) for _ in range(draw.randint(0, 60))
        ]
        estimate = [
            Hit(max(0.0, round(hit.time + draw.gauss(0, 0.035), 4)), hit.drum, 80)
            for hit in reference
            for _ in range(draw.choice((0, 1, 1, 1, 2)))
        ]
        pairs.append((reference, estimate, list(SCHEMES)[number % len(SCHEMES)]))
    return pairs


@needs_node
def test_it_counts_as_the_project_scores() -> None:
    pairs = scores(120)
    pairs.append(([Hit(0.5, HAT, 9)], [Hit(0.55, HAT, 9)], "26"))  # the window is inclusive
    pairs.append(([Hit(1.0, HAT, 9)], [Hit(1.0502, HAT, 9)], "26"))
    cymbals = [Hit(1.0, CRASH, 9), Hit(1.02, CLASS_INDEX["ride"], 9)]
    pairs.append((cymbals, [Hit(1.0, CRASH, 9)], "5"))  # struck together, and one
    rows = [([[h.time, h.drum] for h in a], [[h.time, h.drum] for h in b], name) for a, b, name in pairs]
    given = under_node(pairs=rows)["scored"]
    assert [table[-1][1:4] for table in given[-3:]] == [[1, 0, 0], [0, 1, 1], [1, 0, 0]]
    for (reference, estimate, name), table in zip(pairs, given, strict=True):
        wanted = f_measure({"x": reference}, {"x": estimate}, scheme=name)
        expected = {label: counts for label, counts in wanted.classes.items() if not counts.empty}
        assert [row[0] for row in table] == [*expected, "all"]
        for (_, tp, fn, fp, f), counts in zip(table, [*expected.values(), wanted.micro], strict=True):
            assert (tp, fn, fp) == (counts.tp, counts.fn, counts.fp)
            assert f == pytest.approx(counts.f)


def awkward_midi(path: Path) -> None:
    """Tempos that change within notes, other channels, sysex, program changes, notes in no map."""
    track = mido.MidiTrack(
        [
            mido.MetaMessage("track_name", name="Band"),
            mido.Message("sysex", data=[1, 2, 3]),
            mido.Message("program_change", channel=0, program=5),
            mido.Message("note_on", channel=0, note=38, velocity=64),
            mido.Message("note_on", channel=9, note=36, velocity=64, time=480),
            mido.Message("note_on", channel=9, note=36, velocity=0, time=20),
            mido.MetaMessage("set_tempo", tempo=300_000, time=100),
            mido.Message("note_on", channel=9, note=42, velocity=1, time=3000),
            mido.Message("note_on", channel=9, note=12, velocity=9, time=2),
            mido.Message("aftertouch", channel=9, value=3, time=1),
            mido.Message("note_on", channel=9, note=33, velocity=9, time=2),
        ]
    )
    mido.MidiFile(ticks_per_beat=384, tracks=[track]).save(path)


@needs_node
def test_it_reads_files_as_python_does(tmp_path: Path) -> None:
    files: list[tuple[Path, str]] = []
    for notes in ("gm", "td17"):
        files.append((tmp_path / f"{notes}.mid", notes))
        write_midi(GROOVE, files[-1][0], notes=notes, tempos=((0.0, 97.3), (2.0, 131.0)))
    awkward_midi(tmp_path / "awkward.mid")
    files.append((tmp_path / "awkward.mid", "gm"))
    named = mido.MidiTrack(
        [mido.MetaMessage("track_name", name="My drums"), mido.Message("note_on", note=38)]
    )
    other = mido.MidiTrack([mido.Message("note_on", channel=3, note=36, velocity=3, time=5)])
    mido.MidiFile(tracks=[other, named]).save(tmp_path / "named.mid")
    files.append((tmp_path / "named.mid", "gm"))
    smpte = mido.MidiFile(ticks_per_beat=-25 * 256 + 40, tracks=[named])
    named.append(mido.Message("note_on", note=36, velocity=9, time=2500))
    smpte.save(tmp_path / "smpte.mid")
    files.append((tmp_path / "smpte.mid", "gm"))
    for (path, notes), found in zip(files, under_node(files)["found"], strict=True):
        wanted = read_midi(path, LABEL_MAPS[notes])
        assert [(hit["drum"], hit["velocity"]) for hit in found["hits"]] == [
            (hit.drum, hit.velocity) for hit in wanted.hits
        ], path
        times = [hit["time"] for hit in found["hits"]]
        assert times == pytest.approx([hit.time for hit in wanted.hits]) and times
        assert found["unmapped"] == sum(wanted.unmapped.values())


@needs_node
def test_json_of_every_scheme_is_read_and_nonsense_refused(tmp_path: Path) -> None:
    text = tables.to_json(GROOVE, GROOVE_SECONDS, "song.wav", (), None)
    sixteen = {"scheme": "5", "hits": [{"time": 1.5, "drum": "CY", "velocity": 70, "confidence": 1}]}
    midi = tmp_path / "whole.mid"
    write_midi(GROOVE, midi)
    two = mido.MidiFile(
        tracks=[mido.MidiTrack([mido.Message("note_on", channel=c, note=36)]) for c in (1, 2)]
    )
    two.save(tmp_path / "two.mid")
    refused = {
        b"": "neither a MIDI file nor JSON",
        b"{}": "no score in JSON",
        b"[1, 2]": "no score in JSON",
        b'{"hits": []}': "it has no drum hits",
        b'{"hits": [null]}': "hit 1 has no known drum",
        b'{"hits": [{"time": 1, "drum": "gong"}]}': "hit 1 has no known drum",
        b'{"hits": [{"time": -1, "drum": "kick"}]}': "hit 1 has no known drum",
        b'{"scheme": "toString", "hits": [{"time": 1, "drum": "kick"}]}': "hit 1",
        midi.read_bytes()[:-9]: "damaged MIDI file",
        midi.read_bytes()[:12]: "damaged MIDI file",
        b"MThd\0\0\0\6\0\1\0\1\0\0" + midi.read_bytes()[14:]: "no ticks in a beat",
        b"MThd\0\0\0\6\0\2\0\1\0\x60" + midi.read_bytes()[14:]: "type 0 and 1",
        b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\6\xff\xff\xff\xff\xff\xff": "does not end",
        (tmp_path / "two.mid").read_bytes(): "nothing on channel 10",
    }
    files = []
    for number, content in enumerate((text.encode(), json.dumps(sixteen).encode(), *refused)):
        path = tmp_path / f"{number}.json"
        path.write_bytes(content)
        files.append((path, "gm"))
    first, second, *others = under_node(files)["found"]
    assert [(hit["time"], hit["drum"]) for hit in first["hits"]] == [(hit.time, hit.drum) for hit in GROOVE]
    assert [(hit["time"], hit["drum"]) for hit in second["hits"]] == [(1.5, CRASH)]
    for found, said in zip(others, refused.values(), strict=True):
        assert said in found.get("error", ""), (found, said)
    with pytest.raises(MidiError):
        read_midi(tmp_path / "two.mid", LABEL_MAPS["gm"])


@needs_chromium
def test_differences_on_the_page(page: Any, rock: Path, tmp_path: Path, errors: list[str]) -> None:
    """Of a reference with one hit less and one more: shown, counted, stepped through, mended."""
    opened(page, rock)
    extra, missed = GROOVE[4], Hit(3.1234, CRASH, 90)
    reference = sorted({*GROOVE, missed} - {extra})
    write_midi(reference, tmp_path / "annotation.mid")
    page.click("#compare summary")
    page.set_input_files("#reference", tmp_path / "annotation.mid")
    until(page, "app.compare.found !== null")
    wanted = f_measure({"x": reference}, {"x": GROOVE})
    counts = f"F {wanted.micro.f:.3f}: {len(GROOVE) - 1} matched, 1 missed, 1 extra"
    assert page.locator("#comparison-text").text_content() == counts
    table = page.locator("#comparison tr").all_inner_texts()
    assert table[0].split() == ["matched", "missed", "extra", "F"]
    assert [row.split()[0] for row in table[1:]] == ["KD", "SD", "HH", "CY", "all"]
    for row in table[1:-1]:
        label, tp, fn, fp, f = row.split()
        counted = wanted.classes[label]
        assert (int(tp), int(fn), int(fp), f) == (counted.tp, counted.fn, counted.fp, f"{counted.f:.3f}")

    frames(page)
    colours = page.evaluate(
        """(hits) => hits.map(([time, drum]) => {
          const { view } = app;
          const ratio = window.devicePixelRatio;
          const ink = view.canvas.getContext("2d");
          const [x, y] = [(view.x(time) - 9) * ratio, (view.y(drum) - 9) * ratio];
          const near = [...ink.getImageData(x, y, 18, 18).data];
          const far = (i, rgb) => Math.hypot(...rgb.map((value, k) => near[i + k] - value));
          return ["match", "extra", "missed"].filter((name) => {
            ink.fillStyle = view.colour[name];
            const rgb = [1, 3, 5].map((i) => parseInt(ink.fillStyle.slice(i, i + 2), 16));
            return near.some((_, i) => i % 4 === 0 && far(i, rgb) < 30);
          });
        })""",
        [[hit.time, hit.drum] for hit in (GROOVE[1], extra, missed)],
    )
    assert colours == [["match"], ["extra"], ["missed"]]

    page.keyboard.press("Escape")
    page.keyboard.press("d")
    page.keyboard.press("Delete")
    assert extra not in on_page(page) and len(on_page(page)) == len(GROOVE) - 1
    page.keyboard.press("d")
    assert "1 of 1, missed: crash 1 at 3.12" in page.locator("#live").text_content()
    page.keyboard.press("a")
    assert page.locator("#comparison-text").text_content().startswith("F 1.000: ")
    page.keyboard.press("Control+z")
    page.keyboard.press("Shift+D")
    assert "1 of 1, missed" in page.locator("#live").text_content()
    page.click("#compare summary")
    page.click("#end-comparison")
    assert not page.locator("#differences").is_visible()
    assert page.evaluate("app.compare.statuses.size") == 0
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    page.set_input_files("#reference", tmp_path / "bad.json")
    until(page, "document.querySelector('#problem').textContent !== ''")
    assert page.locator("#problem").text_content() == "bad.json: neither a MIDI file nor JSON"
    assert errors == []
