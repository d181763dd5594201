// The page's worker: sound in, picture and hits out, so that the page never waits.

import * as ort from "onnxruntime-web/wasm";
import { estimate } from "./estimate.js";
import { fetched, unpacked } from "./fetched.js";
import { Network } from "./network.js";
import { openChannels } from "./recording.js";
import { spectrogram } from "./spectrogram.js";
import { tempoOf } from "./tempo_map.js";
import { transcribe } from "./transcribe.js";

const MOST_THREADS = 4;

/** @typedef {import("./rules.js").Rules} Rules */
/** @typedef {{name: string, channels: Float32Array[]}} Task sound at 44.1 kHz */

/** @param {Rules} rules */
async function network(rules) {
  ort.env.wasm.wasmBinary = await unpacked("ort.wasm.gz");
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency) : 1;
  const [encoder, decoder] = await Promise.all(["encoder.onnx", "decoder.onnx"].map(async (name) =>
    (await fetched(name)).arrayBuffer()));
  const options = { executionProviders: ["wasm"] };
  return new Network(ort, rules, await ort.InferenceSession.create(encoder, options),
    await ort.InferenceSession.create(decoder, options));
}

/** @param {Uint8Array} grey @param {number} width @param {number} height */
async function png(grey, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const ink = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const pixels = Uint32Array.from(grey, (shade) => 0xff000000 | (shade << 16) | (shade << 8) | shade);
  ink.putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), width, height), 0, 0);
  const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer());
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

/** @param {Task} task */
async function work({ name, channels }) {
  /** @type {Rules} */
  const rules = await (await fetched("rules.json")).json();
  const recording = openChannels(rules, channels, name);
  const seconds = recording.samples.length / rules.audio.sampleRate;
  postMessage({ kind: "opened", seconds, silent: recording.gain === 0, spectrogram: await spectrogram(rules, recording.samples, png) });
  const loaded = await network(rules);
  const { hits, candidates, warnings } = await transcribe(rules, loaded, recording, name, (done, more) =>
    postMessage({ kind: "progress", done, hits: more }));
  const grid = estimate(rules.score, hits, seconds);
  const tempo = grid && tempoOf(rules.score, grid);
  postMessage({ kind: "done", hits, candidates, warnings, tempo, threads: ort.env.wasm.numThreads });
}

// ONNX Runtime starts its threads from this file: they have another name.
if (self.name === "transcribe") {
  addEventListener("message", (/** @type {MessageEvent<Task>} */ event) => {
    work(event.data).catch((error) => postMessage({ kind: "failed", message: String(error?.message ?? error) }));
  });
}
