// One segment's greedy search, token by token: as mt3drum/decode/product.py and beam_search.py with one beam.

import { AFTER_DRUM, Grammar } from "./grammar.js";
import { OnsetTables, probabilities, suppressed } from "./onset_head.js";

const ILLEGAL = -1e9; // finite: an impossible neighbour of an expectation costs no NaN

/** @typedef {import("./rules.js").Rules} Rules */

export class Search {
  /** @param {Rules} rules @param {Float32Array} onset logits [t c] of the onset head */
  constructor(rules, onset) {
    this.rules = rules;
    this.probability = probabilities(rules, onset);
    this.heard = this.probability.some((p) => p >= rules.decoding.silenceGate);
    /** @type {number[]} */
    this.tokens = [];
    /** @type {Float64Array[]} the decoder's log-probabilities of each token and its neighbours */
    this.windows = [];
    /** @type {number[]} the bin of velocity that the decoder expects at each position */
    this.velocity = [];
    this.done = !this.heard;
    if (this.done) return;
    this.grammar = new Grammar(rules);
    this.tables = new OnsetTables(rules, suppressed(rules, this.probability, onset));
    this.byDecoder = new Float64Array(rules.codec.size);
    this.byHead = new Float64Array(rules.codec.size);
  }

  /** The token to feed to the decoder next. */
  get last() {
    return this.tokens.length ? this.tokens[this.tokens.length - 1] : this.rules.codec.bos;
  }

  /** Choose the next token. @param {Float32Array} logits [v] of the decoder; they are changed */
  take(logits) {
    const { codec, decoding } = this.rules;
    const grammar = /** @type {Grammar} */ (this.grammar);
    const logs = /** @type {Float64Array} */ (this.byDecoder);
    const late = logSumExp(logits, codec.firstTime + grammar.until, codec.firstDrum);
    logits[codec.eos] = Math.max(logits[codec.eos], late) +
      Math.log1p(Math.exp(-Math.abs(logits[codec.eos] - late)));
    const legal = grammar.legal();
    const sum = logAdd(legal.map(([from, to]) => logSumExp(logits, from, to)));
    logs.fill(ILLEGAL);
    for (const [from, to] of legal) for (let id = from; id < to; id++) logs[id] = logits[id] - sum;
    const { mean, median } = this.expectedVelocity(logs);
    const mustEnd = this.tokens.length >= decoding.maxTokens - decoding.toFinish;
    const token = grammar.state.phase === AFTER_DRUM ? codec.firstVelocity + median : this.best(legal, mustEnd);
    this.tokens.push(token);
    this.velocity.push(mean);
    const { window } = decoding;
    this.windows.push(Float64Array.from({ length: 2 * window + 1 }, (_, i) =>
      logs[Math.min(Math.max(token + i - window, 0), codec.size - 1)]));
    grammar.advance(token);
    this.done = token === codec.eos;
  }

  /** The offered token of the highest product. @param {[number, number][]} legal @param {boolean} mustEnd */
  best(legal, mustEnd) {
    const grammar = /** @type {Grammar} */ (this.grammar);
    const byHead = /** @type {Float64Array} */ (this.byHead);
    const byDecoder = /** @type {Float64Array} */ (this.byDecoder);
    const { onsetWeight: weight } = this.rules.decoding;
    if (weight) /** @type {OnsetTables} */ (this.tables).into(grammar.state, byHead);
    let [found, highest] = [-1, -Infinity];
    for (const [from, to] of legal) {
      for (let id = from; id < to; id++) {
        const value = (1 - weight) * byDecoder[id] + weight * byHead[id];
        if (value > highest && grammar.offers(id, mustEnd)) [found, highest] = [id, value];
      }
    }
    return found;
  }

  /** @param {Float64Array} logs */
  expectedVelocity(logs) {
    const { firstVelocity, velocityBins } = this.rules.codec;
    const sum = logSumExp(logs, firstVelocity, firstVelocity + velocityBins);
    let [mean, below, median] = [0, 0, 0];
    for (let bin = 0; bin < velocityBins; bin++) {
      const mass = Math.exp(logs[firstVelocity + bin] - sum);
      mean += mass * bin;
      below += mass;
      if (below < 0.5) median = bin + 1;
    }
    return { mean, median: Math.min(median, velocityBins - 1) };
  }
}

/** @param {ArrayLike<number>} values @param {number} from @param {number} to */
function logSumExp(values, from, to) {
  let highest = -Infinity;
  for (let i = from; i < to; i++) highest = Math.max(highest, values[i]);
  if (highest === -Infinity) return highest;
  let sum = 0;
  for (let i = from; i < to; i++) sum += Math.exp(values[i] - highest);
  return highest + Math.log(sum);
}

/** @param {number[]} values */
const logAdd = (values) => logSumExp(values, 0, values.length);
