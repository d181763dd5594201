// The form of a drum part: as mt3drum/rhythm/sections.py.

import { argmax, grouped, median } from "./numbers.js";

/** @typedef {import("./rules.js").ScoreRules} ScoreRules */
/** @typedef {import("./quantise.js").Score} Score */
/** @typedef {{label: string, number: number, first: number, end: number}} Section label "" where no drum plays */
/** @typedef {Float32Array[]} Vector [voice][step]; step 0 is a crash that opens the bar */

/** @param {ScoreRules} rules @param {Score} score @returns {{sections: Section[], fills: Set<number>}} */
export function findForm(rules, score) {
  if (!score.notes.length) return { sections: [], fills: new Set() };
  const { VOICES } = rules.constants.sections;
  const bars = vectors(rules, score);
  const prototypes = prototypesOf(rules, bars);
  const opened = bars.map((bar) => bar[VOICES.indexOf("crash")][0] > 0);
  const groove = groovesOf(rules, bars, prototypes, opened);
  const fills = bars.map((bar, i) => isFill(rules, bar, prototypes[groove[i]]));
  const starts = startsOf(rules, groove, fills, opened);
  /** @type {Map<number, string>} */
  const labels = new Map();
  /** @type {Map<string, number>} */
  const numbers = new Map();
  const sections = starts.map((start, i) => {
    const end = starts[i + 1] ?? bars.length;
    const silent = bars.slice(start, end).every((bar) => bar.every((voice) => voice.every((weight) => weight === 0)));
    if (!silent && !labels.has(groove[start])) labels.set(groove[start], String.fromCharCode(65 + labels.size));
    const label = silent ? "" : /** @type {string} */ (labels.get(groove[start]));
    const number = (numbers.get(label) ?? 0) + 1;
    numbers.set(label, number);
    return { label, number, first: score.firstBar + start, end: score.firstBar + end };
  });
  return { sections, fills: new Set(fills.flatMap((fill, i) => (fill ? [score.firstBar + i] : []))) };
}

/** Weights of the strokes of every bar, relative to the usual stroke of each drum. @param {ScoreRules} rules @param {Score} score */
function vectors({ constants, drums }, score) {
  const { STEPS, VOICES, SOFT } = constants.sections;
  const steps = score.grid.meter.beats * STEPS;
  const notes = score.notes.filter((note) => !note.grace);
  const usual = new Map(Array.from(grouped(notes, ({ hit }) => hit.drum), ([drum, own]) =>
    [drum, median(own.map(({ hit }) => hit.velocity))]));
  /** @type {Vector[]} */
  const bars = Array.from({ length: score.bars - score.firstBar }, () => VOICES.map(() => new Float32Array(1 + steps)));
  for (const { position, hit } of notes) {
    const { family } = drums[hit.drum];
    const at = Math.floor((position / score.beat) * STEPS + 0.5);
    const bar = Math.floor(at / steps);
    const step = at - bar * steps;
    const place = family === "crash" && step === 0 ? 0 : 1 + step;
    const weight = Math.min(1, Math.max(SOFT, hit.velocity / /** @type {number} */ (usual.get(hit.drum))));
    const row = bars[Math.min(bar - score.firstBar, bars.length - 1)][VOICES.indexOf(family === "rim" ? "snare" : family)];
    row[place] = Math.max(row[place], weight);
  }
  return bars;
}

/** 0: the same, 1: nothing in common. @param {Vector} bar @param {Vector} other @param {number} from first step that counts */
function distance(bar, other, from = 1) {
  let [differing, weights] = [0, 0];
  bar.forEach((voice, v) => {
    let [common, total] = [0, 0];
    for (let step = from; step < voice.length; step++) {
      common += 2 * Math.min(voice[step], other[v][step]);
      total += voice[step] + other[v][step];
    }
    const weight = Math.sqrt(total);
    differing += weight * (1 - common / Math.max(total, 1e-9));
    weights += weight;
  });
  return differing / Math.max(weights, 1e-9);
}

/** Mean bars of the grooves. @param {ScoreRules} rules @param {Vector[]} bars @returns {Vector[]} */
function prototypesOf({ constants }, bars) {
  const { ALIKE, MOST } = constants.sections;
  /** @type {Vector[]} */
  const means = [];
  /** @type {number[]} */
  const counts = [];
  for (const bar of bars) {
    const distances = means.map((mean) => distance(mean, bar));
    const nearest = argmax(distances.map((each) => -each));
    if (means.length && distances[nearest] <= ALIKE) {
      counts[nearest] += 1;
      means[nearest].forEach((voice, v) => voice.forEach((value, i) => (voice[i] = value + Math.fround(bar[v][i] - value) / counts[nearest])));
    } else if (means.length < 8 * MOST) {
      means.push(bar.map((voice) => voice.slice()));
      counts.push(1);
    }
  }
  const order = means.map((_, i) => i).sort((a, b) => counts[b] - counts[a]);
  let repeated = order.filter((i) => counts[i] > 1);
  if (!repeated.length) repeated = order.slice(0, 1);
  return repeated.slice(0, MOST).sort((a, b) => a - b).map((i) => means[i]);
}

/** The prototype of each bar: the cheapest sequence. @param {ScoreRules} rules @param {Vector[]} bars @param {Vector[]} prototypes
 * @param {boolean[]} opened */
function groovesOf({ constants }, bars, prototypes, opened) {
  const { CHANGE, MARKED } = constants.sections;
  const costs = bars.map((bar) => prototypes.map((prototype) => distance(bar, prototype)));
  let best = costs[0];
  /** @type {number[][]} */
  const came = [];
  for (let bar = 1; bar < bars.length; bar++) {
    const changed = argmax(best.map((cost) => -cost));
    const change = best[changed] + CHANGE - (opened[bar] ? MARKED : 0);
    came.push(best.map((cost, i) => (cost <= change ? i : changed)));
    best = best.map((cost, i) => Math.min(cost, change) + costs[bar][i]);
  }
  const path = [argmax(best.map((cost) => -cost))];
  for (const before of came.reverse()) path.push(before[path[path.length - 1]]);
  return path.reverse();
}

/** Whether a bar ends otherwise than its groove, with more of snare and toms. @param {ScoreRules} rules @param {Vector} bar
 * @param {Vector} groove */
function isFill({ constants }, bar, groove) {
  const { FILL, VOICES } = constants.sections;
  const half = 1 + Math.floor((bar[0].length - 1) / 2);
  let more = 0;
  for (const name of ["snare", "tom"]) {
    const voice = VOICES.indexOf(name);
    for (let step = half; step < bar[voice].length; step++) more += Math.max(bar[voice][step] - groove[voice][step], 0);
  }
  return more >= 2 && distance(bar, groove, half) >= FILL;
}

/** @param {ScoreRules} rules @param {number[]} groove @param {boolean[]} fills @param {boolean[]} opened */
function startsOf({ constants }, groove, fills, opened) {
  const starts = [0];
  for (let bar = 1; bar < groove.length; bar++) {
    const phrase = fills[bar - 1] && opened[bar] && bar - starts[starts.length - 1] >= constants.sections.PHRASE;
    if (groove[bar] !== groove[bar - 1] || phrase) starts.push(bar);
  }
  return starts;
}
