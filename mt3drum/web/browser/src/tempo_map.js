// A grid as changes of tempo and meter: as mt3drum/rhythm/tempo_map.py. And what the page says of it.

import { Grid, Meter } from "./grid.js";
import { fixed, lastAtMost, rounded, roundEven } from "./numbers.js";

/** @typedef {import("./rules.js").ScoreRules} ScoreRules */

/** A piecewise linear map of quarter notes to seconds; 0 is 0. */
export class TempoMap {
  /** @param {ScoreRules} rules @param {Grid} grid as few tempos as keep every beat near it */
  constructor({ constants }, grid) {
    const { TOLERANCE } = constants.tempo_map;
    const { meter, beats } = grid;
    const leading = beats[0] > (beats[1] - beats[0]) / 2 ? 1 : 0;
    const pickup = leading + (meter.beats - (grid.first % meter.beats)) % meter.beats;
    // Without a leading beat the first one is stretched back to second 0.
    const knots = leading ? [0, ...beats] : [0, ...beats.slice(1)];
    const forced = new Set(leading || beats[0] > TOLERANCE ? [1, pickup] : [pickup]);
    /** @type {number[]} quarter notes, of second 0 and of every change */
    this.places = [];
    this.seconds = [0];
    /** @type {number[]} quarter notes a minute from there on */
    this.tempos = [];
    const anchors = anchorsOf(knots, forced, TOLERANCE);
    for (let i = 0; i + 1 < anchors.length; i++) {
      const quarters = (anchors[i + 1] - anchors[i]) * meter.beatQuarters;
      const last = this.seconds[this.seconds.length - 1];
      // Whole microseconds, as in MIDI; the next tempo makes up for the rest.
      const tempo = Math.max(1, roundEven((1e6 * (knots[anchors[i + 1]] - last)) / quarters));
      this.places.push(anchors[i] * meter.beatQuarters);
      this.tempos.push(6e7 / tempo);
      this.seconds.push(last + (quarters * tempo) / 1e6);
    }
    this.seconds.pop();
    /** @type {[number, number, number][]} quarter notes, numerator, denominator */
    this.meters = [[pickup * meter.beatQuarters, meter.numerator, meter.denominator]];
    if (pickup) this.meters.unshift([0, pickup * (meter.compound ? 3 : 1), meter.denominator]);
    /** Quarter notes from second 0 to the start of the first bar. */
    this.lead = (leading - grid.first) * meter.beatQuarters;
  }

  /** Quarter notes of a time. @param {number} seconds */
  quarters(seconds) {
    const i = lastAtMost(this.seconds, seconds);
    return this.places[i] + ((seconds - this.seconds[i]) * this.tempos[i]) / 60;
  }

  /** The inverse of `quarters`. @param {number} quarters */
  time(quarters) {
    const i = lastAtMost(this.places, quarters);
    return this.seconds[i] + ((quarters - this.places[i]) * 60) / this.tempos[i];
  }

  /** The grid with the times of this map. @param {Grid} grid */
  beats(grid) {
    const times = grid.beats.map((_, i) => this.time(this.lead + (grid.first + i) * grid.meter.beatQuarters));
    return new Grid(times, grid.first, grid.meter, grid.steadiness);
  }
}

/** Of the knots those that straight lines join which miss none of them by more than the tolerance.
 * @param {number[]} knots @param {Set<number>} forced @param {number} tolerance */
function anchorsOf(knots, forced, tolerance) {
  const anchors = [0];
  while (anchors[anchors.length - 1] < knots.length - 1) {
    const start = anchors[anchors.length - 1];
    let [low, high, reached] = [0, Infinity, start + 1];
    for (let end = start + 1; end < knots.length; end++) {
      const steps = end - start;
      const slope = (knots[end] - knots[start]) / steps;
      const fits = low <= slope && slope <= high;
      if (fits) reached = end;
      low = Math.max(low, (knots[end] - tolerance - knots[start]) / steps);
      high = Math.min(high, (knots[end] + tolerance - knots[start]) / steps);
      if (low > high || forced.has(end)) break;
    }
    anchors.push(reached);
  }
  return anchors;
}

/** @typedef {object} Tempo What the page knows of a grid, as `page_tempo` of mt3drum/web/page.py.
 * @property {number} bpm
 * @property {string} meter
 * @property {number} steadiness
 * @property {number} first
 * @property {number[]} beats
 * @property {number[]} downbeats
 * @property {string} text
 * @property {number} per_bar
 * @property {[number, number][]} tempos seconds, quarter notes a minute
 * @property {[number, number, number][]} meters seconds, numerator, denominator
 */

/** @param {ScoreRules} rules @param {Grid} grid @returns {Tempo} */
export function tempoOf(rules, grid) {
  const lines = new TempoMap(rules, grid);
  return {
    bpm: rounded(grid.bpm, 2),
    meter: grid.meter.text,
    steadiness: rounded(grid.steadiness, 3),
    first: grid.first,
    beats: grid.beats.map((beat) => rounded(beat, 4)),
    downbeats: grid.downbeats.map((beat) => rounded(beat, 4)),
    text: `${fixed(grid.bpm, 1)} bpm, ${grid.meter.text}`,
    per_bar: grid.meter.beats,
    tempos: lines.seconds.map((time, i) => [time, lines.tempos[i]]),
    meters: lines.meters.map(([quarters, top, bottom]) => [lines.time(quarters), top, bottom]),
  };
}

/** The inverse of `tempoOf`. @param {Tempo} tempo */
export const gridOf = ({ beats, first, meter, steadiness }) => new Grid(beats, first, new Meter(meter), steadiness);
