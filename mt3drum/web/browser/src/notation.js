// From a score to what is printed: as mt3drum/formats/notation.py. Lengths and places in ticks (quantise.js).

import { grouped } from "./numbers.js";
import { TICKS } from "./quantise.js";

/** @typedef {import("./rules.js").ScoreRules} ScoreRules */
/** @typedef {import("./quantise.js").Note} Note */
/** @typedef {import("./quantise.js").Score} Score */
/** @typedef {object} ChordRest A chord or a rest of one voice.
 * @property {number} start from the start of the bar
 * @property {number} length
 * @property {string} value "" for a rest of a whole bar
 * @property {number} dots
 * @property {[number, number] | null} tuplet
 * @property {string} edge "start" or "stop" of its tuplet
 * @property {Note[]} notes
 * @property {Note[]} graces
 * @property {string[]} beams
 * @property {number} tremolo
 * @property {string[]} ties
 */
/** @typedef {{hands: ChordRest[], feet: ChordRest[]}} Bar */

/** Every bar from the first with a note to the last. @param {ScoreRules} rules @param {Score} score @returns {Bar[]} */
export function barsOf(rules, score) {
  const { FEET } = rules.constants.notation;
  const contents = Array.from({ length: score.bars - score.firstBar }, () => /** @type {[Note[], Note[]]} */ ([[], []]));
  for (const note of score.notes) {
    const number = Math.floor(note.position / score.bar);
    const start = number * score.bar;
    const until = note.until === null ? null : note.until - start;
    contents[number - score.firstBar][Number(FEET.includes(note.hit.drum))].push({ ...note, position: note.position - start, until });
  }
  const writer = new Writer(rules, score);
  return contents.map(([hands, feet]) => ({
    hands: hands.length || !feet.length ? writer.voice(hands) : [rest(0, score.bar)],
    feet: feet.length ? writer.voice(feet) : [],
  }));
}

/** @param {number} start @param {number} length @param {string} value @param {number} dots @returns {ChordRest} */
function rest(start, length, value = "", dots = 0) {
  return { start, length, value, dots, tuplet: null, edge: "", notes: [], graces: [], beams: [], tremolo: 0, ties: [] };
}

class Writer {
  /** @param {ScoreRules} rules @param {Score} score */
  constructor({ constants, drums }, score) {
    this.constants = constants.notation;
    this.score = score;
    this.meter = score.grid.meter;
    this.groups = this.groupsOf(drums);
  }

  /** Beats of each group of a bar. @param {import("./rules.js").DrumRules[]} drums @returns {number[]} */
  groupsOf(drums) {
    const { meter, score } = this;
    const { GROUPINGS, TIMEKEEPERS } = this.constants;
    if (meter.compound || meter.denominator !== 8) return new Array(meter.beats).fill(1);
    /** @type {Map<number, number>} */
    const weight = new Map();
    for (const { position, hit, grace } of score.notes) {
      if (grace || TIMEKEEPERS.includes(drums[hit.drum].family)) continue;
      weight.set(position % score.bar, (weight.get(position % score.bar) ?? 0) + 1);
    }
    /** @param {number[]} grouping */
    const starts = (grouping) => {
      let [sum, eighths] = [0, 0];
      for (const size of grouping) {
        eighths += size;
        sum += weight.get(eighths * score.beat) ?? 0;
      }
      return sum;
    };
    /** @type {number[][]} */
    const groupings = GROUPINGS[meter.numerator];
    return groupings.reduce((best, each) => (starts(each) > starts(best) ? each : best));
  }

  /** @param {Note[]} notes @returns {ChordRest[]} */
  voice(notes) {
    const { meter, score, groups } = this;
    if (!notes.length) return [rest(0, score.bar)];
    let beat = 0;
    const beats = groups.map((count) => {
      const events = this.group(notes, beat * score.beat, count);
      beat += count;
      return events;
    });
    /** @param {ChordRest[]} events */
    const silent = (events) => !events.some((event) => event.notes.length);
    /** @type {ChordRest[]} */
    const events = [];
    for (let number = 0; number < beats.length; number++) {
      if (meter.beats === 4 && number % 2 === 0 && silent(beats[number]) && silent(beats[number + 1])) {
        const length = 2 * score.beat;
        const { value, dots } = this.value(length);
        events.push(rest(beats[number][0].start, length, value, dots));
        number += 1;
        continue;
      }
      let group = beats[number];
      if (meter.beats % 2 === 0 && number % 2 === 0 && twoEighths(group) && twoEighths(beats[number + 1])) {
        group = [...group, ...beats[number + 1]]; // four eighths under one beam
        number += 1;
      }
      events.push(...this.beamed(group));
    }
    return events;
  }

  /** Of one span where its strokes can be written so, else beat by beat. @param {Note[]} notes @param {number} start
   * @param {number} beats @returns {ChordRest[]} */
  group(notes, start, beats) {
    const length = beats * this.score.beat;
    const division = this.division(this.places(notes, start, length).keys(), length);
    if (beats === 1 || (division !== null && division <= 12)) return this.beat(notes, start, length);
    return Array.from({ length: beats }, (_, i) => this.beat(notes, start + i * this.score.beat, this.score.beat)).flat();
  }

  /** Ticks from the start of a span to the notes there; none where a roll ends. @param {Note[]} notes @param {number} start
   * @param {number} length @returns {Map<number, Note[]>} */
  places(notes, start, length) {
    const inside = notes.filter(({ position }) => start <= position && position < start + length);
    const places = grouped(inside, ({ position }) => position - start);
    for (const [at, chord] of [...places]) {
      const end = Math.max(-1, ...chord.flatMap(({ until }) => (until === null ? [] : [until - start])));
      if (end >= 0 && end < length && ![...places.keys()].some((other) => at < other && other <= end)) places.set(end, []);
    }
    return places;
  }

  /** @param {Iterable<number>} places @param {number} length @returns {number | null} */
  division(places, length) {
    const all = [...places];
    const { COMPOUND_DIVISIONS, DIVISIONS } = this.constants;
    const found = (odd(length) === 3 ? COMPOUND_DIVISIONS : DIVISIONS).find((/** @type {number} */ division) =>
      all.every((place) => (place * division) % length === 0));
    return found ?? null;
  }

  /** @param {Note[]} notes @param {number} start @param {number} length @returns {ChordRest[]} */
  beat(notes, start, length) {
    const places = this.places(notes, start, length);
    const division = this.division(places.keys(), length);
    if (division === null) throw new Error(`places ${[...places.keys()]} of a beat of ${length} cannot be written`);
    /** @type {[number, number] | null} */
    let tuplet = null;
    let plain = division;
    if (odd(length) !== 3 && division & (division - 1)) {
      plain = 2 ** Math.floor(Math.log2(division)); // 3 in the time of 2; 5, 6 and 7 in that of 4, 12 of 8
      tuplet = [division, plain];
    }
    const unit = length / plain; // printed length of one step
    const byStep = new Map(Array.from(places, ([place, chord]) => [(place * division) / length, chord]));
    const onsets = [...byStep.keys()].sort((a, b) => a - b);
    /** @type {ChordRest[]} */
    const events = [];
    [0, ...onsets].forEach((step, i) => {
      const after = onsets[i] ?? division;
      if (after === step) return;
      const chord = byStep.get(step) ?? [];
      const rolled = chord.filter((note) => note.roll.length);
      for (const { at, steps, first } of pieces(step, after, chord.length > 0 && tuplet === null)) {
        const { value, dots } = this.value(unit * steps);
        const own = first ? chord : rolled;
        const ties = [...(first ? [] : ["stop"]), ...(at + steps === after ? [] : ["start"])];
        events.push({
          ...rest(start + (length * at) / division, (length * steps) / division, value, dots),
          tuplet,
          notes: own.filter((note) => !note.grace),
          graces: own.filter((note) => note.grace),
          tremolo: rolled.length ? Math.max(1, 3 - this.flags(value)) : 0,
          ties: rolled.length ? ties : [],
        });
      }
    });
    if (tuplet) {
      events[0].edge = "start";
      events[events.length - 1].edge = "stop";
    }
    return events;
  }

  /** Name and dots of a printed length. @param {number} length */
  value(length) {
    const { VALUES } = this.constants;
    for (const [dots, plain] of [[0, length], [1, (length * 2) / 3]]) {
      const exponent = 2 - Math.log2(plain / TICKS);
      if (Number.isInteger(exponent) && exponent >= 0 && exponent < VALUES.length) return { value: VALUES[exponent], dots };
    }
    throw new Error(`a note of ${length / TICKS} quarters cannot be written`);
  }

  /** @param {string} value */
  flags(value) {
    const { VALUES } = this.constants;
    return Math.max(0, VALUES.indexOf(value) - VALUES.indexOf("quarter"));
  }

  /** Beams over each run of notes shorter than a quarter. @param {ChordRest[]} events */
  beamed(events) {
    /** @type {ChordRest[]} */
    let run = [];
    const end = () => {
      if (run.length > 1) this.beam(run);
      run = [];
    };
    for (const event of events) {
      if (event.notes.length && this.flags(event.value)) run.push(event);
      else end();
    }
    end();
    return events;
  }

  /** @param {ChordRest[]} run */
  beam(run) {
    const flags = run.map(({ value }) => this.flags(value));
    run.forEach((event, i) => {
      event.beams = Array.from({ length: flags[i] }, (_, level) => {
        const before = i > 0 && flags[i - 1] > level;
        const after = i + 1 < run.length && flags[i + 1] > level;
        if (before && after) return "continue";
        if (before || after) return before ? "end" : "begin";
        return i > 0 ? "backward hook" : "forward hook";
      });
    });
  }
}

/** The odd part of the numerator of a length in quarter notes: 3 for three eighths. @param {number} length */
function odd(length) {
  let eighths = length / (TICKS / 8); // of 1/8 quarter: whole for every span of beats
  while (eighths % 2 === 0) eighths /= 2;
  return eighths;
}

/** The values that fill a stretch of steps; notes may be dotted. @param {number} start @param {number} end @param {boolean} dotted */
function pieces(start, end, dotted) {
  const found = [];
  for (let at = start; at < end;) {
    let steps = 2 ** Math.floor(Math.log2(end - at));
    if (dotted && at === start && steps % 2 === 0 && (steps * 3) / 2 <= end - at) steps = (steps * 3) / 2;
    if (steps === end - at && steps === 3) steps = dotted && at === start ? 3 : 2; // three steps of a beat
    found.push({ at, steps, first: at === start });
    at += steps;
  }
  return found;
}

/** @param {ChordRest[]} events */
const twoEighths = (events) => events.length === 2 && events.every((event) =>
  event.notes.length && event.value === "eighth" && !event.dots && !event.tuplet);
