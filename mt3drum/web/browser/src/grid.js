// Meters, and the beats and bars of a recording: as mt3drum/rhythm/grid.py.

import { differences, lastAtMost, median } from "./numbers.js";

export class Meter {
  /** @param {string} text such as 6/8 */
  constructor(text) {
    this.text = text;
    const [numerator, denominator] = text.split("/").map(Number);
    this.numerator = numerator;
    this.denominator = denominator;
    /** A beat is three eighths. */
    this.compound = this.denominator === 8 && this.numerator % 3 === 0 && this.numerator > 3;
    this.beats = this.compound ? this.numerator / 3 : this.numerator;
    this.beatQuarters = (4 / this.denominator) * (this.compound ? 3 : 1);
    this.barQuarters = (4 * this.numerator) / this.denominator;
  }
}

export class Grid {
  /** @param {ArrayLike<number>} beats seconds, rising @param {number} first beats of the first bar before the first of them
   * @param {Meter} meter @param {number} steadiness 0 to 1 */
  constructor(beats, first, meter, steadiness) {
    this.beats = Array.from(beats);
    this.first = first;
    this.meter = meter;
    this.steadiness = steadiness;
  }

  get bpm() {
    return 60 / median(differences(this.beats));
  }

  get downbeats() {
    const { beats } = this.meter;
    return this.beats.filter((_, i) => (this.first + i) % beats === 0);
  }

  /** Beats since the start of the first bar. @param {number} seconds */
  position(seconds) {
    const i = Math.min(Math.max(lastAtMost(this.beats, seconds), 0), this.beats.length - 2);
    return this.first + i + (seconds - this.beats[i]) / (this.beats[i + 1] - this.beats[i]);
  }

  /** The inverse of `position`. @param {number} position */
  seconds(position) {
    const i = Math.min(Math.max(Math.floor(position) - this.first, 0), this.beats.length - 2);
    return this.beats[i] + (position - this.first - i) * (this.beats[i + 1] - this.beats[i]);
  }

  /** With a bar of its own before the first beat, where a stroke lies clearly before it. @param {number} seconds
   * @param {import("./rules.js").ScoreRules} rules */
  reaching(seconds, { constants }) {
    const early = this.first === 0 && seconds < this.beats[0] - constants.grid.EARLY;
    return early ? new Grid(this.beats, this.meter.beats, this.meter, this.steadiness) : this;
  }
}
