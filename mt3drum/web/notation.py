"""Written notation on the review page: a few bars of the score as SVG, by verovio where it is installed."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

MAX_BARS = 16
"""In one picture."""
OPTIONS = {
    "breaks": "none",  # one line: the page asks for as many bars as fit
    "adjustPageWidth": True,
    "adjustPageHeight": True,
    "pageMarginTop": 20,
    "pageMarginBottom": 20,
    "pageMarginLeft": 20,
    "pageMarginRight": 20,
    "scale": 40,
    "header": "none",
    "footer": "none",
    "smuflTextFont": "embedded",
}
_NUMBER = re.compile(r'<measure number="(\d+)"')


def available() -> bool:
    """Whether verovio is installed (`pip install verovio`)."""
    return find_spec("verovio") is not None


def bars_svg(musicxml: str, bar: int, bars: int) -> tuple[str, int]:
    """One line of notation, and the number of its first bar.

    Args:
        musicxml: a score as `mt3drum.formats` writes it.
        bar: number of the first bar wanted; the nearest that there is.
        bars: how many, at most `MAX_BARS`.

    Raises:
        ValueError: verovio does not read the score, or it has no bars.
    """
    import verovio

    numbers = [int(number) for number in _NUMBER.findall(musicxml)]
    if not numbers:
        raise ValueError("the score has no bars")
    start = sum(number < bar for number in numbers)
    start = max(0, min(start, len(numbers) - bars))
    last = min(start + min(bars, MAX_BARS), len(numbers))
    verovio.enableLog(verovio.LOG_ERROR)
    toolkit = verovio.toolkit(False)
    # The default is known to the thread alone that imported verovio, and the server has many.
    toolkit.setResourcePath(str(Path(verovio.__file__).parent / "data"))
    toolkit.setOptions(OPTIONS)
    if not toolkit.loadData(musicxml):
        raise ValueError("verovio does not read the score")
    toolkit.select({"measureRange": f"{start + 1}-{last}"})
    toolkit.redoLayout()
    return toolkit.renderToSVG(1), numbers[start]
