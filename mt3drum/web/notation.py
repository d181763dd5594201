"""Notation on the review page: a few bars of the score as SVG, if verovio is installed."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

MAX_BARS = 16
"""Maximum number of bars per picture."""
OPTIONS = {
    "breaks": "none",  # one system: the page requests as many bars as fit
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
    """Engrave one line of notation; also returns the number of its first bar.

    Args:
        musicxml: a score as written by `mt3drum.formats`.
        bar: number of the first bar; the nearest existing bar is used.
        bars: number of bars, at most `MAX_BARS`.

    Raises:
        ValueError: verovio cannot read the score, or it has no bars.
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
    # The default is set only in the thread that imported verovio, and the server has many threads.
    toolkit.setResourcePath(str(Path(verovio.__file__).parent / "data"))
    toolkit.setOptions(OPTIONS)
    if not toolkit.loadData(musicxml):
        raise ValueError("verovio does not read the score")
    toolkit.select({"measureRange": f"{start + 1}-{last}"})
    toolkit.redoLayout()
    return toolkit.renderToSVG(1), numbers[start]
