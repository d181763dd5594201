// Hits as marks in their lanes; as bars where there are too many on the screen to tell apart.

const ROUND = new Set(["kick", "snare", "rim", "tom"]); // drums are drawn round, metal as diamonds
const CROWD = 800; // hits on the screen from which on they are bars
const FAN_SECONDS = 0.03; // hits of one lane closer than this are drawn above one another
const FAN_PIXELS = 9;
const MARK = 26; // side of the picture of a mark
const SHADES = 4; // of the bars
const STATUSES = ["match", "extra", "missed"]; // beside another score

class Marks {
  constructor(view) {
    this.view = view;
    this.placed = []; // {hit, x, y} of what is on the screen
    this.pictures = new Map();
  }

  /** Where the hits on the screen are. */
  place() {
    const { view } = this;
    const hits = view.score.drawn();
    const first = firstFrom(hits, view.timeAt(view.gutter - 14));
    const last = firstFrom(hits, view.timeAt(view.width + 14));
    this.crowded = last - first > CROWD;
    this.span = [first, last]; // of the crowd: it is not copied
    if (this.crowded) this.placed = [];
    else {
      const rows = new Map(view.lanes.map((drum) => [drum, view.y(drum)]));
      this.placed = this.fan(hits.slice(first, last).map((hit) =>
        ({ hit, x: view.x(hit.time), y: rows.get(hit.drum), close: false })));
    }
  }

  /** Hits that would lie on one another are parted upwards and downwards, so that each can be seen and chosen. */
  fan(marks) {
    const groups = new Map(); // drum -> marks that are close to each other
    const part = (group) => {
      if (group.length < 2) return;
      const step = Math.min(9, (this.view.lane - 8) / (group.length - 1));
      group.forEach((mark, i) => {
        mark.y += (i - (group.length - 1) / 2) * step;
        mark.close = true;
      });
    };
    for (const mark of marks) {
      const group = groups.get(mark.hit.drum) || [];
      const before = group[group.length - 1];
      if (before && mark.hit.time - before.hit.time <= FAN_SECONDS && mark.x - before.x < FAN_PIXELS) {
        group.push(mark);
        continue;
      }
      part(group);
      groups.set(mark.hit.drum, [mark]);
    }
    for (const group of groups.values()) part(group);
    return marks;
  }

  draw(ink, without) {
    const as = `${this.view.theme} ${window.devicePixelRatio}`;
    if (this.drawnAs !== as) this.pictures.clear();
    this.drawnAs = as;
    this.place();
    if (this.crowded) this.drawBars(ink);
    for (const mark of this.placed) if (mark.hit.id !== without) this.drawMark(ink, mark);
    if (this.view.compare?.found) this.drawDifferences(ink);
  }

  /** What the other score has and this one has not; in a crowd a line for every difference. */
  drawDifferences(ink) {
    const { view } = this;
    const onScreen = (hits) => hits.slice(firstFrom(hits, view.timeAt(view.gutter - 14)), firstFrom(hits, view.timeAt(view.width + 14)));
    const missed = onScreen(view.compare.missed);
    if (!this.crowded) {
      for (const hit of missed) this.drawMark(ink, { hit, x: view.x(hit.time), y: view.y(hit.drum) }, "missed");
      return;
    }
    const extra = onScreen(view.score.visible()).filter((hit) => view.compare.statuses.get(hit) === "extra");
    for (const [status, hits] of Object.entries({ extra, missed })) {
      ink.fillStyle = view.colour[status];
      for (const hit of hits) ink.fillRect(view.x(hit.time) - 1, view.y(hit.drum) - view.lane / 2, 2, view.lane);
    }
  }

  /** @param status beside another score: match, extra or missed; it gives the colour */
  drawMark(ink, { hit, x, y, close }, status = this.view.compare?.statuses.get(hit)) {
    const picture = this.picture(hit, close, status);
    ink.drawImage(picture, x - MARK / 2, y - MARK / 2, MARK, MARK);
  }

  /** A mark as a small picture, drawn once for all hits that look the same: hundreds a frame are quick then. */
  picture(hit, close, status) {
    const { view } = this;
    const velocity = hit.velocity >> 3;
    const sure = hit.candidate ? 16 : Math.round(15 * hit.confidence);
    const which = status ? 1 + STATUSES.indexOf(status) : 0;
    const key = (((hit.drum * 16 + velocity) * 17 + sure) * 2 + (close ? 1 : 0)) * 4 + which;
    let picture = this.pictures.get(key);
    if (!picture) {
      const ratio = window.devicePixelRatio || 1;
      const { family } = view.data.drums[hit.drum];
      picture = document.createElement("canvas");
      picture.width = picture.height = Math.ceil(MARK * ratio);
      const ink = picture.getContext("2d");
      ink.scale(picture.width / MARK, picture.height / MARK);
      ink.translate(MARK / 2, MARK / 2);
      this.drawShape(ink, family, (close ? 0.75 : 1) * (3.5 + 5.5 * (velocity / 15)), sure / 15,
        hit.candidate || status === "missed", view.colour[status || family]);
      this.pictures.set(key, picture);
    }
    return picture;
  }

  /** @param dashed an empty mark: a hit that is not in the score */
  drawShape(ink, family, size, sure, dashed, colour) {
    ink.beginPath();
    if (ROUND.has(family)) {
      ink.arc(0, 0, size, 0, 2 * Math.PI);
    } else {
      ink.moveTo(0, -size * 1.15);
      for (const [dx, dy] of [[1, 0], [0, 1], [-1, 0]]) ink.lineTo(dx * size * 1.15, dy * size * 1.15);
      ink.closePath();
    }
    ink.fillStyle = this.view.colour.surface; // so that of two the upper one has an edge
    ink.fill();
    ink.globalAlpha = dashed ? 0 : 0.05 + 0.9 * sure ** 2;
    ink.fillStyle = colour;
    ink.fill();
    ink.globalAlpha = 1; // the outline shows where the faintest are, in dark and light
    ink.strokeStyle = colour;
    ink.lineWidth = 1.4;
    if (dashed) ink.setLineDash([2, 2]);
    ink.stroke();
  }

  /** A bar for each run of columns with hits in a lane, stronger where a hit is certain. */
  drawBars(ink) {
    const { view } = this;
    const width = Math.ceil(view.width);
    const rows = new Map(view.lanes.map((drum) => [drum, new Uint8Array(width + 2)]));
    const byDrum = view.data.drums.map((_, drum) => rows.get(drum));
    const hits = view.score.drawn();
    const { pixelsPerSecond: scale } = view;
    const left = view.x(0);
    const [first, last] = this.span;
    for (let i = first; i < last; i++) { // tens of thousands: no call and no object each
      const { time, drum, confidence } = hits[i];
      const x = (left + time * scale + 0.5) | 0;
      const shade = (1.5 + (SHADES - 1) * confidence * confidence) | 0;
      if (x >= 0 && x <= width && byDrum[drum][x] < shade) byDrum[drum][x] = shade;
    }
    for (const [drum, columns] of rows) {
      ink.fillStyle = view.colour[view.data.drums[drum].family];
      const y = view.y(drum) - view.lane / 2 + 4;
      for (let x = 0, from = 0; x < columns.length; x++) {
        if (columns[x + 1] === columns[x]) continue;
        if (columns[x]) {
          ink.globalAlpha = 0.25 + (0.7 * columns[x]) / SHADES;
          ink.fillRect(from, y, x + 1 - from, view.lane - 8);
        }
        from = x + 1;
      }
    }
    ink.globalAlpha = 1;
  }

  /** The hit under the pointer, or null; of several the nearest. */
  at(x, y, reach) {
    const { view } = this;
    const hits = view.score.drawn();
    const marks = this.crowded
      ? hits.slice(firstFrom(hits, view.timeAt(x - reach)), firstFrom(hits, view.timeAt(x + reach)))
        .map((hit) => ({ hit, x: view.x(hit.time), y: view.y(hit.drum) }))
      : this.placed;
    let best = null;
    let nearest = reach;
    for (const mark of marks) {
      const distance = Math.hypot(mark.x - x, mark.y - y);
      if (distance < nearest) [best, nearest] = [mark.hit, distance];
    }
    return best;
  }

  /** Where a hit is drawn. */
  of(hit) {
    const mark = this.placed.find((placed) => placed.hit === hit);
    return mark || { hit, x: this.view.x(hit.time), y: this.view.y(hit.drum) };
  }
}
