// The grammar `(time (drum velocity)+)* EOS`, as tokenizer/grammar.py, and the options that narrow it, as
// mt3drum/decode/constraints.py.

export const [START, AFTER_TIME, AFTER_DRUM, AFTER_VELOCITY, ENDED] = [0, 1, 2, 3, 4];
const NEVER = -1_000_000; // steps: long before the segment

/** @typedef {import("./rules.js").Rules} Rules */
/** @typedef {{phase: number, lastTime: number, lastDrum: number}} State */

export class Grammar {
  /** @param {Rules} rules */
  constructor({ codec, decoding, instruments }) {
    this.codec = codec;
    this.gap = decoding.gapSteps;
    this.classes = decoding.classes;
    this.until = codec.steps - decoding.marginSteps;
    /** @type {State} */
    this.state = { phase: START, lastTime: -1, lastDrum: -1 };
    this.struck = new Int32Array(instruments.length).fill(NEVER);
    this.offeredClass = instruments.map((_, drum) => decoding.classes.includes(drum));
  }

  get resting() {
    return this.state.phase === START || this.state.phase === AFTER_VELOCITY;
  }

  /** What the grammar allows next, as ranges [from, to) of ids. @returns {[number, number][]} */
  legal() {
    const { codec, state, until } = this;
    /** @type {[number, number][]} */
    const ranges = [];
    if (this.resting) {
      ranges.push([codec.eos, codec.eos + 1]);
      if (state.lastTime + 1 < until) ranges.push([codec.firstTime + state.lastTime + 1, codec.firstTime + until]);
    }
    if (state.phase === AFTER_TIME || state.phase === AFTER_VELOCITY) {
      ranges.push([codec.firstDrum + state.lastDrum + 1, codec.firstVelocity]);
    }
    if (state.phase === AFTER_DRUM) ranges.push([codec.firstVelocity, codec.size]);
    if (state.phase === ENDED) ranges.push([codec.pad, codec.pad + 1]);
    return ranges;
  }

  /** Whether a legal token is offered. @param {number} token @param {boolean} mustEnd */
  offers(token, mustEnd) {
    const { codec, state, gap } = this;
    if (mustEnd && this.resting && token !== codec.eos) return false;
    if (token < codec.firstTime || token >= codec.firstVelocity) return true;
    if (token >= codec.firstDrum) {
      const drum = token - codec.firstDrum;
      return this.offeredClass[drum] && (!gap || this.struck[drum] + gap <= state.lastTime);
    }
    return !gap || this.classes.some((drum) => this.struck[drum] + gap <= token - codec.firstTime);
  }

  /** @param {number} token legal */
  advance(token) {
    const { codec, state } = this;
    if (token >= codec.firstVelocity) {
      this.state = { ...state, phase: AFTER_VELOCITY };
    } else if (token >= codec.firstDrum) {
      const drum = token - codec.firstDrum;
      this.struck[drum] = state.lastTime;
      this.state = { ...state, phase: AFTER_DRUM, lastDrum: drum };
    } else if (token >= codec.firstTime) {
      this.state = { phase: AFTER_TIME, lastTime: token - codec.firstTime, lastDrum: -1 };
    } else {
      this.state = { ...state, phase: ENDED };
    }
  }
}
