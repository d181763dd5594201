"""The tables of note presets in docs/producing.md, from the files in mt3drum/assets/note_maps.

python scripts/make_note_table.py
"""

from __future__ import annotations

from pathlib import Path

from mt3drum.formats.note_map import PRESETS, find_preset
from scripts.pages.doc_block import replace_block
from tokenizer.drums import DRUMS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "producing.md"
BLOCK = "presets"
STAND_IN = "\\*"


def tables() -> str:
    """Numbers by class and preset; then each preset's product, sources and stand-ins."""
    presets = {name: find_preset(name) for name in PRESETS}
    lines = [
        f"| | gm | td17 | {' | '.join(presets)} |",
        f"|---|{'---:|' * (2 + len(presets))}",
    ]
    for drum in DRUMS:
        numbers = [
            f"{preset.numbers[drum.index]}" + (STAND_IN if drum.name in preset.instead else "")
            for preset in presets.values()
        ]
        lines.append(f"| {drum.name} | {drum.gm_note} | {drum.td17_note} | {' | '.join(numbers)} |")
    lines += ["", f"{STAND_IN} A stand-in: the sampler has no note of its own for it.", ""]
    lines += ["| preset | for | stand-ins | sources |", "|---|---|---|---|"]
    for name, preset in presets.items():
        drums_by_text: dict[str, list[str]] = {}
        for drum_name, text in preset.instead.items():
            drums_by_text.setdefault(text, []).append(drum_name)
        instead = "; ".join(f"{', '.join(drums)}: {text}" for text, drums in drums_by_text.items())
        lines.append(
            f"| `{name}` | {preset.product}. {preset.about} | {instead} | {'; '.join(preset.sources)} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Write them into the page."""
    replace_block(PAGE, BLOCK, tables())


if __name__ == "__main__":
    main()
