"""Grooves written down: what plays where in a bar, style by style.

One character is one step: ``X`` accent, ``x`` stroke, ``o`` soft, ``g`` ghost note, ``?`` a soft stroke half
the time, ``f`` flam, ``d`` drag, ``z`` two strokes of half a step, ``.`` nothing. A part is (role,
alternatives); one alternative is drawn per section. Roles become drum classes in `data.grooves.patterns`.
"""

from __future__ import annotations

from dataclasses import dataclass

from data.grooves.table import read_table


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


TABLE = """
rock: 4 beats, 90-165 bpm, swing 0.5-0.5, weight 1
  K     X.......X....... X.....x.X....... X.......X.x..... X..x..x.X..x.... X.x.....x.x.....
  S     ....X.......X... ....X.......X... ....X.......X..g ....f.......X...
  T     X.x.X.x.X.x.X.x. X.o.X.o.X.o.X.o. x.x.x.x.x.x.x.x. X...X...X...X... xoxoxoxoxoxoxoxo
  O     ................ ..............X. ......x.......x.
punk: 4 beats, 150-220 bpm, swing 0.5-0.5, weight 1
  K     X...X...X...X... X.....x.X.x...x. X...x.x.X...x.x.
  S     ..X...X...X...X. ....X.......X... ..X...X...X...XX
  T     X.X.X.X.X.X.X.X. X...X...X...X... x.x.x.x.x.x.x.x.
half-time: 4 beats, 60-150 bpm, swing 0.5-0.58, weight 1
  K     X.........x..... X..x......x..x.. X.x........x....
  S     ........X....... ........X....... ........f......g
  T     X.x.x.x.X.x.x.x. X...x...X...x... xoxoxoxoxoxoxoxo x.xzx.x.x.xzxzx.
funk: 4 beats, 84-122 bpm, swing 0.5-0.58, weight 1
  K     X..x......x..x.. X.x....x..x..... X..X..x...xX.... X.....x..xx.....
  S     ....X.......X... ....X..g.g..X..g ....X.......X.X. ....X....X..X...
  G     ................ g..g...g.g.g...g .g.....g.g.?.gg. ..?g.g.g.g...g.g
  T     XoxoXoxoXoxoXoxo X.x.X.x.X.x.X.x. x.xxx.xxx.xxx.xx o.X.o.X.o.X.o.X.
  O     ................ ..............X. .......X........ ......X.......X.
hip hop: 4 beats, 70-105 bpm, swing 0.5-0.66, weight 1
  K     X.....x...x..... X.x.......x..x.. X..x..x...xx....
  S     ....X.......X... ....X.......X..? ....X..g.g..X...
  T     x.x.x.x.x.x.x.x. xxxxxxxxxxxxxxxx x.xxx.x.x.xzx.xx x.zzx.x.x.x.xzzx
  A     ................ ....x.......x... ..x...x...x...x.
disco: 4 beats, 105-132 bpm, swing 0.5-0.5, weight 1
  K     X...X...X...X...
  S     ....X.......X... ....X.......X..x
  H     x...x...x...x... x.o.x.o.x.o.x.o. xx.xxx.xxx.xxx.x xx..xx..xx..xx..
  O     ..X...X...X...X.
  A     ................ xoxoxoxoxoxoxoxo ..x...x...x...x. ....X.......X...
  C     ................ x...x...x...x... x.x.x.x.x.x.x.x.
jazz swing: 4 beats, 90-240 bpm, swing 0.5-0.5, weight 1
  T     x..X.xx..X.x x..X.xx..X.. x..x..x..X.x X..x.ox..x.o
  P     ...x.....x.. ...X.....X..
  G     ............ .....g...... ..o.....o..? ?..g.?..o.g? .....x.....o
  K     ............ o..o..o..o.. ........x... ?.....?....x
  X     ............ ............ .........x..
shuffle: 4 beats, 80-150 bpm, swing 0.5-0.5, weight 1
  K     X.....X..... X....xX..... X..X..X..X..
  S     ...X.....X.. ..gX.g..gX.g g.gX.gg.gX.g
  T     X.xX.xX.xX.x x..x..x..x.. X.oX.oX.oX.o
slow blues: 4 beats, 45-75 bpm, swing 0.5-0.5, weight 1
  K     X.....X..... X....xX....x
  S     ...X.....X.. ...X.....X.g
  T     XooXooXooXoo xxxxxxxxxxxx
  P     ............ ...x.....x..
reggae: 4 beats, 65-95 bpm, swing 0.5-0.62, weight 1
  K     ........X....... X.......X....... X...X...X...X...
  X     ........X....... ........X....... ....x...X..x.... ........X..x.x..
  H     x.x.x.x.x.x.x.x. o.X.o.X.o.X.o.X. x.zxx.x.x.zxx.x.
  O     ................ ..x...........x. ......x.........
  M     ................ ................ .............xxx
ska: 4 beats, 130-180 bpm, swing 0.5-0.5, weight 1
  K     ........X....... X.......X.......
  S     ........X....... ....X.......X...
  H     ..X...X...X...X. x.X.x.X.x.X.x.X.
  X     ................ ....X.......X...
bossa nova: 4 beats, 100-165 bpm, swing 0.5-0.5, weight 1
  K     X..xX..xX..xX..x X..x....X..x....
  X     X..X..X...X..X.. X..X..X..X..X... ..X...X..X..X...
  T     x.x.x.x.x.x.x.x. xoxoxoxoxoxoxoxo
  P     ....x.......x... ..x...x...x...x.
samba: 4 beats, 90-130 bpm, swing 0.5-0.58, weight 1
  K     X..xX..xX..xX..x
  G     XooXooXoXooXooXo xgXgxgxXgxgXgxgx X.oX..xoX.oX..xo
  A     XooxXooxXooxXoox xoXoxoXoxoXoxoXo ................
  M     ................ ....x.......X... ..x...X...x...X.
  P     ....x.......x... ................
latin: 4 beats, 85-125 bpm, swing 0.5-0.58, weight 1
  C     X.x.X.x.X.x.X.x. X.xxX.xxX.x.X.xx X...X...X...X...
  K     ...x..x....x..x. X.....x.X.....x.
  X     ....x.......x... X..X...X..X.X... ................
  M     ......xx......xx ..x...xx..x...xx ............x.x.
  B     X.x.xx.xx.xx.x.x ................ X.xxX.x.xX.xX.x.
  A     xoxoxoxoxoxoxoxo ................
afro 6/8: 3 beats, 90-140 bpm, swing 0.5-0.5, weight 1
  C     X.x.xx.x.x.x x.xx.x.xx.x.
  K     X.....X..... X..x..X..x..
  X     ......X..... ...x.....x..
  M     ....xx....xx .x.x..x.x...
  T     x.xx.xx.xx.x X..X..X..X..
ballad 6/8: 3 beats, 50-80 bpm, swing 0.5-0.5, weight 1
  K     X.........x. X..........x X.x.......x.
  S     ......X..... ......f.....
  T     X.x.x.X.x.x. xoxoxoxoxoxo
metal blast: 4 beats, 160-250 bpm, swing 0.5-0.5, weight 1
  K     X.X.X.X.X.X.X.X. XXXXXXXXXXXXXXXX X.X.X.X.X.X.X.X.
  S     .X.X.X.X.X.X.X.X X.X.X.X.X.X.X.X.
  T     X.X.X.X.X.X.X.X. X...X...X...X...
metal double kick: 4 beats, 100-200 bpm, swing 0.5-0.5, weight 1
  K     XxXxXxXxXxXxXxXx XxX.XxX.XxX.XxX. X.xxX.xxX.xxX.xx XXX.XX.XXX.XX.X.
  S     ....X.......X... ........X....... ....X.......X.X.
  T     X...X...X...X... X.x.X.x.X.x.X.x.
  Y     X............... ................ X.......X.......
train beat: 4 beats, 100-140 bpm, swing 0.5-0.58, weight 1
  K     X...X...X...X... X.......X.......
  G     ooXoooXoooXoooXo ggXgggXgggXgggXg oogXoogXoogXoogX
  P     ..x...x...x...x. ................
  T     ................ ................ x...x...x...x...
two-step country: 4 beats, 90-130 bpm, swing 0.5-0.5, weight 1
  K     X.......X.......
  X     ....X.......X... ..X...X...X...X.
  T     x.x.x.x.x.x.x.x. x...x...x...x...
march: 4 beats, 90-125 bpm, swing 0.5-0.5, weight 1
  K     X...X...X...X... X.......X.......
  G     X.xxX.xxX.xxX.xx x.zzx.zzx.x.f.x. f.xxf.xxfxxxf.d. XxxXxxXxXxxXxxXx
  Y     ................ ....x.......x... ............X...
  P     ....x.......x... ................
second line: 4 beats, 85-115 bpm, swing 0.52-0.62, weight 1
  K     X..x....x..x.... X..X..X...x.....
  G     x.gXg.xgg.Xgx.Xd xg.xgx.gxg.Xgxgg X.xXgxXgxXgXgxXz
  T     ................ x...x...x...x...
  C     ................ X..x..x...x.x...
tom groove: 4 beats, 75-170 bpm, swing 0.5-0.58, weight 1
  M     X.xxX.xxX.xxX.xx XxxXxxXxXxxXxxXx x.x.x.x.x.x.x.xx X..x..X...x.x.xx
  K     X...X...X...X... X.....x.X.......
  S     ....X.......X... ................ ........X.......
  P     ....x.......x... ................
drum and bass: 4 beats, 160-178 bpm, swing 0.5-0.56, weight 1
  K     X.........X..... X.x.......X..x.. X.....x...X.....
  S     ....X.......X... ....X..g.g..X..g ....X..X.g..X.g.
  T     x.x.x.x.x.x.x.x. X.xoX.xoX.xoX.xo xoxoxoxoxoxoxoxo
house: 4 beats, 118-130 bpm, swing 0.5-0.57, weight 1
  K     X...X...X...X...
  O     ..X...X...X...X. ..x...x...x...x.
  S     ....X.......X... ................
  A     ....X.......X... xoxoxoxoxoxoxoxo xoXoxoXoxoXoxoXo
  H     ................ xxxxxxxxxxxxxxxx x..xx..xx..xx..x
  C     ................ ...x..x....x..x.
waltz: 3 beats, 80-190 bpm, swing 0.5-0.58, weight 1
  K     X........... X.........x.
  S     ....x...x... ....X...X... ........X...
  T     x...x.x.x... x.x.x.x.x.x. x...x...x.x.
  P     ....x...x... ............
five: 5 beats, 90-180 bpm, swing 0.5-0.5, weight 1
  K     X.....x.....X....... X..x........X...x...
  S     ....X.......f...X... ........X.......X...
  T     X.x.X.x.X.x.X.x.X.x. x...x.x.x...x.x.x...
seven: 3.5 beats, 90-160 bpm, swing 0.5-0.5, weight 1
  K     X.....X...x... X...X.....X...
  S     ....X.......X. ..X.....X...X.
  T     X.x.X.x.X.x.x. xoxoxoxoxoxoxo
crash ride: 4 beats, 80-190 bpm, swing 0.5-0.5, weight 3
  Y     X...X...X...X... X.X.X.X.X.X.X.X. X.x.X.x.X.x.X.x. X..X..X...X.X...
  K     X.......X....... X.....x.X....... X.x...x.X.x..... X...X...X...X...
  S     ....X.......X... ....X.......X... ..X...X...X...X. ........X.......
punk crash: 4 beats, 140-220 bpm, swing 0.5-0.5, weight 3
  Y     X.X.X.X.X.X.X.X. X...X...X...X... X.X.X.X.X.X.X.X.
  K     X...X...X...X... X.X...X.X.X...X. ..X.X...X.X.X... ..X.X.X.X...X.X.
  S     ..X...X...X...X. ....X.......X... X.....X.....X... X.X.X.X.X.X.X.X.
open hats: 4 beats, 85-210 bpm, swing 0.5-0.5, weight 3
  O     X.X.X.X.X.X.X.X. X...X...X...X... X.x.X.x.X.x.X.x. x.x.x.x.x.x.x.x.
  K     X.......X....... X.....x.X...x... X...X...X...X... X.x.....X.x.....
  S     ....X.......X... ....X.......X... ..X...X...X...X.
unison eighths: 4 beats, 75-190 bpm, swing 0.5-0.5, weight 2.5
  S     X.X.X.X.X.X.X.X. X.X.X.X.X.X.XXXX
  F     X.X.X.X.X.X.X.X.
  K     X.X.X.X.X.X.X.X. X...X...X...X... ................
unison quarters: 4 beats, 75-210 bpm, swing 0.5-0.5, weight 2.5
  S     X...X...X...X... X...X...X...X.X.
  F     X...X...X...X...
  K     X...X...X...X... ................
  Y     ................ X...X...X...X...
floor tom ride: 4 beats, 80-190 bpm, swing 0.5-0.58, weight 2
  F     X.X.X.X.X.X.X.X. X.xxX.xxX.xxX.xx x.x.X.x.x.x.X.x.
  K     X.......X....... X.....x.X....... X...X...X...X...
  S     ....X.......X... ....X.......X... ................
  M     ................ ............xxxx
"""
"""Roles: K kick, S backbeat, X cross-stick, G ghost notes, T timekeeper, P pedal, O open hats, B bell,
M toms, Y crash, A tambourine or shaker, C cowbell, H hats (closed, always), F one tom."""

GROOVES: tuple[Groove, ...] = tuple(
    Groove(one.name, one.beats, one.bpm, one.swing, one.parts, one.weight) for one in read_table(TABLE)
)
