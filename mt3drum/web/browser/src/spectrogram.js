// The picture of a recording as a pyramid of tiles: as mt3drum/web/spectrogram.py.

import { LogMel } from "./logmel.js";
import { quantile } from "./rules.js";

const EVERY = 7; // one value in so many is looked at to find the loudest

/** @typedef {import("./rules.js").Rules} Rules */
/** @typedef {{bands: number, frames: number, levels: Float32Array}} Level [band frame] */

/** @param {Rules} rules @param {Float32Array} samples mono @param {(level: Uint8Array, width: number, height: number) => Promise<string>} png
 * makes a base64 picture of grey pixels */
export async function spectrogram({ spectrogram: rules, features: model, audio }, samples, png) {
  const whole = levels(rules, audio.hop, samples);
  const loud = whole.levels.filter((_, i) => i % EVERY === 0).sort();
  const top = Math.max(quantile(loud, rules.topQuantile), Math.log(model.floor) + rules.range); // silence stays dark
  const found = [];
  let level = whole;
  for (let step = 1; ; step *= rules.step) {
    const tiles = [];
    for (let start = 0; start < level.frames; start += rules.tileFrames) tiles.push(await tile(rules, level, start, top, png));
    found.push({ step, tiles });
    if (level.frames <= rules.tileFrames) break;
    level = coarser(level, rules.step);
  }
  return {
    levels: found,
    tile_frames: rules.tileFrames,
    frames_per_second: audio.sampleRate / audio.hop,
    low_hz: rules.lowHz,
    high_hz: rules.highHz,
  };
}

/** @param {import("./rules.js").SpectrogramRules} rules @param {number} hop @param {Float32Array} samples @returns {Level} */
function levels({ features, tileFrames, edge }, hop, samples) {
  const logMel = new LogMel(features, hop);
  const { bands } = features;
  const frames = Math.ceil(samples.length / hop);
  const found = new Float32Array(bands * frames);
  for (let start = 0; start < frames; start += tileFrames) {
    const count = Math.min(tileFrames, frames - start);
    const audio = new Float32Array((count + 2 * edge) * hop);
    const from = (start - edge) * hop;
    audio.set(samples.subarray(Math.max(0, from), Math.max(0, from + audio.length)), Math.max(0, -from));
    const part = logMel.bands(audio);
    const width = count + 2 * edge;
    for (let band = 0; band < bands; band++) {
      found.set(part.subarray(band * width + edge, band * width + edge + count), band * frames + start);
    }
  }
  return { bands, frames, levels: found };
}

/** Means of `step` columns; the last column repeats. @param {Level} level @param {number} step @returns {Level} */
function coarser({ bands, frames, levels: fine }, step) {
  const width = Math.ceil(frames / step);
  const coarse = new Float32Array(bands * width);
  for (let band = 0; band < bands; band++) {
    for (let column = 0; column < width; column++) {
      let sum = 0;
      for (let i = 0; i < step; i++) sum += fine[band * frames + Math.min(column * step + i, frames - 1)];
      coarse[band * width + column] = sum / step;
    }
  }
  return { bands, frames: width, levels: coarse };
}

/** @param {import("./rules.js").SpectrogramRules} rules @param {Level} level @param {number} start @param {number} top
 * @param {(level: Uint8Array, width: number, height: number) => Promise<string>} png */
function tile({ range, shades, tileFrames }, { bands, frames, levels: values }, start, top, png) {
  const width = Math.min(tileFrames, frames - start);
  const grey = new Uint8Array(bands * width);
  for (let band = 0; band < bands; band++) {
    for (let column = 0; column < width; column++) {
      const share = (values[band * frames + start + column] - (top - range)) / range;
      const shade = Math.floor(Math.min(Math.max(share * shades, 0), shades - 1));
      grey[(bands - 1 - band) * width + column] = (shade * 255) / (shades - 1);
    }
  }
  return png(grey, width, bands);
}
