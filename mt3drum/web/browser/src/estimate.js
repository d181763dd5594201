// Tempo, meter, beats and downbeats of hits: as mt3drum/rhythm/estimate.py.

import { bands, likeliest, rolesOf } from "./beats.js";
import { Grid, Meter } from "./grid.js";
import { reading } from "./meter.js";
import { differences, median, place, roundEven } from "./numbers.js";

/** @typedef {import("./rules.js").ScoreRules} ScoreRules */
/** @typedef {import("./hypothesis.js").Hit} Hit */
/** @typedef {import("./meter.js").Reading} Reading */
/** @typedef {import("./beats.js").Range} Range */
/** @typedef {{bpm?: number | null, meter?: string | null}} Known */

/** The beats behind the hits; null where no steady grid fits. @param {ScoreRules} rules @param {Hit[]} hits in order
 * @param {number} seconds of the recording @param {Known} known @returns {Grid | null} */
export function estimate(rules, hits, seconds, { bpm = null, meter = null } = {}) {
  const { MIN_HITS, MAX_SECONDS, STEADY, SCATTER } = rules.constants.estimate;
  if (bpm !== null && !(bpm >= 20 && bpm <= 500)) throw new Error(`A tempo is between 20 and 500 beats a minute, not ${bpm}`);
  const span = hits.length ? hits[hits.length - 1].time - hits[0].time : 0;
  if (span > MAX_SECONDS) return null;
  if (hits.length < MIN_HITS || span < 1) {
    return bpm === null ? null : straight(hits, seconds, bpm, new Meter(meter ?? "4/4"));
  }
  const found = read(rules, hits, bpm, meter);
  const signature = new Meter(found.meter);
  const smooth = smoothed(rules, hits, found.beats);
  const steady = steadiness(hits, smooth);
  if (bpm === null && steady < STEADY + SCATTER / Math.sqrt(hits.length)) return null;
  const before = modulo(-found.phase, signature.beats);
  const { beats, first } = extended(smooth, before, seconds, signature.beats);
  return new Grid(beats, first, signature, steady).reaching(hits[0].time, rules);
}

/** @param {number} a @param {number} b */
const modulo = (a, b) => ((a % b) + b) % b;

/** A metronome from the first stroke on. @param {Hit[]} hits @param {number} seconds @param {number} bpm @param {Meter} meter */
function straight(hits, seconds, bpm, meter) {
  const start = hits.length ? hits[0].time : 0;
  const next = start + 60 / bpm;
  const { beats, first } = extended(Float64Array.of(start, next), 0, Math.max(seconds, next), meter.beats);
  return new Grid(beats, first, meter, 1);
}

/** The likeliest reading; of a long recording the start says tempo and meter. @param {ScoreRules} rules @param {Hit[]} hits
 * @param {number | null} bpm @param {string | null} meter @returns {Reading} */
function read(rules, hits, bpm, meter) {
  const { TRIAL, MIN_HITS, TEMPO_RANGE } = rules.constants.estimate;
  let start = hits.filter((hit) => hit.time < hits[0].time + TRIAL);
  if (start.length < MIN_HITS) start = hits;
  const roles = rolesOf(rules, hits);
  const ranges = rangesOf(rules, bpm, meter);
  let found = bpm === null && meter !== null ? sameBeat(rules, start, roles, meter) : null;
  found ??= best(rules, start, roles, ranges, meter, bpm === null);
  if (start.length === hits.length) return found;
  const length = median(differences(found.beats));
  /** @type {Range} */
  const near = [Math.max(length / TEMPO_RANGE, ranges[0][0]), Math.min(length * TEMPO_RANGE, ranges[ranges.length - 1][1])];
  return best(rules, hits, roles, [near], found.meter, false);
}

/** The likeliest beats of any meter, in bars of the given one; null where its beats are of another kind.
 * @param {ScoreRules} rules @param {Hit[]} hits @param {number[]} roles @param {string} meter */
function sameBeat(rules, hits, roles, meter) {
  const { SHORTEST, LONGEST } = rules.constants.estimate;
  const free = best(rules, hits, roles, bands(rules, SHORTEST, LONGEST), null, true);
  if (new Meter(free.meter).beatQuarters !== new Meter(meter).beatQuarters) return null;
  return reading(rules, hits.map(({ time }) => time), roles, [free.beats], meter, false);
}

/** @param {ScoreRules} rules @param {number | null} bpm @param {string | null} meter @returns {Range[]} */
function rangesOf(rules, bpm, meter) {
  const { SHORTEST, LONGEST, DRIFT } = rules.constants.estimate;
  if (bpm !== null) return [[60 / bpm / (1 + DRIFT), (60 / bpm) * (1 + DRIFT)]];
  if (meter === null) return bands(rules, SHORTEST, LONGEST);
  const { shortest, longest } = rules.meters[meter];
  return bands(rules, Math.min(SHORTEST, shortest), longest);
}

/** @param {ScoreRules} rules @param {Hit[]} hits @param {number[]} roles @param {Range[]} ranges
 * @param {string | null} meter @param {boolean} useTempo @returns {Reading} */
function best(rules, hits, roles, ranges, meter, useTempo) {
  const { SAME } = rules.constants.estimate;
  const times = hits.map(({ time }) => time);
  /** @type {Float64Array[]} */
  const series = [];
  /** @type {number[]} */
  const lengths = [];
  const paths = likeliest(rules, hits, roles, ranges).sort((a, b) => b.likelihood - a.likelihood);
  for (const path of paths) {
    const beats = refined(rules, times, hits.map(({ confidence }) => confidence), path.beats);
    const length = Math.log(median(differences(beats)));
    if (!lengths.every((other) => Math.abs(length - other) > SAME)) continue;
    lengths.push(length);
    series.push(beats);
    // These beats may be the off-beats.
    if (beats.length > 2) series.push(differences(beats).map((gap, i) => beats[i] + gap / 2));
  }
  return reading(rules, times, roles, series, meter, useTempo);
}

const AROUND = 6; // beats on either side whose strokes a beat is fitted to, the nearer the more

/** Of the strokes on each beat: their weight, that of the beat itself among them, and their weighted distance from it.
 * @param {ScoreRules} rules @param {number[]} times @param {number[]} weights @param {Float64Array} rough */
function struck({ constants }, times, weights, rough) {
  const { ON_BEAT, UNHEARD } = constants.estimate;
  const weight = new Float64Array(rough.length).fill(UNHEARD);
  const gap = new Float64Array(rough.length);
  times.forEach((time, i) => {
    const beat = roundEven(place(time, rough));
    const late = time - rough[beat];
    if (Math.abs(late) >= ON_BEAT) return;
    weight[beat] += weights[i];
    gap[beat] += weights[i] * late;
  });
  return { weight, gap };
}

/** To the millisecond: a line through the strokes on the beat around each. @param {ScoreRules} rules @param {number[]} times
 * @param {number[]} weights @param {Float64Array} rough @returns {Float64Array} */
function refined(rules, times, weights, rough) {
  const { weight, gap } = struck(rules, times, weights, rough);
  let latest = -Infinity;
  return rough.map((beat, i) => {
    let [s0, s1, s2, t0, t1] = [0, 0, 0, 0, 0];
    for (let reach = -AROUND; reach <= AROUND; reach++) {
      const near = i + reach;
      if (near < 0 || near >= rough.length) continue;
      const kernel = Math.exp(-0.5 * (reach / 2) ** 2);
      s0 += weight[near] * kernel;
      s1 += weight[near] * kernel * reach;
      s2 += weight[near] * kernel * reach ** 2;
      t0 += gap[near] * kernel;
      t1 += gap[near] * kernel * reach;
    }
    latest = Math.max(latest, beat + (s2 * t0 - s1 * t1) / (s0 * s2 - s1 * s1));
    return latest;
  });
}

/** Beats close to the strokes on them, whose tempo changes gradually: penalised least squares with second differences.
 * @param {ScoreRules} rules @param {Hit[]} hits @param {Float64Array} rough @returns {Float64Array} */
function smoothed(rules, hits, rough) {
  const { SMOOTH } = rules.constants.estimate;
  const count = rough.length;
  const { weight, gap } = struck(rules, hits.map(({ time }) => time), hits.map(({ confidence }) => confidence), rough);
  const diagonals = [weight, new Float64Array(count), new Float64Array(count)]; // of a symmetric matrix, the main one first
  const target = rough.map((beat, i) => weight[i] * beat + gap[i]);
  [[1, 4, 1], [-2, -2], [1]].forEach((products, row) => products.forEach((product, column) => { // of the difference 1, -2, 1
    for (let i = 0; i < count - 2; i++) diagonals[row][column + i] += SMOOTH * product;
  }));
  let latest = -Infinity;
  return solved(diagonals, target).map((beat) => (latest = Math.max(latest, beat)));
}

/** The solution of a symmetric positive definite system of five diagonals, by its factors L D L'; both are overwritten.
 * @param {Float64Array[]} diagonals the main one and the two below @param {Float64Array} x right side, then solution */
function solved([main, one, two], x) {
  const count = x.length;
  for (let i = 0; i < count; i++) {
    if (i > 1) main[i] -= two[i - 2] ** 2 * main[i - 2];
    if (i > 0) main[i] -= one[i - 1] ** 2 * main[i - 1];
    if (i > 0) one[i] -= two[i - 1] * one[i - 1] * main[i - 1];
    one[i] /= main[i];
    two[i] /= main[i];
    if (i > 0) x[i] -= one[i - 1] * x[i - 1];
    if (i > 1) x[i] -= two[i - 2] * x[i - 2];
  }
  for (let i = 0; i < count; i++) x[i] /= main[i];
  for (let i = count - 2; i >= 0; i--) {
    x[i] -= one[i] * x[i + 1];
    if (i + 2 < count) x[i] -= two[i] * x[i + 2];
  }
  return x;
}

/** @param {Hit[]} hits @param {Float64Array} beats */
function steadiness(hits, beats) {
  const places = hits.map(({ time }) => place(time, beats));
  return Math.max(...[2, 3, 4, 6].map((parts) => {
    let [x, y] = [0, 0];
    for (const at of places) {
      x += Math.cos(2 * Math.PI * parts * at);
      y += Math.sin(2 * Math.PI * parts * at);
    }
    return Math.hypot(x, y) / places.length;
  }));
}

/** To both ends of the recording, at the tempo of the first and last four beats. @param {Float64Array} beats
 * @param {number} first @param {number} seconds @param {number} perBar */
function extended(beats, first, seconds, perBar) {
  const kept = Array.from(beats);
  const opening = Math.min(4, kept.length - 1);
  const ahead = (kept[opening] - kept[0]) / opening;
  while (kept[0] - ahead > -0.01) {
    kept.unshift(kept[0] - ahead);
    first -= 1;
  }
  while (kept[0] <= -0.01 && kept.length > 2) {
    kept.shift();
    first += 1;
  }
  kept[0] = Math.max(kept[0], 0);
  const closing = Math.min(5, kept.length) - 1;
  const behind = (kept[kept.length - 1] - kept[kept.length - 1 - closing]) / closing;
  while (kept[kept.length - 1] > seconds && kept.length > 2 && kept[kept.length - 2] > seconds) kept.pop();
  while (kept[kept.length - 1] + behind <= seconds) kept.push(kept[kept.length - 1] + behind);
  return { beats: kept, first: modulo(first, perBar) };
}
