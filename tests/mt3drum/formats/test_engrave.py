"""Written music: marks, similes and hands in MusicXML (read by music21); pages and pictures of it."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from importlib import util
from pathlib import Path

import music21
import pytest

from mt3drum.cli import main
from mt3drum.formats import legend, markings
from mt3drum.formats.markings import find_markings
from mt3drum.formats.musicxml import to_musicxml
from mt3drum.formats.notation import bars
from mt3drum.formats.options import ScoreOptions
from mt3drum.formats.write import Rendering, write
from mt3drum.result import Transcription
from mt3drum.rhythm.quantise import Score
from mt3drum.rhythm.sections import find_form
from tests.grooves import ROCK, played, steady
from tests.readers import SVG, written_bars
from tokenizer.drums import CLASS_INDEX, DRUMS
from tokenizer.hits import Hit

RIDE = {
    "kick": "X...X...X...X...",
    "snare_head": "....X.......X...",
    "ride_bell": "..X...X...X...X.",
    "hihat_open": "..X.............",
}
FILL = {
    "snare_head": "X.X.XXXX........",
    "tom1_head": "........XXXX....",
    "floor_tom_head": "............XXXX",
}
TITLE = "Żółć & Ελλάς <1>"


def song() -> Transcription:
    """Seven bars of rock and a fill, then eight with a ride."""
    start = 0.9
    parts = []
    for number, (pattern, count) in enumerate(((ROCK, 7), (FILL, 1), (RIDE, 8))):
        first = (0, 7, 8)[number]
        own = steady(118.0, start + first * 240 / 118)
        parts += played(pattern, count, own, 4, jitter=0.002, seed=number)[0]
    return Transcription(tuple(sorted(parts)), 36.0, Path(TITLE))


@pytest.fixture(scope="module")
def score() -> Score:
    return Rendering(song(), "gm", ScoreOptions()).score


def test_sections_fills_and_similes(score: Score) -> None:
    found = find_markings(score, bars(score), "right", simile_marks=True)
    assert found.rehearsal == {0: "A", 8: "B"} and found.fills == {7}
    # A crash opens every fourth bar, so that this bar and the one after it differ from those before.
    assert found.similes == dict.fromkeys((2, 3, 6, 10, 11, 14, 15), 1) and len(found.hands) == 16
    plain = find_markings(score, bars(score))
    assert not plain.similes and not plain.hands and plain.rehearsal == found.rehearsal


def pairs(second: int | None = None) -> Score:
    """Twelve bars, every other one with a kick more; with a crash on one of them."""
    rows = [(2.0 * bar + 0.25 * i, "hihat_closed") for bar in range(12) for i in range(8)]
    rows += [(2.0 * bar + 0.5 * i, ("kick", "snare_head")[i % 2]) for bar in range(12) for i in range(4)]
    rows += [(2.0 * bar + 0.75, "kick") for bar in range(1, 12, 2)]
    rows += [] if second is None else [(2.0 * second, "crash1")]
    hits = sorted(Hit(1.0 + time, CLASS_INDEX[name], 90) for time, name in rows)
    return Rendering(Transcription(tuple(hits), 26.0), "gm", ScoreOptions(bpm=120)).score


def test_bars_that_repeat_in_pairs() -> None:
    score = pairs()
    found = find_markings(score, bars(score), simile_marks=True)
    assert found.similes == dict.fromkeys(range(2, 12), 2)
    document = to_musicxml(score, "t", simile_marks=True)
    assert document.count('<measure-repeat type="start">2</') == 1
    # A bar that differs, and the pair that holds it, are written out, and so is the one that comes after it.
    score = pairs(second=4)
    found = find_markings(score, bars(score), simile_marks=True)
    assert found.similes == dict.fromkeys((2, 3, 7, 8, 9, 10), 2)


def test_half_a_pair_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a section begins in the middle of a pair, or with one."""
    score = pairs()
    form = find_form(score)
    for first, wanted in ((5, {2, 3, 6, 7, 8, 9, 10, 11}), (8, {2, 3, 4, 5, 6, 7, 10, 11})):
        second = replace(form.sections[0], label="B", first=score.first_bar + first)
        sections = (replace(form.sections[0], label="A"), second)
        other = replace(form, sections=sections)
        monkeypatch.setattr(markings, "find_form", lambda _, other=other: other)
        assert find_markings(score, bars(score), simile_marks=True).similes == dict.fromkeys(wanted, 2)


def test_one_section_has_no_mark() -> None:
    hits, _ = played(ROCK, 8, steady(118.0), 4, jitter=0.002)
    score = Rendering(Transcription(tuple(hits), 17.0), "gm", ScoreOptions()).score
    assert find_markings(score, bars(score)).rehearsal == {}


def test_music21_reads_the_marks(score: Score) -> None:
    stream = music21.converter.parseData(to_musicxml(score, "t", "right"), format="musicxml")
    marks = {m.measureNumber: m.content for m in stream.recurse().getElementsByClass("RehearsalMark")}
    assert marks == {1: "A", 9: "B"}
    words = [w.content for w in stream.recurse().getElementsByClass("TextExpression")]
    assert words.count("Fill") == 1
    hands = [
        [lyric.text for lyric in note.lyrics]
        for note in stream.recurse().notes
        if note.lyrics and note.measureNumber == 2
    ]
    # Eighths of the hi-hat are the right hand's; the snare on two and four, and between them, the left's.
    assert hands[:4] == [["R"], ["R"], ["R", "L"], ["R"]] and ["L"] in hands


def test_every_bar_is_written_out_in_musicxml(score: Score) -> None:
    document = to_musicxml(score, "t")
    assert "measure-repeat" not in document and "<lyric" not in document
    assert to_musicxml(score, "t", simile_marks=True).count('<measure-repeat type="start">1</') == 4


def test_the_legend_has_every_look_once(score: Score) -> None:
    titles = [entry.title for entry in legend.entries(score)]
    assert sorted(titles) == sorted(
        ["Crash 1", "Hi-hat", "Open hi-hat", "Ride bell", "Tom 1", "Snare", "Floor tom", "Kick"]
    )
    assert titles[0] == "Crash 1" and titles[-1] == "Kick"  # from the top of the staff
    assert legend.signs_used(score) == "( ) ghost note"


# What needs verovio and typst

engraver = pytest.mark.skipif(
    not all(map(util.find_spec, ("verovio", "typst"))), reason="the extra 'engrave' is not installed"
)


@engraver
def test_the_picture_has_every_note(score: Score) -> None:
    from mt3drum.formats.engrave import to_svg

    svg = to_svg(score, TITLE)
    counted = written_bars(svg.encode())
    assert len(counted) == 16 and sum(counted) == len(score.notes)
    root = ET.fromstring(svg)
    texts = ["".join(text.itertext()) for text in root.findall(f"{SVG}text")]
    assert texts[0] == TITLE and {"Kick", "Snare", "Ride bell"} <= set(texts)
    groups = [group.get("class") for group in root.iter(f"{SVG}g")]
    assert groups.count("reh") == 2 and groups.count("mRpt") == 7
    numbers = [
        "".join(g.itertext()).strip() for g in root.iter(f"{SVG}g") if (g.get("class") or "")[:4] == "mNum"
    ]
    assert numbers and all(number.isdigit() for number in numbers)  # of the first bar of each system
    # No sign of a music font is left in a text: no reader has that font.
    assert not [
        c for text in root.iter(f"{SVG}text") for c in "".join(text.itertext()) if "\ue000" <= c <= "\uf8ff"
    ]
    assert svg == to_svg(score, TITLE)


@engraver
@pytest.mark.parametrize("second", [None, 4])
def test_the_picture_has_two_bar_similes(second: int | None) -> None:
    from mt3drum.formats.engrave import to_svg

    score = pairs(second)
    svg = to_svg(score, TITLE)
    counted = written_bars(svg.encode())
    notes = Counter(int(note.position // 4) for note in score.notes)
    assert counted == [notes[bar] for bar in sorted(notes)] and len(counted) == 12
    signs = [g for g in ET.fromstring(svg).iter(f"{SVG}g") if g.get("class") == "mRpt2"]
    assert len(signs) == (5 if second is None else 3)


def test_the_layout_of_the_picture(score: Score, capfd: pytest.CaptureFixture[str]) -> None:
    """In tenths of a millimetre: 1800 and margins of 60; title, rows of four legend entries with notes of 0.8
    of their size, the signs, then systems 30 apart."""
    from mt3drum.formats.engrave import to_svg

    root = ET.fromstring(to_svg(score, "a\x07b"))
    assert capfd.readouterr().err == ""  # verovio complains of options that it does not know
    paper = root.find(f"{SVG}rect")
    assert paper is not None and paper.attrib == {"width": "100%", "height": "100%", "fill": "white"}
    looks = [(root.get(name) or "") for name in ("version", "font-family", "viewBox", "width", "height")]
    assert looks[:2] == ["1.1", "Times, serif"] and looks[3] == "192mm"
    texts = [
        (*(int(text.attrib[name]) for name in ("x", "y", "font-size")), text.get("text-anchor"), text.text)
        for text in root.findall(f"{SVG}text")
    ]
    titles = [entry.title for entry in legend.entries(score)]
    assert len(titles) == 8
    assert texts == [
        (960, 90, 64, "middle", "a?b"),
        *((140 + 450 * (n % 4), 184 + 90 * (n // 4), 32, "start", title) for n, title in enumerate(titles)),
        (60, 340, 32, "start", legend.signs_used(score)),
    ]
    pictures = [
        [float(picture.attrib[name]) for name in ("x", "y", "width", "height")]
        + [float(value) for value in picture.attrib["viewBox"].split()[2:]]
        for picture in root.findall(f"{SVG}svg")
    ]
    notes, systems = pictures[:8], pictures[8:]
    for number, (x, y, width, height, own_width, own_height) in enumerate(notes):
        assert x == 60 + 450 * (number % 4)
        assert (width, height) == pytest.approx((0.8 * own_width, 0.8 * own_height), abs=0.51)
        assert y == pytest.approx(130 + 90 * (number // 4) + (90 - 0.8 * own_height) / 2, abs=0.51)
    top = 380.0
    for x, y, width, height, own_width, own_height in systems:
        assert (x, width, height) == pytest.approx((0, own_width, own_height), abs=0.51)
        assert y == pytest.approx(top, abs=0.51) and own_width == 1800
        top += own_height + 30
    assert looks[2] == f"0 0 1920 {top:.0f}" and looks[4] == f"{top / 10:.0f}mm"


@engraver
def test_drums_on_one_line_look_different() -> None:
    """Whatever verovio makes of a note head: no two looks of one place are drawn alike."""
    from mt3drum.formats.engrave import to_svg

    hits = [Hit(0.5 * drum.index, drum.index, 90) for drum in DRUMS]
    score = Rendering(Transcription(tuple(hits), 14.0), "gm", ScoreOptions(bpm=120)).score
    root = ET.fromstring(to_svg(score, "all"))
    drawn = []
    for picture in [part for part in root.findall(f"{SVG}svg") if part.get("x") != "0"]:
        (note,) = [group for group in picture.iter(f"{SVG}g") if group.get("class") == "note"]
        (use,) = note.iter(f"{SVG}use")
        staff = next(group for group in picture.iter(f"{SVG}g") if group.get("class") == "staff")
        top = float(next(staff.iter(f"{SVG}path")).attrib["d"].split("L")[0].split()[1])
        head = use.attrib["{http://www.w3.org/1999/xlink}href"].split("-")[0]
        height = float(use.attrib["transform"].split("(")[1].split(",")[1].split(")")[0])
        drawn.append((head, round((height - top) / 90)))
    assert len(drawn) == len(legend.entries(score)) == len(set(drawn)) >= 20


@engraver
def test_the_pages(score: Score) -> None:
    import pypdf

    from mt3drum.formats.engrave import to_pdf

    data = to_pdf(score, TITLE, "alternate")
    reader = pypdf.PdfReader(io.BytesIO(data))
    (page,) = reader.pages
    text = " ".join(page.extract_text().split())
    assert text.startswith(TITLE) and text.endswith(f"{TITLE}, 1 / 1") and "XX" not in text
    assert TITLE in text and "= 118" in text and "Ride bell" in text and "Fill" in text
    assert reader.metadata is not None and reader.metadata.title == TITLE
    assert str(reader.metadata["/CreationDate"]).startswith("D:19700101000000")  # the same bytes every day
    width, height = (float(value) * 25.4 / 72 for value in page.mediabox[2:])
    assert (width, height) == pytest.approx((210, 297), abs=0.5)
    fonts = [font.get_object() for font in page["/Resources"]["/Font"].values()]  # type: ignore[index]
    for font in fonts:  # all embedded
        descriptor = font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
        assert any(f"/FontFile{kind}" in descriptor for kind in ("", "2", "3"))
    assert data == to_pdf(score, TITLE, "alternate")


@engraver
def test_a_long_score_has_several_pages() -> None:
    import pypdf

    hits, _ = played(ROCK, 60, steady(118.0), 4, jitter=0.012, seed=3)
    from mt3drum.formats.engrave import to_pdf

    long = Rendering(Transcription(tuple(hits), 130.0, Path("long.wav")), "gm", ScoreOptions()).score
    pages = pypdf.PdfReader(io.BytesIO(to_pdf(long, "long"))).pages
    assert len(pages) >= 2 and f"2 / {len(pages)}" in pages[1].extract_text()


def test_without_the_extra_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(song(), tmp_path / "song", ("json",), "gm", ScoreOptions())
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    command = ["convert", str(tmp_path / "song.json"), "-o", str(tmp_path / "out"), "--format", "pdf,tab"]
    assert main.main(command) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "pip install 'mt3drum[engrave]'" in error
    assert main.main([*command[:-1], "parquet,csv"]) == 2
    assert "--format parquet,csv: pyarrow is not installed" in capsys.readouterr().err
    # In Python the other formats are written.
    written = Rendering(song(), "gm", ScoreOptions()).write(
        {"pdf": tmp_path / "a.pdf", "tab": tmp_path / "a.txt"}
    )
    assert [path.name for path in written.files] == ["a.txt"] and "mt3drum[engrave]" in written.missing["pdf"]
