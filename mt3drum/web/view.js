// Drawing: overview, spectrogram in tiles, lanes of hits, cursor. Only what is on the screen is drawn.

const RULER = 18; // heights and widths in CSS pixels
const BARS = 15; // of the row of bar numbers
const LANE = 22;
const SPECTROGRAM = 110;
const TILES_KEPT = 24; // decoded tiles in memory: 2,000 x 80 pixels of 4 bytes each
const ROUND = new Set(["kick", "snare", "rim", "tom"]); // drums are drawn round, metal as diamonds

class View {
  constructor(canvas, overview, score, data, bars) {
    Object.assign(this, { canvas, overview, score, data, bars });
    this.start = 0; // seconds at the left edge of the lanes
    this.selected = null; // id of a hit
    this.dragged = null; // the selected hit as it would be, while it is dragged
    this.cursor = 0;
    this.tiles = new Map(); // index -> canvas, or null while it is being decoded
    this.allLanes = false;
    this.pixelsPerSecond = 110;
    this.readColours();
  }

  get gutter() {
    return this.width < 600 ? 76 : 104;
  }

  get spectrogramTop() {
    return RULER + (this.bars.tempo && this.bars.shown ? BARS : 0);
  }

  get lanesTop() {
    return this.spectrogramTop + (this.data.spectrogram ? SPECTROGRAM : 0) + 4;
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

  drumAt(y) {
    const lane = Math.floor((y - this.lanesTop) / LANE);
    return this.lanes[Math.min(Math.max(lane, 0), this.lanes.length - 1)];
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    const names = ["text", "quiet", "line", "surface", "stripe", "accent", "cursor", "bar", ...this.data.families];
    this.colour = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    const ends = ["tile-low", "tile-high"].map((name) =>
      style.getPropertyValue(`--${name}`).trim().split(/\s+/).map(Number));
    this.ramp = Array.from({ length: 16 }, (_, level) =>
      ends[0].map((low, i) => low + (ends[1][i] - low) * (level / 15)));
    this.tiles.clear();
  }

  /** Lanes in the order of a staff, cymbals on top: the drums in use and the commonest, or all 26. */
  layOut() {
    const used = new Set(this.score.hits.map((hit) => hit.drum));
    this.lanes = this.data.lanes.filter((drum) => this.allLanes || used.has(drum) || this.data.drums[drum].common);
    this.row = new Map(this.lanes.map((drum, i) => [drum, i]));
    this.width = this.canvas.clientWidth;
    this.height = this.lanesTop + this.lanes.length * LANE + 4;
    this.canvas.style.height = `${this.height}px`;
    for (const canvas of [this.canvas, this.overview]) {
      const height = canvas === this.canvas ? this.height : canvas.clientHeight;
      const ratio = window.devicePixelRatio || 1;
      canvas.width = Math.round(canvas.clientWidth * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    this.scrollTo(this.start);
  }

  scrollTo(start) {
    this.start = Math.min(Math.max(start, 0), Math.max(0, this.score.seconds - this.span));
  }

  /** Bring a moment into view; a page at a time, so that nothing slides. */
  show(time, margin = 0.12) {
    const inset = margin * this.span;
    if (time < this.start + inset || time > this.start + this.span - inset) this.scrollTo(time - inset * 1.5);
  }

  zoom(factor, x = this.gutter + (this.width - this.gutter) / 2) {
    const time = this.timeAt(x);
    const least = Math.min(20, (this.width - this.gutter) / this.score.seconds);
    this.pixelsPerSecond = Math.min(1200, Math.max(least, this.pixelsPerSecond * factor));
    this.scrollTo(time - (x - this.gutter) / this.pixelsPerSecond);
  }

  /** The nearest hit under the pointer, or null. */
  hitAt(x, y, reach = 12) {
    let best = null;
    let nearest = reach;
    for (const hit of this.score.visible()) {
      const row = this.row.get(hit.drum);
      const distance = Math.hypot(this.x(hit.time) - x, this.lanesTop + (row + 0.5) * LANE - y);
      if (row !== undefined && x > this.gutter && distance < nearest) [best, nearest] = [hit, distance];
    }
    return best;
  }

  draw() {
    const ink = this.canvas.getContext("2d");
    ink.clearRect(0, 0, this.width, this.height);
    ink.fillStyle = this.colour.surface;
    ink.fillRect(0, 0, this.width, this.height);
    ink.save();
    ink.beginPath();
    ink.rect(this.gutter, 0, this.width - this.gutter, this.height);
    ink.clip();
    this.drawLanes(ink);
    if (this.data.spectrogram) this.drawTiles(ink);
    this.drawRuler(ink);
    this.drawBars(ink);
    this.drawCursor(ink, this.x(this.cursor), this.height);
    for (const hit of this.score.visible()) {
      const shown = hit.id === this.selected && this.dragged ? this.dragged : hit;
      const x = this.x(shown.time);
      if (x > this.gutter - 12 && x < this.width + 12) this.drawHit(ink, shown, x);
    }
    ink.restore();
    this.drawLabels(ink);
    this.drawOverview();
  }

  drawLanes(ink) {
    this.lanes.forEach((drum, i) => {
      const y = this.lanesTop + i * LANE;
      if (i % 2 === 0) {
        ink.fillStyle = this.colour.stripe;
        ink.fillRect(this.gutter, y, this.width, LANE);
      }
    });
  }

  drawLabels(ink) {
    ink.font = "12px system-ui, sans-serif";
    ink.textBaseline = "middle";
    ink.textAlign = "left";
    const chosen = this.dragged || this.score.byId(this.selected);
    this.lanes.forEach((drum, i) => {
      const { family, label } = this.data.drums[drum];
      const y = this.lanesTop + (i + 0.5) * LANE;
      ink.fillStyle = this.colour[family];
      ink.fillRect(0, y - LANE / 2 + 2, 4, LANE - 4);
      ink.fillStyle = this.colour.text;
      ink.font = `${chosen && chosen.drum === drum ? "600 " : ""}12px system-ui, sans-serif`;
      ink.fillText(label, 9, y, this.gutter - 13);
    });
    if (!this.data.spectrogram) return;
    const { low_hz: low, high_hz: high } = this.data.spectrogram;
    ink.fillStyle = this.colour.quiet;
    ink.font = "11px system-ui, sans-serif";
    ink.textAlign = "right";
    ink.fillText(`${high / 1000} kHz`, this.gutter - 6, this.spectrogramTop + 7);
    ink.fillText(`${low} Hz`, this.gutter - 6, this.spectrogramTop + SPECTROGRAM - 6);
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

  /** A line for every beat and a stronger one, with its number, for every bar; fewer where they would touch. */
  drawBars(ink) {
    const lines = this.bars.lines(this.start, this.start + this.span);
    const gap = lines.length > 1 ? ((lines[lines.length - 1][0] - lines[0][0]) / (lines.length - 1)) * this.pixelsPerSecond : 99;
    const perBar = this.bars.tempo ? this.bars.tempo.per_bar : 1;
    let every = 1; // bars to a number
    while (every * perBar * gap < 34) every *= 2;
    for (const [time, bar] of lines) {
      if (!bar && gap < 7) continue;
      if (bar && perBar * gap < 5 && (bar - 1) % every) continue;
      const x = Math.round(this.x(time));
      ink.fillStyle = bar ? this.colour.bar : this.colour.line;
      ink.fillRect(x, this.lanesTop, 1, this.height);
      if (!bar) continue;
      ink.fillRect(x, RULER + 2, 1, BARS - 2);
      if ((bar - 1) % every) continue;
      ink.font = "600 11px system-ui, sans-serif";
      ink.fillStyle = this.colour.text;
      ink.fillText(String(bar), x + 4, RULER + BARS / 2 + 1);
    }
  }

  drawTiles(ink) {
    const { frames_per_second: rate, tile_frames: frames, tiles } = this.data.spectrogram;
    const seconds = frames / rate;
    ink.imageSmoothingEnabled = true;
    for (let i = Math.floor(this.start / seconds); i * seconds < this.start + this.span && i < tiles.length; i++) {
      const tile = this.tile(i);
      // Frame k stands for the 10 ms around k: a hit sits at the middle of its attack, not at its edge.
      if (tile) {
        ink.drawImage(tile, this.x(i * seconds - 0.5 / rate), this.spectrogramTop,
          (tile.width / rate) * this.pixelsPerSecond, SPECTROGRAM);
      }
    }
  }

  /** A decoded tile in the colours of the theme; asked for again when it is ready. */
  tile(index) {
    const known = this.tiles.get(index);
    if (known !== undefined) return known;
    this.tiles.set(index, null);
    if (this.tiles.size > TILES_KEPT) this.tiles.delete(this.tiles.keys().next().value);
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.width, image.height];
      const ink = canvas.getContext("2d");
      ink.drawImage(image, 0, 0);
      const pixels = ink.getImageData(0, 0, canvas.width, canvas.height);
      for (let i = 0; i < pixels.data.length; i += 4) {
        const [red, green, blue] = this.ramp[pixels.data[i] >> 4];
        pixels.data[i] = red;
        pixels.data[i + 1] = green;
        pixels.data[i + 2] = blue;
      }
      ink.putImageData(pixels, 0, 0);
      if (this.tiles.has(index)) this.tiles.set(index, canvas);
      this.onready();
    };
    image.src = `data:image/png;base64,${this.data.spectrogram.tiles[index]}`;
    return null;
  }

  drawHit(ink, hit, x) {
    const row = this.row.get(hit.drum);
    if (row === undefined) return;
    const { family } = this.data.drums[hit.drum];
    const y = this.lanesTop + (row + 0.5) * LANE;
    const size = 3 + 6 * (hit.velocity / 127);
    const sure = hit.confidence * hit.confidence;
    ink.beginPath();
    if (ROUND.has(family)) {
      ink.arc(x, y, size, 0, 2 * Math.PI);
    } else {
      ink.moveTo(x, y - size * 1.15);
      for (const [dx, dy] of [[1, 0], [0, 1], [-1, 0]]) ink.lineTo(x + dx * size * 1.15, y + dy * size * 1.15);
      ink.closePath();
    }
    ink.globalAlpha = 0.08 + 0.87 * sure;
    ink.fillStyle = this.colour[family];
    ink.fill();
    ink.globalAlpha = 0.45 + 0.55 * sure;
    ink.strokeStyle = this.colour[family];
    ink.lineWidth = 1.2;
    ink.stroke();
    ink.globalAlpha = 1;
    if (hit.id !== this.selected) return;
    ink.strokeStyle = this.colour.accent;
    ink.lineWidth = 2;
    ink.strokeRect(x - 12, y - LANE / 2, 24, LANE);
    ink.globalAlpha = 0.6;
    ink.fillStyle = this.colour.accent;
    ink.fillRect(x - 0.5, this.spectrogramTop, 1, y - LANE / 2 - this.spectrogramTop);
    ink.globalAlpha = 1;
  }

  drawCursor(ink, x, height) {
    ink.fillStyle = this.colour.cursor;
    ink.fillRect(Math.round(x) - 1, 0, 2, height);
  }

  drawOverview() {
    const ink = this.overview.getContext("2d");
    const width = this.overview.clientWidth;
    const height = this.overview.clientHeight;
    const x = (time) => (time / this.score.seconds) * width;
    ink.clearRect(0, 0, width, height);
    ink.fillStyle = this.colour.stripe;
    ink.fillRect(0, 0, width, height);
    const order = this.data.lanes;
    for (const hit of this.score.visible()) {
      ink.fillStyle = this.colour[this.data.drums[hit.drum].family];
      ink.globalAlpha = 0.3 + 0.6 * hit.confidence;
      ink.fillRect(x(hit.time), (order.indexOf(hit.drum) / order.length) * (height - 4) + 1, 1.5, 3);
    }
    ink.globalAlpha = 1;
    ink.strokeStyle = this.colour.accent;
    ink.lineWidth = 2;
    ink.strokeRect(x(this.start) + 1, 1, Math.max(6, x(this.span)) - 2, height - 2);
    this.drawCursor(ink, x(this.cursor), height);
  }
}

/** 83.25 s as 1:23.3 */
function clock(seconds, digits) {
  const tenths = Math.round(seconds * 10 ** digits) / 10 ** digits;
  const minutes = Math.floor(tenths / 60);
  return `${minutes}:${(tenths - 60 * minutes).toFixed(digits).padStart(digits ? 3 + digits : 2, "0")}`;
}
