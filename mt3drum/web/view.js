// Drawing: ruler, spectrogram, lanes of hits, cursor. What does not move with the cursor is drawn once into a layer.

const RULER = 18; // heights and widths in CSS pixels
const BARS = 15; // of the row of bar numbers
const LANE = [22, 34]; // least and most, as the window allows
const SPECTROGRAM = [56, 300];

class View {
  constructor(canvas, overview, score, data, bars) {
    Object.assign(this, { canvas, score, data, bars });
    this.start = 0; // seconds at the left edge of the lanes
    this.down = 0; // pixels by which the lanes are scrolled down
    this.selected = null; // id of a hit
    this.dragged = null; // the selected hit as it would be, while it is dragged
    this.cursor = 0;
    this.loop = null; // {start, end} in seconds
    this.allLanes = false;
    this.pixelsPerSecond = 110;
    this.onready = () => {};
    this.compare = null; // what colours hits, while there is another score beside this one
    this.layer = document.createElement("canvas");
    this.layerIs = "";
    this.marks = new Marks(this);
    this.overview = new Overview(overview, this);
    this.tiles = new Tiles(data.spectrogram, () => this.onready());
    this.theme = 0;
    this.readColours();
  }

  get gutter() {
    return this.width < 600 ? 76 : 104;
  }

  get spectrogramTop() {
    return RULER + (this.bars.tempo && this.bars.shown ? BARS : 0);
  }

  get lanesTop() {
    return this.spectrogramTop + this.spectrogramHeight + 4;
  }

  get span() {
    return (this.width - this.gutter) / this.pixelsPerSecond;
  }

  x(time) {
    return this.gutter + (time - this.start) * this.pixelsPerSecond;
  }

  timeAt(x) {
    return this.start + (x - this.gutter) / this.pixelsPerSecond;
  }

  /** Middle of a drum's lane. */
  y(drum) {
    return this.lanesTop + (this.row.get(drum) + 0.5) * this.lane - this.down;
  }

  drumAt(y) {
    const row = Math.floor((y - this.lanesTop + this.down) / this.lane);
    return this.lanes[Math.min(Math.max(row, 0), this.lanes.length - 1)];
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    const names = ["text", "quiet", "line", "surface", "stripe", "accent", "cursor", "bar", "match", "extra", "missed",
      ...this.data.families];
    this.colour = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    this.tiles.setColours(...["tile-low", "tile-high"].map((name) =>
      style.getPropertyValue(`--${name}`).trim().split(/\s+/).map(Number)));
    this.theme += 1;
  }

  /** Lanes in the order of a staff, cymbals on top: the drums in use and the commonest, or all 26. */
  layOut() {
    const used = new Set([...this.score.drawn(), ...(this.compare?.missed ?? [])].map((hit) => hit.drum));
    this.lanes = this.data.lanes.filter((drum) => this.allLanes || used.has(drum) || this.data.drums[drum].common);
    this.row = new Map(this.lanes.map((drum, i) => [drum, i]));
    this.width = this.canvas.clientWidth;
    const room = this.canvas.parentElement.clientHeight;
    this.spectrogramHeight = clamp(Math.round(0.27 * room), SPECTROGRAM);
    this.lane = clamp(Math.floor((room - this.lanesTop - 4) / this.lanes.length), LANE);
    this.content = this.lanes.length * this.lane + 4;
    this.height = Math.min(this.lanesTop + this.content, Math.max(room, this.lanesTop + 3 * this.lane));
    this.canvas.style.height = `${this.height}px`;
    for (const canvas of [this.canvas, this.overview.canvas]) {
      const height = canvas === this.canvas ? this.height : canvas.clientHeight;
      const ratio = window.devicePixelRatio || 1;
      canvas.width = Math.round(canvas.clientWidth * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    this.layerIs = "";
    this.scrollTo(this.start, this.down);
  }

  /** @param down of the lanes, in pixels */
  scrollTo(start, down = this.down) {
    this.start = clamp(start, [0, Math.max(0, this.score.seconds - this.span)]);
    this.down = clamp(down, [0, Math.max(0, this.lanesTop + this.content - this.height)]);
  }

  /** Bring a moment into view; a page at a time, so that nothing slides. */
  show(time, margin = 0.12) {
    const inset = margin * this.span;
    if (time < this.start + inset || time > this.start + this.span - inset) this.scrollTo(time - inset * 1.5);
  }

  showLane(drum) {
    const top = this.row.get(drum) * this.lane;
    const room = this.height - this.lanesTop;
    this.scrollTo(this.start, clamp(this.down, [top + 2 * this.lane - room, top - this.lane]));
  }

  get least() {
    return Math.min(20, (this.width - this.gutter) / this.score.seconds);
  }

  zoom(factor, x = this.gutter + (this.width - this.gutter) / 2) {
    const time = this.timeAt(x);
    this.pixelsPerSecond = clamp(this.pixelsPerSecond * factor, [this.least, 1200]);
    this.scrollTo(time - (x - this.gutter) / this.pixelsPerSecond);
  }

  /** The nearest hit under the pointer, or null. */
  hitAt(x, y, reach = 12) {
    return x > this.gutter && y > this.lanesTop ? this.marks.at(x, y, reach) : null;
  }

  draw() {
    if (!this.canvas.width || !this.canvas.height) return; // not on the screen: on paper
    const ink = this.canvas.getContext("2d");
    this.drawLayer();
    ink.drawImage(this.layer, 0, 0, this.width, this.height);
    ink.save();
    ink.beginPath();
    ink.rect(this.gutter, 0, this.width - this.gutter, this.height);
    ink.clip();
    this.drawLoop(ink);
    this.drawCursor(ink, this.x(this.cursor), this.height);
    this.drawSelected(ink);
    ink.restore();
    this.overview.draw(this.loop);
  }

  /** Everything that stays as it is while the cursor moves. */
  drawLayer() {
    const is = [this.start, this.down, this.pixelsPerSecond, this.canvas.width, this.canvas.height, this.theme,
      this.score.version, this.tiles.version, this.selected, Boolean(this.dragged), this.bars.shown,
      this.compare?.version].join();
    if (is === this.layerIs) return;
    this.layerIs = is;
    if (this.layer.width !== this.canvas.width || this.layer.height !== this.canvas.height) {
      [this.layer.width, this.layer.height] = [this.canvas.width, this.canvas.height];
    }
    const ink = this.layer.getContext("2d", { alpha: false });
    const ratio = window.devicePixelRatio || 1;
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    ink.fillStyle = this.colour.surface;
    ink.fillRect(0, 0, this.width, this.height);
    this.clipped(ink, 0, () => {
      this.tiles.draw(ink, this.start, this.start + this.span, (time) => this.x(time), this.pixelsPerSecond,
        this.spectrogramTop, this.spectrogramHeight);
      this.drawRuler(ink);
    });
    const lines = this.barLines();
    this.clipped(ink, this.lanesTop, () => {
      this.drawLanes(ink);
      this.drawBars(ink, lines);
      this.marks.draw(ink, this.dragged ? this.selected : null);
    });
    this.clipped(ink, 0, () => this.drawBarNumbers(ink, lines));
    this.drawLabels(ink);
    this.drawScrollbar(ink);
  }

  /** Draw right of the labels and below `top`. */
  clipped(ink, top, draw) {
    ink.save();
    ink.beginPath();
    ink.rect(this.gutter, top, this.width - this.gutter, this.height - top);
    ink.clip();
    draw();
    ink.restore();
  }

  drawLanes(ink) {
    ink.fillStyle = this.colour.stripe;
    this.lanes.forEach((drum, i) => {
      if (i % 2 === 0) ink.fillRect(this.gutter, this.y(drum) - this.lane / 2, this.width, this.lane);
    });
  }

  drawLabels(ink) {
    ink.textBaseline = "middle";
    ink.fillStyle = this.colour.quiet;
    ink.font = "11px system-ui, sans-serif";
    ink.textAlign = "right";
    const { low_hz: low, high_hz: high } = this.data.spectrogram;
    ink.fillText(`${high / 1000} kHz`, this.gutter - 6, this.spectrogramTop + 7);
    ink.fillText(`${low} Hz`, this.gutter - 6, this.spectrogramTop + this.spectrogramHeight - 6);
    ink.save();
    ink.beginPath();
    ink.rect(0, this.lanesTop, this.gutter, this.height);
    ink.clip();
    ink.textAlign = "left";
    const chosen = this.dragged || this.score.byId(this.selected);
    for (const drum of this.lanes) {
      const { family, label } = this.data.drums[drum];
      const y = this.y(drum);
      ink.fillStyle = this.colour[family];
      ink.fillRect(0, y - this.lane / 2 + 2, 4, this.lane - 4);
      ink.fillStyle = this.colour.text;
      ink.font = `${chosen && chosen.drum === drum ? "600 " : ""}12px system-ui, sans-serif`;
      ink.fillText(label, 9, y, this.gutter - 13);
    }
    ink.restore();
  }

  /** How far the lanes are scrolled, where they are not all on the screen. */
  drawScrollbar(ink) {
    const room = this.height - this.lanesTop;
    if (this.content <= room) return;
    ink.fillStyle = this.colour.bar;
    ink.fillRect(this.width - 5, this.lanesTop + (this.down / this.content) * room, 4, (room / this.content) * room);
  }

  drawRuler(ink) {
    const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600];
    const step = steps.find((seconds) => seconds * this.pixelsPerSecond >= 64) || 600;
    ink.font = "11px system-ui, sans-serif";
    ink.textBaseline = "middle";
    ink.textAlign = "left";
    for (let i = Math.floor(this.start / step); i * step < this.start + this.span; i++) {
      const x = Math.round(this.x(i * step)) + 0.5;
      ink.fillStyle = this.colour.line;
      ink.fillRect(x, 4, 1, RULER - 4);
      if (this.spectrogramTop === RULER) ink.fillRect(x, this.lanesTop, 1, this.height); // no bars to show
      ink.fillStyle = this.colour.quiet;
      ink.fillText(clock(i * step, step < 1 ? 1 : 0), x + 4, RULER / 2 + 1);
    }
  }

  /** Of the bars on the screen: [x, number or 0, whether the number is written]; fewer where they would touch. */
  barLines() {
    if (!this.bars.tempo || !this.bars.shown) return [];
    const { beats, tempo } = this.bars;
    const gap = ((beats[beats.length - 1] - beats[0]) / (beats.length - 1)) * this.pixelsPerSecond;
    const perBar = tempo.per_bar;
    let every = 1; // bars to a number
    while (every * perBar * gap < 34) every *= 2;
    const step = gap >= 7 ? 1 : perBar * gap >= 5 ? perBar : every * perBar;
    return this.bars.lines(this.start, this.start + this.span, step)
      .map(([time, bar]) => [Math.round(this.x(time)), bar, bar && (bar - 1) % every === 0]);
  }

  drawBars(ink, lines) {
    for (const [x, bar] of lines) {
      ink.fillStyle = bar ? this.colour.bar : this.colour.line;
      ink.fillRect(x, this.lanesTop, 1, this.height);
    }
  }

  drawBarNumbers(ink, lines) {
    ink.font = "600 11px system-ui, sans-serif";
    ink.textBaseline = "middle";
    ink.textAlign = "left";
    for (const [x, bar, written] of lines) {
      if (!bar) continue;
      ink.fillStyle = this.colour.bar;
      ink.fillRect(x, RULER + 2, 1, BARS - 2);
      ink.fillStyle = this.colour.text;
      if (written) ink.fillText(String(bar), x + 4, RULER + BARS / 2 + 1);
    }
  }

  drawLoop(ink) {
    if (!this.loop) return;
    const [from, to] = [this.x(this.loop.start), this.x(this.loop.end)];
    ink.fillStyle = this.colour.accent;
    ink.globalAlpha = 0.12;
    ink.fillRect(from, 0, to - from, this.height);
    ink.globalAlpha = 1;
    ink.fillRect(from, 0, to - from, 4);
    for (const x of [from, to]) ink.fillRect(x - 1, 0, 2, this.spectrogramTop);
  }

  drawSelected(ink) {
    const hit = this.dragged || this.score.byId(this.selected);
    if (!hit || !this.row.has(hit.drum)) return;
    const { x, y } = this.marks.of(hit);
    ink.save();
    ink.beginPath();
    ink.rect(0, this.spectrogramTop, this.width, this.height);
    ink.clip();
    ink.fillStyle = this.colour.accent;
    ink.globalAlpha = 0.6;
    ink.fillRect(x - 0.5, this.spectrogramTop, 1, Math.max(0, y - this.lane / 2 - this.spectrogramTop));
    ink.globalAlpha = 1;
    if (y > this.lanesTop) {
      if (this.dragged) this.marks.drawMark(ink, { hit, x, y });
      ink.strokeStyle = this.colour.accent;
      ink.lineWidth = 2;
      ink.strokeRect(x - 12, y - this.lane / 2, 24, this.lane);
    }
    ink.restore();
  }

  drawCursor(ink, x, height) {
    ink.fillStyle = this.colour.cursor;
    ink.fillRect(Math.round(x) - 1, 0, 2, height);
  }
}

function clamp(value, [low, high]) {
  return Math.max(low, Math.min(value, high));
}

/** 83.25 s as 1:23.3 */
function clock(seconds, digits) {
  const tenths = Math.round(seconds * 10 ** digits) / 10 ** digits;
  const minutes = Math.floor(tenths / 60);
  return `${minutes}:${(tenths - 60 * minutes).toFixed(digits).padStart(digits ? 3 + digits : 2, "0")}`;
}
