"""Grooves written down: what plays where in a bar, style by style.

One character is one step: ``X`` accent, ``x`` stroke, ``o`` soft, ``g`` ghost note, ``?`` a soft stroke half
the time, ``f`` flam, ``d`` drag, ``z`` two strokes of half a step, ``.`` nothing. A part is (role,
alternatives); one alternative is drawn per section. Roles become drum classes in `data.grooves.patterns`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Groove:
    """One bar of a style: ``beats`` quarter notes in as many steps as its strings are long."""

    style: str
    beats: float
    bpm: tuple[float, float]
    swing: tuple[float, float]
    """Range of the share of a pair of steps taken by the first one: 0.5 is straight, 0.667 a triplet."""
    parts: tuple[tuple[str, tuple[str, ...]], ...]
    weight: float = 1.0
    """How often it is drawn, relative to the others."""

    @property
    def steps(self) -> int:
        """Steps per bar."""
        return len(self.parts[0][1][0])


STRAIGHT = (0.5, 0.5)
LOOSE = (0.5, 0.58)

# Roles: K kick, S backbeat, X cross-stick, G ghost notes, T timekeeper, P pedal, O open hats, B bell, M toms,
# Y crash, A tambourine or shaker, C cowbell, H hats (closed, always), F one tom.
# fmt: off
GROOVES: tuple[Groove, ...] = (
    Groove("rock", 4, (90, 165), STRAIGHT, (
        ("K", ("X.......X.......", "X.....x.X.......", "X.......X.x.....", "X..x..x.X..x....",
               "X.x.....x.x.....")),
        ("S", ("....X.......X...", "....X.......X...", "....X.......X..g", "....f.......X...")),
        ("T", ("X.x.X.x.X.x.X.x.", "X.o.X.o.X.o.X.o.", "x.x.x.x.x.x.x.x.", "X...X...X...X...",
               "xoxoxoxoxoxoxoxo")),
        ("O", ("................", "..............X.", "......x.......x.")),
    )),
    Groove("punk", 4, (150, 220), STRAIGHT, (
        ("K", ("X...X...X...X...", "X.....x.X.x...x.", "X...x.x.X...x.x.")),
        ("S", ("..X...X...X...X.", "....X.......X...", "..X...X...X...XX")),
        ("T", ("X.X.X.X.X.X.X.X.", "X...X...X...X...", "x.x.x.x.x.x.x.x.")),
    )),
    Groove("half-time", 4, (60, 150), LOOSE, (
        ("K", ("X.........x.....", "X..x......x..x..", "X.x........x....")),
        ("S", ("........X.......", "........X.......", "........f......g")),
        ("T", ("X.x.x.x.X.x.x.x.", "X...x...X...x...", "xoxoxoxoxoxoxoxo", "x.xzx.x.x.xzxzx.")),
    )),
    Groove("funk", 4, (84, 122), LOOSE, (
        ("K", ("X..x......x..x..", "X.x....x..x.....", "X..X..x...xX....", "X.....x..xx.....")),
        ("S", ("....X.......X...", "....X..g.g..X..g", "....X.......X.X.", "....X....X..X...")),
        ("G", ("................", "g..g...g.g.g...g", ".g.....g.g.?.gg.", "..?g.g.g.g...g.g")),
        ("T", ("XoxoXoxoXoxoXoxo", "X.x.X.x.X.x.X.x.", "x.xxx.xxx.xxx.xx", "o.X.o.X.o.X.o.X.")),
        ("O", ("................", "..............X.", ".......X........", "......X.......X.")),
    )),
    Groove("hip hop", 4, (70, 105), (0.5, 0.66), (
        ("K", ("X.....x...x.....", "X.x.......x..x..", "X..x..x...xx....")),
        ("S", ("....X.......X...", "....X.......X..?", "....X..g.g..X...")),
        ("T", ("x.x.x.x.x.x.x.x.", "xxxxxxxxxxxxxxxx", "x.xxx.x.x.xzx.xx", "x.zzx.x.x.x.xzzx")),
        ("A", ("................", "....x.......x...", "..x...x...x...x.")),
    )),
    Groove("disco", 4, (105, 132), STRAIGHT, (
        ("K", ("X...X...X...X...",)),
        ("S", ("....X.......X...", "....X.......X..x")),
        ("H", ("x...x...x...x...", "x.o.x.o.x.o.x.o.", "xx.xxx.xxx.xxx.x", "xx..xx..xx..xx..")),
        ("O", ("..X...X...X...X.",)),
        ("A", ("................", "xoxoxoxoxoxoxoxo", "..x...x...x...x.", "....X.......X...")),
        ("C", ("................", "x...x...x...x...", "x.x.x.x.x.x.x.x.")),
    )),
    Groove("jazz swing", 4, (90, 240), STRAIGHT, (
        ("T", ("x..X.xx..X.x", "x..X.xx..X..", "x..x..x..X.x", "X..x.ox..x.o")),
        ("P", ("...x.....x..", "...X.....X..")),
        ("G", ("............", ".....g......", "..o.....o..?", "?..g.?..o.g?", ".....x.....o")),
        ("K", ("............", "o..o..o..o..", "........x...", "?.....?....x")),
        ("X", ("............", "............", ".........x..")),
    )),
    Groove("shuffle", 4, (80, 150), STRAIGHT, (
        ("K", ("X.....X.....", "X....xX.....", "X..X..X..X..")),
        ("S", ("...X.....X..", "..gX.g..gX.g", "g.gX.gg.gX.g")),
        ("T", ("X.xX.xX.xX.x", "x..x..x..x..", "X.oX.oX.oX.o")),
    )),
    Groove("slow blues", 4, (45, 75), STRAIGHT, (
        ("K", ("X.....X.....", "X....xX....x")),
        ("S", ("...X.....X..", "...X.....X.g")),
        ("T", ("XooXooXooXoo", "xxxxxxxxxxxx")),
        ("P", ("............", "...x.....x..")),
    )),
    Groove("reggae", 4, (65, 95), (0.5, 0.62), (
        ("K", ("........X.......", "X.......X.......", "X...X...X...X...")),
        ("X", ("........X.......", "........X.......", "....x...X..x....", "........X..x.x..")),
        ("H", ("x.x.x.x.x.x.x.x.", "o.X.o.X.o.X.o.X.", "x.zxx.x.x.zxx.x.")),
        ("O", ("................", "..x...........x.", "......x.........")),
        ("M", ("................", "................", ".............xxx")),
    )),
    Groove("ska", 4, (130, 180), STRAIGHT, (
        ("K", ("........X.......", "X.......X.......")),
        ("S", ("........X.......", "....X.......X...")),
        ("H", ("..X...X...X...X.", "x.X.x.X.x.X.x.X.")),
        ("X", ("................", "....X.......X...")),
    )),
    Groove("bossa nova", 4, (100, 165), STRAIGHT, (
        ("K", ("X..xX..xX..xX..x", "X..x....X..x....")),
        ("X", ("X..X..X...X..X..", "X..X..X..X..X...", "..X...X..X..X...")),
        ("T", ("x.x.x.x.x.x.x.x.", "xoxoxoxoxoxoxoxo")),
        ("P", ("....x.......x...", "..x...x...x...x.")),
    )),
    Groove("samba", 4, (90, 130), LOOSE, (
        ("K", ("X..xX..xX..xX..x",)),
        ("G", ("XooXooXoXooXooXo", "xgXgxgxXgxgXgxgx", "X.oX..xoX.oX..xo")),
        ("A", ("XooxXooxXooxXoox", "xoXoxoXoxoXoxoXo", "................")),
        ("M", ("................", "....x.......X...", "..x...X...x...X.")),
        ("P", ("....x.......x...", "................")),
    )),
    Groove("latin", 4, (85, 125), LOOSE, (
        ("C", ("X.x.X.x.X.x.X.x.", "X.xxX.xxX.x.X.xx", "X...X...X...X...")),
        ("K", ("...x..x....x..x.", "X.....x.X.....x.")),
        ("X", ("....x.......x...", "X..X...X..X.X...", "................")),
        ("M", ("......xx......xx", "..x...xx..x...xx", "............x.x.")),
        ("B", ("X.x.xx.xx.xx.x.x", "................", "X.xxX.x.xX.xX.x.")),
        ("A", ("xoxoxoxoxoxoxoxo", "................")),
    )),
    Groove("afro 6/8", 3, (90, 140), STRAIGHT, (
        ("C", ("X.x.xx.x.x.x", "x.xx.x.xx.x.")),
        ("K", ("X.....X.....", "X..x..X..x..")),
        ("X", ("......X.....", "...x.....x..")),
        ("M", ("....xx....xx", ".x.x..x.x...")),
        ("T", ("x.xx.xx.xx.x", "X..X..X..X..")),
    )),
    Groove("ballad 6/8", 3, (50, 80), STRAIGHT, (
        ("K", ("X.........x.", "X..........x", "X.x.......x.")),
        ("S", ("......X.....", "......f.....")),
        ("T", ("X.x.x.X.x.x.", "xoxoxoxoxoxo")),
    )),
    Groove("metal blast", 4, (160, 250), STRAIGHT, (
        ("K", ("X.X.X.X.X.X.X.X.", "XXXXXXXXXXXXXXXX", "X.X.X.X.X.X.X.X.")),
        ("S", (".X.X.X.X.X.X.X.X", "X.X.X.X.X.X.X.X.")),
        ("T", ("X.X.X.X.X.X.X.X.", "X...X...X...X...")),
    )),
    Groove("metal double kick", 4, (100, 200), STRAIGHT, (
        ("K", ("XxXxXxXxXxXxXxXx", "XxX.XxX.XxX.XxX.", "X.xxX.xxX.xxX.xx", "XXX.XX.XXX.XX.X.")),
        ("S", ("....X.......X...", "........X.......", "....X.......X.X.")),
        ("T", ("X...X...X...X...", "X.x.X.x.X.x.X.x.")),
        ("Y", ("X...............", "................", "X.......X.......")),
    )),
    Groove("train beat", 4, (100, 140), LOOSE, (
        ("K", ("X...X...X...X...", "X.......X.......")),
        ("G", ("ooXoooXoooXoooXo", "ggXgggXgggXgggXg", "oogXoogXoogXoogX")),
        ("P", ("..x...x...x...x.", "................")),
        ("T", ("................", "................", "x...x...x...x...")),
    )),
    Groove("two-step country", 4, (90, 130), STRAIGHT, (
        ("K", ("X.......X.......",)),
        ("X", ("....X.......X...", "..X...X...X...X.")),
        ("T", ("x.x.x.x.x.x.x.x.", "x...x...x...x...")),
    )),
    Groove("march", 4, (90, 125), STRAIGHT, (
        ("K", ("X...X...X...X...", "X.......X.......")),
        ("G", ("X.xxX.xxX.xxX.xx", "x.zzx.zzx.x.f.x.", "f.xxf.xxfxxxf.d.", "XxxXxxXxXxxXxxXx")),
        ("Y", ("................", "....x.......x...", "............X...")),
        ("P", ("....x.......x...", "................")),
    )),
    Groove("second line", 4, (85, 115), (0.52, 0.62), (
        ("K", ("X..x....x..x....", "X..X..X...x.....")),
        ("G", ("x.gXg.xgg.Xgx.Xd", "xg.xgx.gxg.Xgxgg", "X.xXgxXgxXgXgxXz")),
        ("T", ("................", "x...x...x...x...")),
        ("C", ("................", "X..x..x...x.x...")),
    )),
    Groove("tom groove", 4, (75, 170), LOOSE, (
        ("M", ("X.xxX.xxX.xxX.xx", "XxxXxxXxXxxXxxXx", "x.x.x.x.x.x.x.xx", "X..x..X...x.x.xx")),
        ("K", ("X...X...X...X...", "X.....x.X.......")),
        ("S", ("....X.......X...", "................", "........X.......")),
        ("P", ("....x.......x...", "................")),
    )),
    Groove("drum and bass", 4, (160, 178), (0.5, 0.56), (
        ("K", ("X.........X.....", "X.x.......X..x..", "X.....x...X.....")),
        ("S", ("....X.......X...", "....X..g.g..X..g", "....X..X.g..X.g.")),
        ("T", ("x.x.x.x.x.x.x.x.", "X.xoX.xoX.xoX.xo", "xoxoxoxoxoxoxoxo")),
    )),
    Groove("house", 4, (118, 130), (0.5, 0.57), (
        ("K", ("X...X...X...X...",)),
        ("O", ("..X...X...X...X.", "..x...x...x...x.")),
        ("S", ("....X.......X...", "................")),
        ("A", ("....X.......X...", "xoxoxoxoxoxoxoxo", "xoXoxoXoxoXoxoXo")),
        ("H", ("................", "xxxxxxxxxxxxxxxx", "x..xx..xx..xx..x")),
        ("C", ("................", "...x..x....x..x.")),
    )),
    Groove("waltz", 3, (80, 190), LOOSE, (
        ("K", ("X...........", "X.........x.")),
        ("S", ("....x...x...", "....X...X...", "........X...")),
        ("T", ("x...x.x.x...", "x.x.x.x.x.x.", "x...x...x.x.")),
        ("P", ("....x...x...", "............")),
    )),
    Groove("five", 5, (90, 180), STRAIGHT, (
        ("K", ("X.....x.....X.......", "X..x........X...x...")),
        ("S", ("....X.......f...X...", "........X.......X...")),
        ("T", ("X.x.X.x.X.x.X.x.X.x.", "x...x.x.x...x.x.x...")),
    )),
    Groove("seven", 3.5, (90, 160), STRAIGHT, (
        ("K", ("X.....X...x...", "X...X.....X...")),
        ("S", ("....X.......X.", "..X.....X...X.")),
        ("T", ("X.x.X.x.X.x.x.", "xoxoxoxoxoxoxo")),
    )),
    # What the development recordings showed to be missing: cymbals and open hats ridden over kick and snare,
    # and drums struck together through whole bars.
    Groove("crash ride", 4, (80, 190), STRAIGHT, (
        ("Y", ("X...X...X...X...", "X.X.X.X.X.X.X.X.", "X.x.X.x.X.x.X.x.", "X..X..X...X.X...")),
        ("K", ("X.......X.......", "X.....x.X.......", "X.x...x.X.x.....", "X...X...X...X...")),
        ("S", ("....X.......X...", "....X.......X...", "..X...X...X...X.", "........X.......")),
    ), 3.0),
    Groove("punk crash", 4, (140, 220), STRAIGHT, (
        ("Y", ("X.X.X.X.X.X.X.X.", "X...X...X...X...", "X.X.X.X.X.X.X.X.")),
        ("K", ("X...X...X...X...", "X.X...X.X.X...X.", "..X.X...X.X.X...", "..X.X.X.X...X.X.")),
        ("S", ("..X...X...X...X.", "....X.......X...", "X.....X.....X...", "X.X.X.X.X.X.X.X.")),
    ), 3.0),
    Groove("open hats", 4, (85, 210), STRAIGHT, (
        ("O", ("X.X.X.X.X.X.X.X.", "X...X...X...X...", "X.x.X.x.X.x.X.x.", "x.x.x.x.x.x.x.x.")),
        ("K", ("X.......X.......", "X.....x.X...x...", "X...X...X...X...", "X.x.....X.x.....")),
        ("S", ("....X.......X...", "....X.......X...", "..X...X...X...X.")),
    ), 3.0),
    Groove("unison eighths", 4, (75, 190), STRAIGHT, (
        ("S", ("X.X.X.X.X.X.X.X.", "X.X.X.X.X.X.XXXX")),
        ("F", ("X.X.X.X.X.X.X.X.",)),
        ("K", ("X.X.X.X.X.X.X.X.", "X...X...X...X...", "................")),
    ), 2.5),
    Groove("unison quarters", 4, (75, 210), STRAIGHT, (
        ("S", ("X...X...X...X...", "X...X...X...X.X.")),
        ("F", ("X...X...X...X...",)),
        ("K", ("X...X...X...X...", "................")),
        ("Y", ("................", "X...X...X...X...")),
    ), 2.5),
    Groove("floor tom ride", 4, (80, 190), LOOSE, (
        ("F", ("X.X.X.X.X.X.X.X.", "X.xxX.xxX.xxX.xx", "x.x.X.x.x.x.X.x.")),
        ("K", ("X.......X.......", "X.....x.X.......", "X...X...X...X...")),
        ("S", ("....X.......X...", "....X.......X...", "................")),
        ("M", ("................", "............xxxx")),
    ), 2.0),
)
# fmt: on
