// The spectrogram as a pyramid of tiles: of each zoom only the level that is fine enough is decoded and drawn.

const TILES_KEPT = 40; // decoded tiles in memory: 2,000 x 80 pixels of 4 bytes each
const AT_ONCE = 3; // tiles decoded at the same time: more would hold up the frames

class Tiles {
  /** @param spectrogram as the page has it @param onready called when a tile can be drawn */
  constructor(spectrogram, onready) {
    Object.assign(this, { spectrogram, onready });
    this.kept = new Map(); // "level/index" -> picture, the one used last at the end
    this.waiting = new Set();
    this.ramp = [];
    this.decoded = 0; // for the tests
    this.version = 0; // of what can be drawn
  }

  /** @param low, high colours of silence and of the loudest, [red, green, blue] each */
  setColours(low, high) {
    this.ramp = Array.from({ length: 16 }, (_, shade) => {
      const [red, green, blue] = low.map((value, i) => Math.round(value + (high[i] - value) * (shade / 15)));
      return 0xff000000 | (blue << 16) | (green << 8) | red;
    });
    for (const picture of this.kept.values()) picture.close();
    this.kept.clear();
    this.version += 1;
  }

  /** Seconds at which column `column` of a level begins: frame k stands for the 10 ms around k. */
  seconds(level, column) {
    const { levels, frames_per_second: rate } = this.spectrogram;
    return (column * levels[level].step - 0.5) / rate;
  }

  /** The coarsest level that still has a column for every pixel. */
  levelFor(pixelsPerSecond) {
    const { levels, frames_per_second: rate } = this.spectrogram;
    return Math.max(0, levels.findLastIndex(({ step }) => rate / step >= pixelsPerSecond));
  }

  /** Draw a span into a box of `height` pixels at `top`. @param x from seconds to pixels */
  draw(ink, start, end, x, pixelsPerSecond, top, height) {
    const { levels, tile_frames: frames } = this.spectrogram;
    const level = this.levelFor(pixelsPerSecond);
    const coarsest = levels.length - 1;
    const { tiles } = levels[level];
    const from = Math.max(0, Math.floor((start - this.seconds(level, 0)) / this.width(level)));
    for (let i = from; i < tiles.length && this.seconds(level, i * frames) < end; i++) {
      const picture = this.tile(level, i);
      const left = this.seconds(level, i * frames);
      if (picture) {
        const right = this.seconds(level, i * frames + picture.width);
        ink.drawImage(picture, x(left), top, x(right) - x(left), height);
        continue;
      }
      const rough = level < coarsest && this.tile(coarsest, 0); // until the right one is there
      if (!rough) continue;
      const step = levels[coarsest].step / levels[level].step;
      const [source, width] = [(i * frames) / step, Math.min(frames / step, rough.width - (i * frames) / step)];
      ink.drawImage(rough, source, 0, width, rough.height, x(left), top,
        x(this.seconds(coarsest, source + width)) - x(left), height);
    }
  }

  width(level) {
    const { levels, tile_frames: frames, frames_per_second: rate } = this.spectrogram;
    return (frames * levels[level].step) / rate;
  }

  /** A decoded tile in the colours of the theme, or null; `onready` is called when there is more to draw. */
  tile(level, index) {
    const key = `${level}/${index}`;
    const known = this.kept.get(key);
    if (known) {
      this.kept.delete(key);
      this.kept.set(key, known); // used last
      return known;
    }
    if (!this.waiting.has(key) && this.waiting.size < AT_ONCE) this.decode(key, level, index);
    return null;
  }

  async decode(key, level, index) {
    const { ramp } = this;
    this.waiting.add(key);
    try {
      const image = new Image();
      image.src = `data:image/png;base64,${this.spectrogram.levels[level].tiles[index]}`;
      await image.decode();
      const canvas = new OffscreenCanvas(image.width, image.height);
      const ink = canvas.getContext("2d", { willReadFrequently: true });
      ink.drawImage(image, 0, 0);
      const data = ink.getImageData(0, 0, image.width, image.height);
      const pixels = new Uint32Array(data.data.buffer);
      for (let i = 0; i < pixels.length; i++) pixels[i] = ramp[(pixels[i] & 255) >> 4];
      const picture = await createImageBitmap(data);
      this.decoded += 1;
      if (ramp !== this.ramp) picture.close(); // the theme has changed meanwhile
      else this.keep(key, picture);
    } finally {
      this.waiting.delete(key);
      this.version += 1;
      this.onready();
    }
  }

  keep(key, picture) {
    this.kept.set(key, picture);
    if (this.kept.size <= TILES_KEPT) return;
    const [oldest] = this.kept.keys();
    this.kept.get(oldest).close();
    this.kept.delete(oldest);
  }
}
