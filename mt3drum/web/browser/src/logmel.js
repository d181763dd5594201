// Log-mel spectrograms: as mt3drum/audio/log_mel.py.

import FFT from "fft.js";
import { floats } from "./rules.js";

/** @typedef {import("./rules.js").FeatureRules} FeatureRules */

export class LogMel {
  /** @param {FeatureRules} rules @param {number} hop samples */
  constructor(rules, hop) {
    this.rules = rules;
    this.hop = hop;
    this.channels = rules.channels.map((channel) => new Spectrum(channel, rules, hop));
  }

  /** @param {Float32Array} audio a whole number of hops @returns {Float32Array} [window band frame] */
  bands(audio) {
    const frames = audio.length / this.hop;
    const found = new Float32Array(this.channels.length * this.rules.bands * frames);
    this.channels.forEach((channel, i) =>
      channel.into(audio, found.subarray(i * this.rules.bands * frames, (i + 1) * this.rules.bands * frames)));
    return found;
  }
}

class Spectrum {
  /** @param {import("./rules.js").Channel} channel @param {FeatureRules} rules @param {number} hop */
  constructor({ window: length, stride, first, sizes, weights }, { floor, bands }, hop) {
    this.length = length;
    this.stride = stride;
    this.first = first;
    this.sizes = sizes;
    this.floor = floor;
    this.bands = bands;
    this.hop = hop;
    this.weights = floats(weights);
    this.fft = new FFT(length);
    this.window = Float32Array.from({ length }, (_, n) =>
      Math.fround(0.5 - 0.5 * Math.cos((2 * Math.PI * n) / length)) * (2 / length));
    this.framed = new Float64Array(length);
    this.complex = new Float64Array(2 * length);
    this.used = Math.max(...first.map((low, band) => low + sizes[band]));
    this.amplitude = new Float32Array(this.used);
  }

  /** @param {Float32Array} audio @param {Float32Array} out [band frame] */
  into(audio, out) {
    const frames = audio.length / this.hop;
    for (let frame = 0; frame < frames; frame += this.stride) {
      const from = frame * this.hop - this.length / 2;
      for (let i = 0; i < this.length; i++) this.framed[i] = (audio[from + i] || 0) * this.window[i];
      this.fft.realTransform(this.complex, this.framed);
      for (let bin = 0; bin < this.used; bin++) {
        this.amplitude[bin] = Math.sqrt(this.complex[2 * bin] ** 2 + this.complex[2 * bin + 1] ** 2);
      }
      let at = 0;
      for (let band = 0; band < this.bands; band++) {
        let sum = 0;
        for (let bin = this.first[band], end = bin + this.sizes[band]; bin < end; bin++) {
          sum += this.weights[at++] * this.amplitude[bin];
        }
        const level = Math.log(sum + this.floor);
        for (let held = frame; held < Math.min(frame + this.stride, frames); held++) out[band * frames + held] = level;
      }
    }
  }
}
