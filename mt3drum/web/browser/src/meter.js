// The beat among candidates, its meter and where bars begin: as mt3drum/rhythm/meter.py.

import { argmax, differences, median, place } from "./numbers.js";

/** @typedef {import("./rules.js").ScoreRules} ScoreRules */
/** @typedef {object} Placed
 * @property {Float64Array} beats seconds
 * @property {Uint8Array[]} counts of each beat [role tick]: 1 where a role strikes
 * @property {number} timing log density around the positions
 * @property {boolean} onBeat whether the first stroke is on the first beat */
/** @typedef {{score: number, beats: Float64Array, meter: string, phase: number}} Reading `phase`: first beat of a bar */

const PLACES = [0, 2, 3, 4, 6, 8, 9, 10, 12]; // twelfths of a beat: sixteenths and triplets

/** @param {ScoreRules} rules @param {number[]} times rising @param {number[]} roles @param {Float64Array} series @returns {Placed} */
function placed({ constants }, times, roles, series) {
  const { SIGMA, OFF, TICKS, ROLES } = constants.meter;
  const ahead = series[1] - series[0];
  const behind = series[series.length - 1] - series[series.length - 2];
  const before = Math.max(0, Math.ceil((series[0] - times[0]) / ahead - 0.3));
  const after = Math.max(0, Math.ceil((times[times.length - 1] - series[series.length - 1]) / behind + 0.3));
  const beats = Float64Array.from([
    ...Array.from({ length: before }, (_, i) => series[0] - ahead * (before - i)),
    ...series,
    ...Array.from({ length: after }, (_, i) => series[series.length - 1] + behind * (i + 1)),
  ]);
  const counts = Array.from({ length: beats.length + 1 }, () => new Uint8Array(ROLES.length * TICKS));
  let [timing, low, high] = [0, Infinity, 0];
  times.forEach((time, i) => {
    const at = place(time, beats);
    let beat = Math.floor(at);
    const inside = (at - beat) * TICKS;
    let nearest = PLACES[0];
    for (const tick of PLACES) if (Math.abs(inside - tick) < Math.abs(inside - nearest)) nearest = tick;
    const next = Math.min(beat, beats.length - 2);
    const off = ((at - beat - nearest / TICKS) * (beats[next + 1] - beats[next])) / SIGMA;
    const density = Math.max(-0.5 * off ** 2, OFF);
    timing += density;
    if (nearest === TICKS) [beat, nearest] = [beat + 1, 0];
    if (density > OFF) counts[beat][roles[i] * TICKS + nearest] = 1;
    if (i === 0) low = beat;
    high = Math.max(high, beat + 1);
  });
  const heard = counts.slice(low, high);
  const onBeat = ROLES.some((/** @type {string} */ _, /** @type {number} */ role) => heard[0][role * TICKS]);
  return { beats: beats.slice(low), counts: heard, timing, onBeat };
}

/** Logarithms of rising factorials by shape parameter: many positions share one. @type {Map<number, Float64Array>} */
const known = new Map();

/** @param {number} shape @param {number} most */
function rising(shape, most) {
  let table = known.get(shape);
  if (!table) {
    table = new Float64Array(most + 1);
    for (let n = 0; n < most; n++) table[n + 1] = table[n] + Math.log(shape + n);
    known.set(shape, table);
  }
  return table;
}

/** Log evidence of the bars for each first beat and groove. @param {ScoreRules} rules @param {Uint8Array[]} counts
 * @param {string} meter @returns {number[][]} [phase groove] */
function repetition({ constants, grooves }, counts, meter) {
  const { BARS, MOST, TICKS, ROLES } = constants.meter;
  const beats = grooves[meter][0].rates.length;
  const strokes = Array.from({ length: beats }, () => new Float64Array(ROLES.length * TICKS));
  const bars = new Array(beats).fill(0);
  counts.forEach((count, beat) => {
    bars[beat % beats] += 1;
    for (let i = 0; i < count.length; i++) strokes[beat % beats][i] += count[i];
  });
  const sums = strokes.map((own) => own.reduce((a, b) => a + b, 0));
  return Array.from({ length: beats }, (_, phase) => grooves[meter].map(({ rates }) => {
    let total = 0;
    for (let beat = 0; beat < beats; beat++) {
      const at = (phase + beat) % beats;
      let mass = 0;
      for (let role = 0; role < ROLES.length; role++) {
        for (let tick = 0; tick < TICKS; tick++) {
          const shape = rates[beat][role][tick] * BARS;
          mass += shape;
          const struck = Math.min(strokes[at][role * TICKS + tick], MOST);
          if (struck) total += rising(shape, MOST)[struck];
        }
      }
      total -= mass * Math.log((BARS + bars[at]) / BARS) + sums[at] * Math.log(BARS + bars[at]);
    }
    return total;
  }));
}

/** The likeliest reading of all beat sequences. @param {ScoreRules} rules @param {number[]} times rising
 * @param {number[]} roles @param {Float64Array[]} series @param {string | null} meter if known @param {boolean} useTempo
 * @returns {Reading} */
export function reading(rules, times, roles, series, meter, useTempo) {
  const { TERNARY, EVIDENCE, TIMING, START, COST } = rules.constants.meter;
  const found = series.flatMap((beats) => {
    const strokes = placed(rules, times, roles, beats);
    const length = Math.log(median(differences(beats)));
    const triplets = innerTriplets(rules, strokes.counts);
    /** @type {Reading[]} */
    const ofSeries = [];
    /** @type {Record<string, number>} */
    const costs = meter === null ? COST : { [meter]: 0 };
    for (const [name, cost] of Object.entries(costs)) {
      if (meter === null && name.endsWith("/8") && triplets < TERNARY / 2) continue;
      const usual = priors(rules, name, useTempo ? length : null);
      const evidence = repetition(rules, strokes.counts, name).map((grooves) =>
        logSumExp(grooves.map((value, i) => EVIDENCE * value + usual[i])) + TIMING * strokes.timing - cost);
      evidence[(strokes.onBeat ? 0 : 1) % evidence.length] += START;
      evidence.forEach((score, phase) => ofSeries.push({ score, beats: strokes.beats, meter: name, phase }));
    }
    return meter !== null || triplets < TERNARY ? ofSeries : ofThree(ofSeries);
  });
  return found[argmax(found.map(({ score }) => score))];
}

/** Of each groove: its prior, and its cost of the tempo. @param {ScoreRules} rules @param {string} meter
 * @param {number | null} length logarithm of that of a beat */
function priors({ grooves }, meter, length) {
  const sum = grooves[meter].reduce((total, { share }) => total + share, 0);
  return grooves[meter].map(({ share, usual, spread }) => {
    const prior = Math.log(share / sum);
    return length === null ? prior : prior - 0.5 * ((length - Math.log(usual)) / spread) ** 2 - Math.log(spread);
  });
}

/** Share of the beats with strokes within that have one on the second third. @param {ScoreRules} rules @param {Uint8Array[]} counts */
function innerTriplets({ constants }, counts) {
  const { TICKS } = constants.meter;
  const filled = counts.filter((count) => count.some((struck, i) => struck && i % TICKS)).length;
  return filled >= 4 ? counts.filter((count) => count.some((struck, i) => struck && i % TICKS === 4)).length / filled : 0;
}

/** Those in beats of three eighths, each as likely as the sequence in any meter. @param {Reading[]} readings */
function ofThree(readings) {
  const three = readings.filter(({ meter }) => meter.endsWith("/8"));
  /** @param {Reading[]} all */
  const highest = (all) => Math.max(...all.map(({ score }) => score));
  const gain = highest(readings) - highest(three);
  return three.map((each) => ({ ...each, score: each.score + gain }));
}

/** @param {number[]} values */
function logSumExp(values) {
  const top = Math.max(...values);
  return top + Math.log(values.reduce((sum, value) => sum + Math.exp(value - top), 0));
}
