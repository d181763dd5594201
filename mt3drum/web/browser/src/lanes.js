// Gems of rhythm games, in four difficulties, and roll lanes: as mt3drum/formats/lanes.py and roll_lanes.py.

import { marker } from "./marks.js";
import { grouped } from "./numbers.js";

/** @typedef {import("./rules.js").ScoreRules} ScoreRules */
/** @typedef {import("./hypothesis.js").Hit} Hit */
/** @typedef {object} Gem
 * @property {number} tick
 * @property {number} lane
 * @property {boolean} cymbal
 * @property {string} mark
 * @property {boolean} double a kick of the second pedal
 * @property {boolean} flam
 * @property {number} time when it sounds, in seconds
 */
/** @typedef {{start: number, end: number, lanes: number[]}} RollLane ticks */

/** @param {Gem} a @param {Gem} b */
const inOrder = (a, b) => a.tick - b.tick || a.lane - b.lane || Number(a.cymbal) - Number(b.cymbal) ||
  (a.mark < b.mark ? -1 : Number(a.mark > b.mark)) || Number(a.double) - Number(b.double) || Number(a.flam) - Number(b.flam) ||
  a.time - b.time;

/** Which strokes of a chord take their lane first: least is first. @param {ScoreRules} rules @param {Hit} a @param {Hit} b */
export function precedence({ constants, drums }, a, b) {
  const { LET_GO } = constants.lanes;
  /** @param {Hit} hit */
  const rank = (hit) => -Math.max(0, LET_GO.indexOf(drums[hit.drum].family));
  return rank(a) - rank(b) || b.velocity - a.velocity;
}

/** One gem a hit, as long as hands and lanes allow. @param {ScoreRules} rules @param {Hit[]} hits @param {number[]} ticks
 * @param {Set<Hit>} flams @returns {Gem[]} */
export function chartGems(rules, hits, ticks, flams) {
  const { KICK, HANDS } = rules.constants.lanes;
  const mark = marker(rules, hits);
  const chords = grouped(hits.map((hit, i) => ({ hit, tick: ticks[i] })), ({ tick }) => tick);
  /** @type {Gem[]} */
  const gems = [];
  for (const [tick, chord] of [...chords].sort((a, b) => a[0] - b[0])) {
    /** @type {Set<number>} */
    const taken = new Set();
    for (const { hit } of chord.sort((a, b) => precedence(rules, a.hit, b.hit))) {
      const where = rules.drums[hit.drum].lane;
      if (!where) continue;
      const full = where.lane !== KICK && [...taken].filter((lane) => lane !== KICK).length === HANDS;
      const lane = full ? null : free(rules, where.lane, taken);
      if (lane === null) continue;
      taken.add(lane);
      gems.push({ tick, lane, cymbal: where.cymbal, mark: lane === KICK ? "" : mark(hit), double: false, flam: flams.has(hit), time: hit.time });
    }
  }
  gems.sort(inOrder);
  doubleKicks(rules, gems);
  return gems;
}

/** @param {ScoreRules} rules @param {number} lane @param {Set<number>} taken @returns {number | null} */
function free({ constants }, lane, taken) {
  const { KICK, RED, BLUE, GREEN, YELLOW } = constants.lanes;
  if (!taken.has(lane)) return lane;
  if (lane === KICK || lane === RED) return null; // a rim and a head struck together are one snare
  return [BLUE, GREEN, YELLOW].find((other) => !taken.has(other)) ?? null;
}

/** @param {ScoreRules} rules @param {Gem[]} gems */
function doubleKicks({ constants }, gems) {
  const { KICK, DOUBLE_KICK } = constants.lanes;
  let [last, second] = [-1, false];
  for (const gem of gems) {
    if (gem.lane !== KICK) continue;
    second = last >= 0 && gem.time - last < DOUBLE_KICK && !second;
    last = gem.time;
    gem.double = second;
  }
}

/** An easier chart: fewer gems, never other ones. @param {ScoreRules} rules @param {Gem[]} gems @param {string} difficulty
 * @param {number} resolution @returns {Gem[]} */
export function thin(rules, gems, difficulty, resolution) {
  const { DIFFICULTIES, KICK, RED, LEAST_GAP, KICK_GAP, MOST_HANDS } = rules.constants.lanes;
  if (difficulty === "Expert") return gems;
  const harder = DIFFICULTIES[DIFFICULTIES.indexOf(difficulty) - 1];
  const keep = thin(rules, gems, harder, resolution).filter((gem) => !gem.double && !(gem.mark === "ghost" && difficulty !== "Hard"));
  const times = new Map(gems.map((gem) => [gem.tick, gem.time])); // of a chord that of its last gem
  const hands = spaced(keep.filter((gem) => gem.lane !== KICK), times, LEAST_GAP[difficulty], resolution);
  let kicks = spaced(keep.filter((gem) => gem.lane === KICK), times, KICK_GAP[difficulty], resolution);
  // The backbeat, then crash before ride before hi-hat.
  const kept = hands.flatMap(([, chord]) => [...chord]
    .sort((a, b) => Number(a.lane !== RED) - Number(b.lane !== RED) || b.lane - a.lane).slice(0, MOST_HANDS[difficulty]));
  if (difficulty === "Easy") { // one limb at a time
    const struck = new Set(kept.map(({ tick }) => tick));
    kicks = kicks.filter(([tick]) => !struck.has(tick));
  }
  return [...kept, ...kicks.flatMap(([, chord]) => chord)].sort(inOrder);
}

/** @param {number} tick @param {number} resolution 0 on a beat, 1 on its half, 2 on its quarters and thirds, 3 elsewhere */
function strength(tick, resolution) {
  const parts = [resolution, resolution / 2, resolution / 4, resolution / 3];
  const at = parts.findIndex((part) => tick % Math.floor(part) === 0);
  return at < 0 ? 3 : Math.max(0, at - Number(at === 3));
}

/** Chords with room between them. @param {Gem[]} gems @param {Map<number, number>} times @param {number} gap @param {number} resolution
 * @returns {[number, Gem[]][]} */
function spaced(gems, times, gap, resolution) {
  const chords = grouped([...gems].sort(inOrder), ({ tick }) => tick);
  /** @param {number} tick */
  const time = (tick) => /** @type {number} */ (times.get(tick));
  /** @type {number[]} */
  const kept = [];
  for (const tick of chords.keys()) {
    let stronger = false;
    while (kept.length && time(tick) - time(kept[kept.length - 1]) < gap) {
      stronger = strength(kept[kept.length - 1], resolution) <= strength(tick, resolution);
      if (stronger) break;
      kept.pop();
    }
    if (!stronger) kept.push(tick);
  }
  return kept.map((tick) => [tick, /** @type {Gem[]} */ (chords.get(tick))]);
}

/** Where a game asks for fast strokes. @param {ScoreRules} rules @param {Gem[]} gems @returns {RollLane[]} */
export function findRolls({ constants }, gems) {
  const { GAP, KICK } = constants.roll_lanes;
  /** @type {{tick: number, lane: number, time: number}[][]} */
  const runs = [[]];
  for (const [tick, chord] of grouped(gems.filter((gem) => gem.lane !== KICK), (gem) => gem.tick)) {
    const run = runs[runs.length - 1];
    if (chord.length > 1 || (run.length && chord[0].time - run[run.length - 1].time > GAP)) runs.push([]);
    if (chord.length === 1) runs[runs.length - 1].push({ tick, lane: chord[0].lane, time: chord[0].time });
  }
  return runs.flatMap((run) => rollsOf(constants.roll_lanes, run));
}

/** @param {Record<string, any>} constants @param {{tick: number, lane: number}[]} run */
function rollsOf({ LEAST_ONE, LEAST_TWO }, run) {
  /** @type {RollLane[]} */
  const rolls = [];
  for (let at = 0; at < run.length;) {
    const [one, two] = [same(run, at), alternating(run, at)];
    const end = one - at >= LEAST_ONE ? one : two - at >= LEAST_TWO ? two : null;
    if (end === null) {
      at += 1;
      continue;
    }
    rolls.push({ start: run[at].tick, end: run[end - 1].tick, lanes: [...new Set(run.slice(at, end).map(({ lane }) => lane))] });
    at = end;
  }
  return rolls;
}

/** @param {{lane: number}[]} run @param {number} at */
function same(run, at) {
  let end = at + 1;
  while (end < run.length && run[end].lane === run[at].lane) end += 1;
  return end;
}

/** @param {{lane: number}[]} run @param {number} at */
function alternating(run, at) {
  let end = at + 1;
  while (end < run.length && run[end].lane !== run[end - 1].lane) {
    if (end - at >= 2 && run[end].lane !== run[end - 2].lane) break;
    end += 1;
  }
  return end;
}

/** Where each roll ends. @param {RollLane[]} rolls @param {number} length */
export const phraseEnds = (rolls, length) =>
  rolls.map(({ end }, i) => Math.min(end + length, rolls[i + 1]?.start ?? Infinity));
