// A recording to hits: segments in batches, each batch encoded, searched and joined to what came before.

import { hypothesis } from "./hypothesis.js";
import { LogMel } from "./logmel.js";
import { segments } from "./recording.js";
import { Search } from "./search.js";
import { Stitch } from "./stitch.js";
import { measured, revised } from "./velocity.js";

const FIRST = 2; // segments in the first batch: something to see soon
const BATCH = 8;

/** @typedef {import("./rules.js").Rules} Rules */
/** @typedef {import("./hypothesis.js").Hit} Hit */
/** @typedef {{hits: Hit[], candidates: Hit[], warnings: string[], tokens: number[][]}} Result `tokens` of the segments */

/**
 * @param {Rules} rules
 * @param {import("./network.js").Network} network
 * @param {import("./recording.js").Recording} recording
 * @param {string} name of the recording, for warnings
 * @param {(done: number, hits: Hit[]) => void} onprogress share that is done, and hits of which only the velocity will change
 * @returns {Promise<Result>}
 */
export async function transcribe(rules, network, recording, name, onprogress = () => {}) {
  const { codec, decoding, audio } = rules;
  const features = new LogMel(rules.features, audio.hop);
  const steps = Math.ceil(recording.samples.length / audio.hop);
  const stitch = new Stitch(rules, steps);
  /** @type {Result} */
  const result = { hits: [], candidates: stitch.candidates, warnings: [...recording.warnings], tokens: [] };
  let size = FIRST;
  for (const batch of batches(segments(rules, recording), () => size)) {
    const found = [];
    for (const segment of batch) {
      const bands = features.bands(segment.audio);
      const encoded = await network.encode(bands);
      found.push({ segment, bands, encoded, search: new Search(rules, encoded.onset) });
    }
    const open = found.filter(({ search }) => !search.done);
    await network.search(open.map(({ search }) => search), open.map(({ encoded }) => encoded.memory));
    for (const { segment, bands, encoded, search } of found) {
      const heard = hypothesis(rules, search, encoded.velocity);
      result.tokens.push(heard.tokens);
      if (heard.cut) {
        const at = Math.max(0, segment.start / codec.perSecond);
        result.warnings.push(`${name}: over ${decoding.maxTokens} tokens (max_tokens) in the ` +
          `${codec.steps / codec.perSecond} s from ${at.toFixed(1)} s; hits were left out`);
      }
      const settled = stitch.add({ ...heard, hits: measured(rules, bands, heard.hits, heard.steps) }, segment.start);
      result.hits.push(...settled);
      onprogress(Math.min(1, (segment.start + codec.steps - decoding.marginSteps) / steps), settled);
    }
    size = BATCH;
  }
  const rest = stitch.settle();
  result.hits.push(...rest);
  onprogress(1, rest);
  return decoding.loudnessPass ? { ...result, hits: revised(rules, /** @type {any} */ (result.hits)) } : result;
}

/** @template T @param {Iterable<T>} items @param {() => number} size of the next batch @returns {Generator<T[]>} */
function* batches(items, size) {
  /** @type {T[]} */
  let batch = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length >= size()) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length) yield batch;
}
