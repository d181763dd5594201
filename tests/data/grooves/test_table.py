"""Tables of grooves: heads, roles, alternatives over several lines, errors that hold the line."""

from __future__ import annotations

import pytest

from data.grooves.table import read_table

TABLE = """
waltz: 3 beats, 80-190 bpm, swing 0.5-0.58, weight 1.5
  K     X..... X..x..
        x.....
  K     ......
half: 3.5 beats, 90-160 bpm, swing 0.5-0.5, weight 1
  S     ..X....
"""


def test_a_table_is_read() -> None:
    waltz, half = read_table(TABLE)
    assert (waltz.name, waltz.beats, waltz.bpm) == ("waltz", 3, (80, 190))
    assert (waltz.swing, waltz.weight) == ((0.5, 0.58), 1.5)
    assert waltz.parts == (("K", ("X.....", "X..x..", "x.....")), ("K", ("......",)))
    assert (half.beats, half.parts) == (3.5, (("S", ("..X....",)),))


def test_a_malformed_head_is_an_error() -> None:
    with pytest.raises(ValueError, match="not the head of a groove: 'waltz, 3 beats'"):
        read_table("waltz, 3 beats")
