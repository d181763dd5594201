// Channels to one, one loudness, overlapping segments: as mt3drum/audio/recording.py and downmix.py.

import { quantile } from "./rules.js";

/** @typedef {import("./rules.js").Rules} Rules */
/** @typedef {{samples: Float32Array, gain: number, warnings: string[]}} Recording mono; gain 0 where it is silent */
/** @typedef {{start: number, audio: Float32Array}} Segment `start` in steps; negative for the first */

/** @param {Rules} rules @param {Float32Array[]} channels at 44.1 kHz; the list is emptied, for a phone has little memory
 * @param {string} name @returns {Recording} */
export function openChannels(rules, channels, name) {
  const warnings = [];
  const alone = channels.length > 1 ? cancelled(rules, channels) : null;
  let samples = channels[0];
  if (alone !== null) {
    samples = channels[alone];
    warnings.push(`${name}: its channels cancel one another (opposite phase); channel ${alone + 1} of ` +
      `${channels.length} was used alone`);
  } else {
    average(channels);
  }
  channels.length = 0;
  return { samples, gain: gainOf(rules, samples), warnings };
}

/** Into the first one. @param {Float32Array[]} channels */
function average([mixed, ...others]) {
  for (const channel of others) for (let i = 0; i < mixed.length; i++) mixed[i] += channel[i];
  if (others.length) for (let i = 0; i < mixed.length; i++) mixed[i] /= others.length + 1;
}

/** The loudest channel, where the mean loses most of what the channels hold; else null.
 * @param {Rules} rules @param {Float32Array[]} channels */
function cancelled({ audio }, channels) {
  const count = channels.length;
  /** @type {{energies: number[], every: number, ofSum: number}[]} */
  const blocks = [];
  for (let start = 0; start < channels[0].length; start += audio.block) {
    const end = Math.min(start + audio.block, channels[0].length);
    const energies = channels.map((channel) => {
      let energy = 0;
      for (let i = start; i < end; i++) energy += channel[i] * channel[i];
      return energy / (end - start);
    });
    let ofSum = 0;
    for (let i = start; i < end; i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      const value = sum / count;
      ofSum += value * value;
    }
    ofSum = (ofSum / (end - start)) * count * count;
    blocks.push({ energies, every: energies.reduce((a, b) => a + b, 0), ofSum });
  }
  const loudest = Math.max(0, ...blocks.map(({ every }) => every));
  const sounding = blocks.filter(({ every }) => every > audio.quiet * loudest);
  const lost = sounding.filter(({ every, ofSum }) => ofSum < audio.lost * every);
  if (lost.length < Math.max(1, audio.often * sounding.length)) return null;
  const sums = channels.map((_, c) => lost.reduce((sum, { energies }) => sum + energies[c], 0));
  return sums.indexOf(Math.max(...sums));
}

/** Factor that brings the robust peak to the target; 0: silent. @param {Rules} rules @param {Float32Array} samples */
function gainOf({ audio }, samples) {
  const heights = [];
  for (let start = 0; start < samples.length; start += audio.peakBlock) {
    const end = Math.min(start + audio.peakBlock, samples.length);
    let peak = 0;
    for (let i = start; i < end; i++) peak = Math.max(peak, Math.abs(samples[i]));
    if (peak > audio.silence) heights.push(peak);
  }
  if (!heights.length) return 0;
  return audio.targetPeak / quantile(Float64Array.from(heights).sort(), audio.peakQuantile);
}

/** Segments whose middles lie end to end; those of silence alone are left out.
 * @param {Rules} rules @param {Recording} recording @returns {Generator<Segment>} */
export function* segments({ audio, codec, decoding }, { samples, gain }) {
  if (gain === 0) return;
  const margin = decoding.marginSteps;
  const stride = (codec.steps - 2 * margin) * audio.hop;
  const factor = Math.fround(gain);
  for (let start = 0; start < samples.length; start += stride) {
    const cut = new Float32Array(codec.steps * audio.hop);
    const from = start - margin * audio.hop;
    let sounds = false;
    for (let i = Math.max(0, -from); i < cut.length && from + i < samples.length; i++) {
      cut[i] = Math.min(Math.max(samples[from + i] * factor, -audio.clip), audio.clip);
      if (cut[i] !== 0) sounds = true;
    }
    if (sounds) yield { start: start / audio.hop - margin, audio: cut };
  }
}
