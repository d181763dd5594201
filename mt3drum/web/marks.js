// Hits as marks in their lanes; as bars where there are too many on the screen to tell apart.

const ROUND = new Set(["kick", "snare", "rim", "tom"]); // drums are drawn round, metal as diamonds
const CROWD = 900; // hits on the screen from which on they are bars
const FAN_SECONDS = 0.03; // hits of one lane closer than this are drawn above one another
const FAN_PIXELS = 9;
const SHADES = 4; // of the bars

class Marks {
  constructor(view) {
    this.view = view;
    this.placed = []; // {hit, x, y} of what is on the screen
  }

  /** Where the hits on the screen are. */
  place() {
    const { view } = this;
    const hits = view.score.drawn();
    const first = firstFrom(hits, view.timeAt(view.gutter - 14));
    const last = firstFrom(hits, view.timeAt(view.width + 14));
    this.crowded = last - first > CROWD;
    this.hits = hits.slice(first, last).filter((hit) => view.row.has(hit.drum));
    this.placed = this.crowded ? [] : this.fan(this.hits.map((hit) => ({ hit, x: view.x(hit.time), y: view.y(hit.drum) })));
  }

  /** Hits that would lie on one another are parted upwards and downwards, so that each can be seen and chosen. */
  fan(marks) {
    const groups = new Map(); // drum -> marks that are close to each other
    const part = (group) => {
      const step = Math.min(9, (this.view.lane - 8) / Math.max(1, group.length - 1));
      group.forEach((mark, i) => {
        mark.y += (i - (group.length - 1) / 2) * (group.length > 1 ? step : 0);
        mark.close = group.length > 1;
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
    this.place();
    if (this.crowded) return this.drawBars(ink);
    for (const mark of this.placed) if (mark.hit.id !== without) this.drawMark(ink, mark);
  }

  drawMark(ink, { hit, x, y, close }) {
    const { family } = this.view.data.drums[hit.drum];
    const colour = this.view.colour[family];
    const size = (close ? 0.75 : 1) * (3.5 + 5.5 * (hit.velocity / 127));
    ink.beginPath();
    if (ROUND.has(family)) {
      ink.arc(x, y, size, 0, 2 * Math.PI);
    } else {
      ink.moveTo(x, y - size * 1.15);
      for (const [dx, dy] of [[1, 0], [0, 1], [-1, 0]]) ink.lineTo(x + dx * size * 1.15, y + dy * size * 1.15);
      ink.closePath();
    }
    ink.fillStyle = this.view.colour.surface; // so that of two the upper one has an edge
    ink.fill();
    ink.globalAlpha = hit.candidate ? 0 : 0.05 + 0.9 * hit.confidence ** 2;
    ink.fillStyle = colour;
    ink.fill();
    ink.globalAlpha = 1; // the outline shows where the faintest are, in dark and light
    ink.strokeStyle = colour;
    ink.lineWidth = 1.4;
    if (hit.candidate) ink.setLineDash([2, 2]);
    ink.stroke();
    ink.setLineDash([]);
  }

  /** A bar for each run of columns with hits in a lane, stronger where a hit is certain. */
  drawBars(ink) {
    const { view } = this;
    const width = Math.ceil(view.width);
    const rows = view.lanes.map(() => new Uint8Array(width + 2));
    for (const hit of this.hits) {
      const columns = rows[view.row.get(hit.drum)];
      const x = Math.min(Math.max(Math.round(view.x(hit.time)), 0), width);
      columns[x] = Math.max(columns[x], 1 + Math.round((SHADES - 1) * hit.confidence ** 2));
    }
    rows.forEach((columns, row) => {
      const drum = view.lanes[row];
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
    });
    ink.globalAlpha = 1;
  }

  /** The hit under the pointer, or null; of several the nearest. */
  at(x, y, reach) {
    const { view } = this;
    const marks = this.crowded
      ? this.hits.slice(firstFrom(this.hits, view.timeAt(x - reach)), firstFrom(this.hits, view.timeAt(x + reach)))
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
