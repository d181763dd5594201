"""Engrave the score as pages (PDF) or one picture (SVG), with verovio and typst (extra `engrave`).

verovio draws each system as a separate picture. For PDF, typst places them on pages below title and legend,
adds page numbers and embeds the fonts; for SVG they are stacked here.
"""

from __future__ import annotations

import re
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mt3drum.extras import need
from mt3drum.formats.legend import Entry, entries, entry_musicxml, signs_used
from mt3drum.formats.musicxml import to_musicxml
from mt3drum.formats.options import Style
from mt3drum.rhythm.quantise import Score

WIDTH = 1800
"""Width between the margins of an A4 page in tenths of a millimetre; a staff is 7.2 mm high."""
_MARGIN = 60  # around the systems of the SVG, and left of each system for its bar number
_COLUMNS = 4  # columns of the legend
_ROW, _CELL = 90, 80  # of the legend: height of a row, width of a picture
_NOTE = 0.8  # size of the legend's notes relative to the score's
_SVG = "http://www.w3.org/2000/svg"
_MEI = "http://www.music-encoding.org/ns/mei"
_XLINK = "http://www.w3.org/1999/xlink"
SYSTEMS: dict[str, Any] = {
    "pageWidth": WIDTH,
    "pageHeight": 100,  # one system per page
    "adjustPageHeight": True,
    "pageMarginTop": 0,
    "pageMarginBottom": 10,
    "pageMarginLeft": _MARGIN,
    "pageMarginRight": 0,
    "breaks": "auto",
    "justificationSystem": 0,
    "header": "none",
    "footer": "none",
    "scale": 100,
    "svgViewBox": True,
    "smuflTextFont": "none",
}
_ONE_NOTE: dict[str, Any] = SYSTEMS | {
    "pageWidth": 300,
    "adjustPageWidth": True,
    "pageMarginLeft": 0,
    "pageMarginBottom": 0,
    "breaks": "none",
}
HEADS = {"slashed": "slash", "triangle": "cross"}
"""Note heads that verovio lacks, and their replacements."""
_TYPST = """
#let title = sys.inputs.title
#set document(title: title)
#set text(font: "Libertinus Serif", size: 10pt)
#set page(
  paper: "a4",
  margin: (left: 12mm, right: 15mm, top: 15mm, bottom: 18mm),
  footer: context align(center, text(9pt)[#title, #counter(page).display() / #counter(page).final().first()]),
)
#align(center, text(18pt, title))
#v(2mm)
#grid(columns: (1fr,) * COLUMNS, row-gutter: 1.5mm, align: horizon, LEGEND)
#if sys.inputs.signs != "" { text(9pt, sys.inputs.signs) }
#v(3mm)
#set block(spacing: 3mm)
SYSTEMS
"""


@dataclass(frozen=True)
class _Picture:
    """A drawing; sizes in tenths of a millimetre."""

    svg: ET.Element
    width: float
    height: float


def to_svg(score: Score, title: str, style: Style | None = None) -> str:
    """Draw all systems below one another in one picture, with title and legend.

    Args:
        style: sticking style; None writes no stickings.

    Raises:
        MissingExtra: verovio or typst is not installed.
        ValueError: verovio cannot read the score.
    """
    systems, legend = _draw(score, style)
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    width = WIDTH + 2 * _MARGIN
    root = ET.Element(f"{{{_SVG}}}svg", {"version": "1.1", "font-family": "Times, serif"})
    root.append(ET.Element(f"{{{_SVG}}}rect", {"width": "100%", "height": "100%", "fill": "white"}))
    y = 90.0
    _text(root, title, width / 2, y, 64, anchor="middle")
    y += 40
    column = (width - 2 * _MARGIN) / _COLUMNS
    for number, (entry, picture) in enumerate(legend):
        row, place = divmod(number, _COLUMNS)
        x, top = _MARGIN + place * column, y + row * _ROW
        _place(root, picture, x, top + (_ROW - _NOTE * picture.height) / 2, _NOTE)
        _text(root, entry.title, x + _CELL, top + _ROW * 0.6, 32)
    y += -(-len(legend) // _COLUMNS) * _ROW
    if signs := signs_used(score):
        _text(root, signs, _MARGIN, y + 30, 32)
    y += 70
    for picture in systems:
        _place(root, picture, 0, y, 1.0)
        y += picture.height + 30
    root.set("viewBox", f"0 0 {width} {y:.0f}")
    root.set("width", f"{width / 10:.0f}mm")
    root.set("height", f"{y / 10:.0f}mm")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def to_pdf(score: Score, title: str, style: Style | None = None) -> bytes:
    """Set the score on A4 pages.

    Args:
        style: sticking style; None writes no stickings.

    Raises:
        MissingExtra: verovio or typst is not installed.
        ValueError: verovio cannot read the score, or typst cannot set it.
    """
    systems, legend = _draw(score, style)
    import typst

    with tempfile.TemporaryDirectory(prefix="mt3drum-") as name:
        folder = Path(name)
        cells, inputs = [], {"title": title, "signs": signs_used(score)}
        for number, (entry, picture) in enumerate(legend):
            (folder / f"note{number}.svg").write_text(_document(picture), encoding="utf-8")
            inputs[f"note{number}"] = entry.title
            cells.append(
                f'grid(columns: 2, column-gutter: 2mm, align: horizon, image("note{number}.svg", '
                f"height: {picture.height * _NOTE / 10:.2f}mm), sys.inputs.note{number})"
            )
        lines = []
        for number, picture in enumerate(systems):
            (folder / f"system{number}.svg").write_text(_document(picture), encoding="utf-8")
            lines.append(f'#image("system{number}.svg", width: {picture.width / 10}mm)')
        source = _TYPST.replace("COLUMNS", str(_COLUMNS)).replace("LEGEND", ", ".join(cells))
        (folder / "score.typ").write_text(source.replace("SYSTEMS", "\n".join(lines)), encoding="utf-8")
        try:
            made: bytes = typst.compile(folder / "score.typ", root=folder, sys_inputs=inputs, timestamp=0)
        except typst.TypstError as error:
            raise ValueError(f"typst cannot set the score: {' '.join(str(error).split())[:200]}") from None
    return made


def _draw(score: Score, style: Style | None) -> tuple[list[_Picture], list[tuple[Entry, _Picture]]]:
    need("engrave", "verovio", "typst")
    written = to_musicxml(score, "", style, simile_marks=True)
    written = written.replace("<part-name>", '<part-name print-object="no">')
    systems = _engrave(written, SYSTEMS)
    legend = [(entry, _engrave(entry_musicxml(entry), _ONE_NOTE)[0]) for entry in entries(score)]
    return systems, legend


def _engrave(musicxml: str, options: dict[str, Any]) -> list[_Picture]:
    """Engrave MusicXML; returns one picture per page.

    Raises:
        ValueError: verovio cannot read it.
    """
    import verovio

    for head, other in HEADS.items():
        musicxml = musicxml.replace(f">{head}</notehead>", f">{other}</notehead>")
    verovio.enableLog(verovio.LOG_ERROR)
    toolkit = verovio.toolkit(False)
    data = Path(verovio.__file__).parent / "data"
    toolkit.setResourcePath(str(data))
    toolkit.setOptions({**options, "xmlIdSeed": 1})  # equal notes must give equal bytes
    if not toolkit.loadData(musicxml) or not toolkit.loadData(_with_room(toolkit.getMEI(), _pairs(musicxml))):
        raise ValueError("verovio does not read the score")
    pictures = []
    for page in range(1, toolkit.getPageCount() + 1):
        svg = ET.fromstring(toolkit.renderToSVG(page))
        _outline_music(svg, data)
        width, height = (float(value) for value in svg.attrib["viewBox"].split()[2:])
        pictures.append(_Picture(svg, width, height))
    return pictures


def _with_room(mei: str, pairs: Collection[int]) -> str:
    """Add invisible beats to every simile mark; without them the bar would be as narrow as the sign. The two
    bars of a two-bar simile become one of twice the width, with the sign in the middle.

    Args:
        pairs: the index of the first bar of each two-bar simile.
    """
    ET.register_namespace("", _MEI)
    root = ET.fromstring(mei)
    meter = next(root.iter(f"{{{_MEI}}}meterSig"), None)
    parents = {child: parent for parent in root.iter() for child in parent}
    measures = list(root.iter(f"{{{_MEI}}}measure"))
    for place, measure in enumerate(measures):
        if place - 1 in pairs:
            parents[measure].remove(measure)
            continue
        for staff in measure.findall(f"{{{_MEI}}}staff"):
            layers = [layer for layer in staff if layer.find(f"{{{_MEI}}}mRpt") is not None]
            if not layers or meter is None:
                continue
            for layer in layers[1:]:
                staff.remove(layer)
            if place in pairs:
                (sign,) = layers[0]
                sign.tag = f"{{{_MEI}}}mRpt2"
            room = ET.SubElement(staff, f"{{{_MEI}}}layer", n="2")
            for _ in range(int(meter.attrib["count"]) * (2 if place in pairs else 1)):
                ET.SubElement(room, f"{{{_MEI}}}space", dur=meter.attrib["unit"])
    return ET.tostring(root, encoding="unicode")


def _pairs(musicxml: str) -> frozenset[int]:
    """The first bar of each two-bar simile."""
    found, run = [], 0
    for place, measure in enumerate(ET.fromstring(musicxml).iter("measure")):
        for sign in measure.iter("measure-repeat"):
            run = 1 if sign.get("type") == "start" and sign.text == "2" else 0
        if run:
            found += [place] if run % 2 else []
            run += 1
    return frozenset(found)


def _outline_music(svg: ET.Element, data: Path) -> None:
    """Replace music signs within texts (the note of a tempo mark) by outlines: readers lack the font."""
    for parent in list(svg.iter()):
        for text in parent.findall(f"{{{_SVG}}}text"):
            x, y = float(text.get("x", 0)), float(text.get("y", 0))
            for outer in list(text):
                signs = [
                    span for span in outer.iter(f"{{{_SVG}}}tspan") if span.get("font-family") == "Leipzig"
                ]
                for span in signs:
                    size = float(span.attrib["font-size"].removesuffix("px")) / 1000
                    for sign in span.text or "":
                        path, width = _glyph(data, ord(sign))
                        place = f"translate({x:.0f},{y:.0f}) scale({size:g},{-size:g})"
                        outline = {"d": path, "transform": place, "stroke": "none"}
                        parent.append(ET.Element(f"{{{_SVG}}}path", outline))
                        x += width * size
                if signs:
                    text.remove(outer)
                    text.set("x", f"{x:.0f}")


def _glyph(data: Path, code: int) -> tuple[str, float]:
    """Outline of a glyph of the font Leipzig, and its width; both in thousandths of the font size."""
    outline = ET.parse(data / "Leipzig" / f"{code:04X}.xml").getroot().find("path")
    found = re.search(
        rf'c="{code:04X}"[^>]*h-a-x="([\d.]+)"', (data / "Leipzig.xml").read_text(encoding="utf-8")
    )
    if outline is None or found is None:
        raise ValueError(f"verovio's font has no glyph {code:04X}")
    return outline.attrib["d"], float(found[1])


def _document(picture: _Picture) -> str:
    return ET.tostring(picture.svg, encoding="unicode")


def _place(root: ET.Element, picture: _Picture, x: float, y: float, scale: float) -> None:
    nested = picture.svg
    nested.attrib |= {
        "x": f"{x:.0f}",
        "y": f"{y:.0f}",
        "width": f"{picture.width * scale:.0f}",
        "height": f"{picture.height * scale:.0f}",
    }
    root.append(nested)


def _text(root: ET.Element, text: str, x: float, y: float, size: int, anchor: str = "start") -> None:
    element = ET.SubElement(
        root,
        f"{{{_SVG}}}text",
        {"x": f"{x:.0f}", "y": f"{y:.0f}", "font-size": str(size), "text-anchor": anchor},
    )
    element.text = "".join(c if c.isprintable() else "?" for c in text)
