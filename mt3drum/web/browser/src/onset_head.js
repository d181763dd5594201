// The onset head as a second opinion: a log-probability for every legal token, as mt3drum/decode/onset_head.py.

import { AFTER_TIME } from "./grammar.js";

/** @typedef {import("./rules.js").Rules} Rules */

/** @param {number} x */
export const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** @param {Rules} rules @param {Float32Array} logits [t c] @returns {Float32Array} */
export function probabilities({ decoding }, logits) {
  return logits.map((x) => sigmoid(x + decoding.onsetBias));
}

/** Zero what is not the highest of its class near it, or not of the classes that may be written; all [t c].
 * @param {Rules} rules @param {Float32Array} probability @param {Float32Array} logits */
export function suppressed({ decoding, codec, instruments }, probability, logits) {
  const count = instruments.length;
  const found = new Float32Array(probability.length);
  for (const drum of decoding.classes) {
    for (let step = 0; step < codec.steps; step++) {
      const here = logits[step * count + drum];
      let highest = true;
      const end = Math.min(step + decoding.suppress, codec.steps - 1);
      for (let near = Math.max(0, step - decoding.suppress); near <= end; near++) {
        if (logits[near * count + drum] > here) highest = false;
      }
      if (highest) found[step * count + drum] = probability[step * count + drum];
    }
  }
  return found;
}

export class OnsetTables {
  /** @param {Rules} rules @param {Float32Array} audible [t c] after suppression */
  constructor({ codec, decoding, instruments }, audible) {
    const { steps } = codec;
    const count = instruments.length;
    this.codec = codec;
    this.count = count;
    this.until = steps - decoding.marginSteps;
    this.drums = new Float64Array(steps * count); // [t c]: not the classes before c, and c
    this.skipped = new Float64Array(steps * (count + 1)); // [t c+1]: not the classes before c
    this.nothing = new Float64Array(steps + 1); // [t]: nothing in the frames before t
    this.something = new Float64Array(steps); // [t]: at least one class at t
    for (let step = 0; step < steps; step++) {
      let none = 0;
      for (let drum = 0; drum < count; drum++) {
        const p = Math.min(Math.max(audible[step * count + drum], decoding.floor), 1 - decoding.floor);
        this.drums[step * count + drum] = none + Math.log(p);
        if (step < this.until) none += Math.log1p(-p);
        this.skipped[step * (count + 1) + drum + 1] = none;
      }
      this.nothing[step + 1] = this.nothing[step] + none;
      this.something[step] = Math.log(Math.max(-Math.expm1(none), decoding.floor));
    }
  }

  /** Log-probabilities of the next token; no meaning where it is illegal.
   * @param {import("./grammar.js").State} state @param {Float64Array} out [v] */
  into({ phase, lastTime, lastDrum }, out) {
    const { codec, count } = this;
    const at = Math.max(lastTime, 0);
    const row = at * (count + 1);
    const struck = this.skipped[row + lastDrum + 1];
    // What is left of the classes of the last time is "not"; then frames are counted from the one after it.
    const rest = (lastTime >= 0 ? this.skipped[row + count] - struck : 0) - this.nothing[lastTime + 1];
    for (let step = 0; step < codec.steps; step++) {
      out[codec.firstTime + step] = this.nothing[step] + this.something[step] + rest;
    }
    out[codec.eos] = this.nothing[codec.steps] + rest;
    const first = phase === AFTER_TIME ? this.something[at] : 0;
    for (let drum = 0; drum < count; drum++) {
      out[codec.firstDrum + drum] = this.drums[at * count + drum] - struck - first;
    }
    out.fill(0, codec.firstVelocity);
  }
}
