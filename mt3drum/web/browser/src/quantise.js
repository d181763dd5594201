// Hits at places of the grid, with swing apart: as mt3drum/rhythm/quantise.py and figures.py.
//
// Positions are whole numbers of 1/1680 quarter note (TICKS), in which every division of every beat is whole.

import { grouped, least, median, roundEven } from "./numbers.js";

export const TICKS = 1680;

/** @typedef {import("./rules.js").ScoreRules} ScoreRules */
/** @typedef {import("./hypothesis.js").Hit} Hit */
/** @typedef {import("./grid.js").Grid} Grid */
/** @typedef {8 | 16 | 24 | "auto"} Steps */
/** @typedef {object} Note
 * @property {number} position ticks from the start of the first bar
 * @property {Hit} hit
 * @property {boolean} grace
 * @property {Hit[]} roll its other strokes
 * @property {number | null} until ticks: the end of this part of the roll
 */
/** @typedef {object} Figures
 * @property {Hit[]} rest
 * @property {Map<Hit, Hit[]>} graces by main stroke
 * @property {Map<Hit, Hit[]>} rolls by first stroke
 * @property {Map<Hit, number>} ends of rolls, in ticks
 */

export class Score {
  /** @param {Note[]} notes in order @param {Grid} grid @param {number} swing @param {number} swingUnit 0, 8 or 16 */
  constructor(notes, grid, swing, swingUnit) {
    this.notes = notes;
    this.grid = grid;
    this.swing = swing;
    this.swingUnit = swingUnit;
    this.beat = grid.meter.beatQuarters * TICKS;
    this.bar = grid.meter.barQuarters * TICKS;
    const { length } = notes;
    this.bars = Math.floor((length ? notes[length - 1].position : 0) / this.bar) + 1;
    this.firstBar = Math.floor((length ? notes[0].position : 0) / this.bar);
  }

  /** A position with its swing, in quarter notes. @param {number} position */
  swung(position) {
    const whole = Math.floor(position / this.beat);
    const phase = (position - whole * this.beat) / this.beat;
    return (whole + swung(phase, this.swing, this.swingUnit)) * this.grid.meter.beatQuarters;
  }

  /** The strokes at the times of their places. @param {import("./tempo_map.js").TempoMap} lines @returns {Hit[]} */
  hits(lines) {
    /** @type {Map<string, number>} */
    const mains = new Map();
    for (const { position, hit, grace } of this.notes) if (!grace) mains.set(`${position} ${hit.drum}`, hit.time);
    const moved = this.notes.flatMap(({ position, hit, roll }) => {
      const main = /** @type {number} */ (mains.get(`${position} ${hit.drum}`));
      const shift = lines.time(lines.lead + this.swung(position)) - main;
      return [hit, ...roll].map((one) => ({ ...one, time: Math.max(0, one.time + shift) }));
    });
    return moved.sort(inOrder);
  }
}

/** @param {Hit} a @param {Hit} b */
export const inOrder = (a, b) =>
  a.time - b.time || a.drum - b.drum || a.velocity - b.velocity || a.confidence - b.confidence;

/** Every stroke at the nearest place of its beat's division. @param {ScoreRules} rules @param {Hit[]} all @param {Grid} grid
 * @param {Steps} steps @returns {Score} */
export function quantise(rules, all, grid, steps = "auto") {
  const { COST, HABIT, TIMING } = rules.constants.quantise;
  const figures = findFigures(rules, [...all].sort(inOrder), grid);
  const hits = figures.rest;
  const places = hits.map(({ time }) => grid.position(time));
  const { swing, unit } = hits.length ? findSwing(rules, places, grid) : { swing: 0.5, unit: 0 };
  const straight = places.map((place) => Math.floor(place) + unswung(place - Math.floor(place), swing, unit));
  const beatSeconds = 60 / grid.bpm;
  const divisions = allowed(steps, grid.meter.beatQuarters);
  // A stroke slightly before a beat belongs to that beat.
  const early = Math.min(0.1, (1.5 * TIMING) / beatSeconds);
  const indices = hits.map((_, i) => i).sort((a, b) => Math.floor(straight[a] + early) - Math.floor(straight[b] + early) || a - b);
  const members = grouped(indices, (i) => Math.floor(straight[i] + early));
  /** @param {(division: number) => number} price @returns {Map<number, number>} */
  const divide = (price) => new Map(Array.from(members, ([beat, inside]) => [
    beat, divisionOf(rules, inside.map((i) => straight[i] - beat), inside.map((i) => hits[i]), divisions, price, beatSeconds)]));
  let chosen = divide((division) => COST[division]);
  if (divisions.length > 1) { // divisions used elsewhere in the recording are more likely
    const counts = grouped(chosen.values(), (division) => division);
    const total = chosen.size + 1;
    chosen = divide((division) => COST[division] + HABIT * Math.log(total / ((counts.get(division)?.length ?? 0) + 1)));
  }
  /** @type {[number, Hit][]} */
  const placed = [];
  for (const [beat, inside] of members) {
    const division = /** @type {number} */ (chosen.get(beat));
    const ticks = grid.meter.beatQuarters * TICKS;
    for (const i of inside) {
      const step = roundEven((straight[i] - beat) * division);
      placed.push([Math.max(0, beat * ticks + (step * ticks) / division), hits[i]]);
    }
  }
  return new Score(notesOf(rules, placed, figures), grid, swing, unit);
}

/** @param {Steps} steps @param {number} beatQuarters */
function allowed(steps, beatQuarters) {
  if (steps === "auto") {
    if (beatQuarters === 1.5) return [1, 3, 6, 12];
    return beatQuarters === 1 ? [1, 2, 3, 4, 5, 6, 7, 8] : [1, 2, 3, 4];
  }
  if (steps === 24 && beatQuarters === 1.5) {
    throw new Error("a grid of 24 (triplets) does not fit beats of three eighths; use 8 or 16");
  }
  return [Math.trunc((steps * beatQuarters) / 4)];
}

/** The cheapest division of one beat. @param {ScoreRules} rules @param {number[]} phases @param {Hit[]} hits @param {number[]} divisions
 * @param {(division: number) => number} price @param {number} beatSeconds */
function divisionOf({ constants }, phases, hits, divisions, price, beatSeconds) {
  const { ODD, TIMING, COLLISION, FLAM } = constants.quantise;
  if (divisions.length === 1) return divisions[0];
  return least(divisions, (division) => {
    const steps = phases.map((phase) => roundEven(phase * division));
    const used = new Set(steps);
    used.delete(division);
    if (ODD.includes(division) && used.size < division - 1) return Infinity;
    /** @type {Map<string, number>} */
    const taken = new Map();
    let [squares, collisions] = [0, 0];
    hits.forEach((hit, i) => {
      squares += (((phases[i] - steps[i] / division) * beatSeconds) / TIMING) ** 2;
      const key = `${hit.drum} ${steps[i]}`;
      const before = taken.get(key);
      if (before !== undefined && hit.time - before > FLAM) collisions += 1;
      taken.set(key, hit.time);
    });
    return squares / 2 + price(division) + COLLISION * collisions;
  });
}

/** In order; of several strokes of one drum on one position the loudest is the note.
 * @param {ScoreRules} rules @param {[number, Hit][]} placed @param {Figures} figures @returns {Note[]} */
function notesOf({ constants }, placed, { graces, rolls, ends }) {
  const { FLAM } = constants.quantise;
  /** @type {Note[]} */
  const notes = [];
  for (const group of grouped(placed, ([position, hit]) => `${position} ${hit.drum}`).values()) {
    const position = group[0][0];
    let main = group[0][1];
    /** @param {Hit} hit */
    const led = (hit) => Number(graces.has(hit) || rolls.has(hit));
    for (const [, hit] of group) {
      if ((led(hit) - led(main) || hit.velocity - main.velocity || hit.time - main.time) > 0) main = hit;
    }
    for (const hit of graces.get(main) ?? []) notes.push({ position, hit, grace: true, roll: [], until: null });
    for (const [, hit] of group) {
      if (hit === main) notes.push({ position, hit, grace: false, roll: rolls.get(hit) ?? [], until: ends.get(hit) ?? null });
      else if (main.time > hit.time && main.time - hit.time <= FLAM) notes.push({ position, hit, grace: true, roll: [], until: null });
    }
  }
  return notes.sort((a, b) => a.position - b.position || Number(b.grace) - Number(a.grace) || a.hit.drum - b.hit.drum ||
    a.hit.time - b.hit.time);
}

// Ruffs, drags and rolls

/** @param {ScoreRules} rules @param {Hit[]} hits in order @param {Grid} grid @returns {Figures} */
function findFigures({ constants }, hits, grid) {
  const { MOST_GRACES } = constants.figures;
  const graces = new Map();
  const rolls = new Map();
  const ends = new Map();
  const inner = new Set();
  const beatTicks = grid.meter.beatQuarters * TICKS;
  for (const run of runs(constants.figures, hits)) {
    const last = run[run.length - 1];
    const before = run.slice(0, -1);
    if (run.length > MOST_GRACES + 1) {
      const half = (last.time - run[0].time) / (run.length - 1) / 2;
      const parts = [...grouped(run, (hit) => Math.floor(grid.position(hit.time + half)))];
      parts.forEach(([beat, [first, ...others]], i) => {
        rolls.set(first, others);
        ends.set(first, i + 1 < parts.length ? (beat + 1) * beatTicks : endOf(last, grid));
        others.forEach((hit) => inner.add(hit));
      });
    } else if (before.length > 1 && last.velocity >= Math.max(...before.map(({ velocity }) => velocity))) {
      graces.set(last, before);
      before.forEach((hit) => inner.add(hit));
    }
  }
  return { rest: hits.filter((hit) => !inner.has(hit)), graces, rolls, ends };
}

/** Runs of close strokes on one drum. @param {Record<string, any>} constants @param {Hit[]} hits @returns {Hit[][]} */
function runs({ CLOSE, FEET }, hits) {
  /** @type {Map<number, Hit[][]>} */
  const found = new Map();
  for (const hit of hits) {
    const ofDrum = found.get(hit.drum) ?? [];
    found.set(hit.drum, ofDrum);
    const run = ofDrum[ofDrum.length - 1];
    if (run && !FEET.includes(hit.drum) && hit.time - run[run.length - 1].time < CLOSE) run.push(hit);
    else ofDrum.push([hit]);
  }
  return [...found.values()].flat().filter((run) =>
    run.length > 1 && run.every((hit, i) => i === 0 || run[i - 1].time < hit.time));
}

/** @param {Hit} last @param {Grid} grid */
function endOf(last, grid) {
  const parts = grid.meter.compound ? 6 : 4;
  return ((Math.floor(grid.position(last.time) * parts) + 1) * grid.meter.beatQuarters * TICKS) / parts;
}

// Swing

/** @param {ScoreRules} rules @param {number[]} places @param {Grid} grid @returns {{swing: number, unit: number}} */
function findSwing(rules, places, grid) {
  const none = { swing: 0.5, unit: 0 };
  if (grid.meter.beatQuarters !== 1) return none;
  const beatSeconds = 60 / grid.bpm;
  const phase = places.map((place) => place - Math.floor(place));
  let middle = phase.filter((at) => at > 0.42 && at < 0.74);
  const others = phase.filter((at) => (at > 0.15 && at <= 0.42) || (at >= 0.76 && at < 0.88));
  if (middle.length >= 8 && others.length < 0.2 * middle.length) {
    const share = median(middle);
    return alternates(rules, places, share, beatSeconds) ? { swing: share, unit: 8 } : none;
  }
  const doubled = places.map((place) => place * 2);
  const half = doubled.map((place) => place - Math.floor(place));
  middle = half.filter((at) => at > 0.42 && at < 0.72);
  const straight = phase.filter((at) => at > 0.42 && at < 0.58);
  if (middle.length >= 8 && straight.length >= 4) {
    const share = median(middle);
    const thirds = half.filter((at) => at > 0.28 && at <= 0.4);
    if (thirds.length < 0.2 * middle.length && alternates(rules, doubled, share, beatSeconds / 2)) return { swing: share, unit: 16 };
  }
  return none;
}

/** @param {ScoreRules} rules @param {number[]} pairs @param {number} share @param {number} seconds of a pair */
function alternates({ constants }, pairs, share, seconds) {
  const { SWUNG, LATE } = constants.quantise;
  if (share < SWUNG || (share - 0.5) * seconds < LATE) return false;
  const second = pairs.filter((place) => place - Math.floor(place) > 0.42 && place - Math.floor(place) < 0.74);
  const spread = median(second.map((place) => Math.abs(place - Math.floor(place) - share)));
  const firsts = new Set(pairs.filter((place) => Math.abs(place - roundEven(place)) < 0.15).map(roundEven));
  const secondsOf = new Set(second.map(Math.floor));
  const followed = [...secondsOf].filter((pair) => firsts.has(pair)).length / secondsOf.size;
  return spread < 0.5 * (share - 0.5) && followed >= 0.5 && secondsOf.size >= firsts.size / 4;
}

/** @param {number} phase of a beat, straight @param {number} share @param {number} unit */
function swung(phase, share, unit) {
  if (unit === 0) return phase;
  const pairs = unit === 8 ? 1 : 2;
  const pair = Math.floor(phase * pairs);
  const inside = phase * pairs - pair;
  return (pair + (inside < 0.5 ? inside * 2 * share : share + (inside - 0.5) * 2 * (1 - share))) / pairs;
}

/** The inverse of `swung`. @param {number} phase @param {number} share @param {number} unit */
function unswung(phase, share, unit) {
  if (unit === 0) return phase;
  const pairs = unit === 8 ? 1 : 2;
  const pair = Math.floor(phase * pairs);
  const inside = phase * pairs - pair;
  return (pair + (inside < share ? inside / (2 * share) : 0.5 + (inside - share) / (2 * (1 - share)))) / pairs;
}
