// Chosen tokens to hits: as mt3drum/decode/hypothesis.py.

import { sigmoid } from "./onset_head.js";

/** @typedef {import("./rules.js").Rules} Rules */
/** @typedef {{time: number, drum: number, velocity: number, confidence: number}} Hit time in seconds */
/** @typedef {{tokens: number[], hits: Hit[], steps: number[], cut: boolean}} Hypothesis */

/** @param {Rules} rules @param {import("./search.js").Search} search ended
 * @param {Float32Array} velocity [t c] of the onset head, before the sigmoid @returns {Hypothesis} */
export function hypothesis(rules, search, velocity) {
  const { codec, decoding } = rules;
  const { tokens } = search;
  if (!search.heard) return { tokens: [codec.eos], hits: [], steps: [], cut: false };
  const hits = [];
  const steps = [];
  let timeAt = 0;
  for (let at = 0; at < tokens.length; at++) {
    if (tokens[at] >= codec.firstTime && tokens[at] < codec.firstDrum) timeAt = at;
    if (tokens[at] < codec.firstVelocity) continue;
    const step = tokens[timeAt] - codec.firstTime;
    steps.push(step);
    hits.push(refined(rules, search, velocity, { step, timeAt, at }));
  }
  return { tokens, hits, steps, cut: tokens.length > decoding.maxTokens - 3 };
}

/** @param {Rules} rules @param {import("./search.js").Search} search @param {Float32Array} velocity
 * @param {{step: number, timeAt: number, at: number}} place of the time, and of the velocity token @returns {Hit} */
function refined({ codec, decoding, instruments }, search, velocity, { step, timeAt, at }) {
  const { window, tiny, onsetWeight: weight } = decoding;
  const count = instruments.length;
  const drum = search.tokens[at - 1] - codec.firstDrum;
  const times = search.windows[timeAt];
  const logs = [];
  let [byTime, byHead, mass, loudness] = [0, 0, 0, 0];
  for (let i = 0; i <= 2 * window; i++) {
    const near = step + i - window;
    const exists = near >= 0 && near < codec.steps;
    const row = Math.min(Math.max(near, 0), codec.steps - 1) * count;
    let none = 1;
    for (let c = 0; c < count; c++) none *= 1 - search.probability[row + c];
    const time = exists ? times[i] : -Infinity;
    logs.push((1 - weight) * time + weight * Math.log(1 - none + tiny));
    byTime += Math.exp(time);
    if (!exists) continue;
    const p = search.probability[row + drum];
    byHead = Math.max(byHead, p);
    mass += p;
    loudness += p * sigmoid(velocity[row + drum]) * codec.maxVelocity;
  }
  const highest = Math.max(...logs);
  const shares = logs.map((log) => Math.exp(log - highest));
  const offset = shares.reduce((sum, share, i) => sum + share * (i - window), 0) / shares.reduce((a, b) => a + b, 0);
  const byDecoder = byTime * Math.exp(search.windows[at - 1][window]);
  const confidence = calibrated(decoding.calibration, byDecoder ** (1 - weight) * byHead ** weight);
  const written = velocityOf(codec, search.velocity[at]);
  return {
    time: (step + offset) / codec.perSecond,
    drum,
    velocity: clampVelocity(codec, Math.round((written + loudness / Math.max(mass, tiny)) / 2)),
    confidence: Math.min(1, confidence),
  };
}

/** The middle of a bin, or of a fraction of bins. @param {import("./rules.js").CodecRules} codec @param {number} bin */
function velocityOf(codec, bin) {
  return clampVelocity(codec, Math.trunc((bin + 0.5) * ((codec.maxVelocity + 1) / codec.velocityBins)));
}

/** @param {import("./rules.js").CodecRules} codec @param {number} value */
const clampVelocity = (codec, value) => Math.min(codec.maxVelocity, Math.max(1, value));

/** Raw confidence to the share of such hits that are right. @param {[number, number][]} points @param {number} raw */
function calibrated(points, raw) {
  if (!points.length) return Math.min(Math.max(raw, 0), 1);
  const after = points.findIndex(([x]) => x > raw);
  if (after === 0) return points[0][1];
  if (after < 0) return points[points.length - 1][1];
  const [[x0, y0], [x1, y1]] = [points[after - 1], points[after]];
  return y0 + ((raw - x0) / (x1 - x0)) * (y1 - y0);
}
