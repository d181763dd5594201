// The two graphs, run by ONNX Runtime; and the decoder's memory of a batch of segments.

const ROOM = 64; // entries: a cache grows by so many
const COMPACT = 0.75; // segments leave the batch when at most this share is left

/** @typedef {import("./rules.js").Rules} Rules */
/** @typedef {typeof import("onnxruntime-web")} Ort */
/** @typedef {import("onnxruntime-web").InferenceSession} Session */
/** @typedef {import("onnxruntime-web").Tensor} Tensor */
/** @typedef {{onset: Float32Array, velocity: Float32Array, memory: Map<string, Float32Array>}} Encoded one segment;
 * `memory` is what the decoder reads: cross-attention and time keys */

export class Network {
  /** @param {Ort} ort @param {Rules} rules @param {Session} encoder @param {Session} decoder */
  constructor(ort, rules, encoder, decoder) {
    this.ort = ort;
    this.rules = rules;
    this.encoder = encoder;
    this.decoder = decoder;
    const layers = Array.from({ length: rules.model.decoderLayers }, (_, layer) => layer);
    /** @param {string} kind */
    const names = (kind) => layers.flatMap((layer) => [`${kind}_${layer}_key`, `${kind}_${layer}_value`]);
    this.own = names("own");
    this.fresh = names("new");
    this.memory = [...names("cross"), "time_keys"];
  }

  /** @param {Float32Array} bands [window band frame] of one segment @returns {Promise<Encoded>} */
  async encode(bands) {
    const { features, codec } = this.rules;
    const shape = [1, features.channels.length, features.bands, codec.steps];
    const found = await this.encoder.run({ bands: new this.ort.Tensor("float32", bands, shape) });
    /** @param {string} name */
    const data = (name) => /** @type {Float32Array} */ (found[name].data);
    return {
      onset: data("onset"),
      velocity: data("velocity"),
      memory: new Map(this.memory.map((name) => [name, data(name)])),
    };
  }

  /** Let searches choose their tokens until all have ended.
   * @param {import("./search.js").Search[]} searches @param {Map<string, Float32Array>[]} memories of the same segments */
  async search(searches, memories) {
    let batch = new Batch(this, searches, memories);
    while (batch.searches.length) {
      const logits = await batch.step();
      const { size } = this.rules.codec;
      batch.searches.forEach((search, row) => {
        if (!search.done) search.take(logits.subarray(row * size, (row + 1) * size));
      });
      const going = batch.searches.flatMap((search, row) => (search.done ? [] : [row]));
      if (going.length <= COMPACT * batch.searches.length) batch = batch.kept(going);
    }
  }
}

class Batch {
  /** @param {Network} network @param {import("./search.js").Search[]} searches @param {Map<string, Float32Array>[]} memories */
  constructor(network, searches, memories) {
    this.network = network;
    this.searches = searches;
    this.memories = memories;
    this.position = 0;
    this.room = ROOM;
    const { heads, headWidth } = network.rules.model;
    this.own = network.own.map(() => new Float32Array(searches.length * heads * ROOM * headWidth));
    this.fixed = this.together();
  }

  /** What stays the same from step to step, as tensors. @returns {Record<string, Tensor>} */
  together() {
    const { network, memories } = this;
    const { model, codec } = network.rules;
    if (!memories.length) return {};
    return Object.fromEntries(network.memory.map((name) => {
      const size = /** @type {Float32Array} */ (memories[0].get(name)).length;
      const data = new Float32Array(size * memories.length);
      memories.forEach((memory, row) => data.set(/** @type {Float32Array} */ (memory.get(name)), row * size));
      const shape = name === "time_keys"
        ? [memories.length, codec.steps, size / codec.steps]
        : [memories.length, model.heads, size / model.heads / model.headWidth, model.headWidth];
      return [name, new network.ort.Tensor("float32", data, shape)];
    }));
  }

  /** Feed every search's last token. @returns {Promise<Float32Array>} logits [b v] */
  async step() {
    const { network, searches, position } = this;
    const { Tensor } = network.ort;
    const { heads, headWidth } = network.rules.model;
    const count = searches.length;
    if (position === this.room) this.grow();
    const row = new Float32Array(this.room + 1).fill(-Infinity, position, this.room);
    const mask = new Float32Array(count * row.length);
    for (let b = 0; b < count; b++) mask.set(row, b * row.length);
    /** @type {Record<string, Tensor>} */
    const feeds = {
      ...this.fixed,
      tokens: new Tensor("int32", Int32Array.from(searches, ({ last }) => last), [count, 1]),
      position: new Tensor("float32", new Float32Array(count).fill(position), [count, 1]),
      mask: new Tensor("float32", mask, [count, 1, row.length]),
    };
    network.own.forEach((name, i) => {
      feeds[name] = new Tensor("float32", this.own[i], [count, heads, this.room, headWidth]);
    });
    const found = await network.decoder.run(feeds);
    network.fresh.forEach((name, i) => {
      const data = /** @type {Float32Array} */ (found[name].data);
      for (let at = 0; at < count * heads; at++) {
        this.own[i].set(data.subarray(at * headWidth, (at + 1) * headWidth), (at * this.room + position) * headWidth);
      }
    });
    this.position += 1;
    return /** @type {Float32Array} */ (found.logits.data);
  }

  grow() {
    const { heads, headWidth } = this.network.rules.model;
    const [before, after] = [this.room * headWidth, (this.room + ROOM) * headWidth];
    this.own = this.own.map((data) => {
      const longer = new Float32Array(this.searches.length * heads * after);
      for (let at = 0; at < this.searches.length * heads; at++) {
        longer.set(data.subarray(at * before, (at + 1) * before), at * after);
      }
      return longer;
    });
    this.room += ROOM;
  }

  /** @param {number[]} rows the segments that stay, rising */
  kept(rows) {
    const { heads, headWidth } = this.network.rules.model;
    const size = heads * this.room * headWidth;
    const own = this.own.map((data) => {
      const fewer = new Float32Array(rows.length * size);
      rows.forEach((row, at) => fewer.set(data.subarray(row * size, (row + 1) * size), at * size));
      return fewer;
    });
    const next = new Batch(this.network, rows.map((row) => this.searches[row]), rows.map((row) => this.memories[row]));
    return Object.assign(next, { own, position: this.position, room: this.room });
  }
}
