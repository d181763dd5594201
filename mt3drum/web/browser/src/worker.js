// The page's worker: sound in, picture and hits out, so that the page never waits.

import * as ort from "onnxruntime-web/wasm";
import { Network } from "./network.js";
import { openChannels } from "./recording.js";
import { spectrogram } from "./spectrogram.js";
import { transcribe } from "./transcribe.js";

const MOST_THREADS = 4;

/** @typedef {import("./rules.js").Rules} Rules */
/** @typedef {{name: string, channels: Float32Array[]}} Task sound at 44.1 kHz */

/** @param {string} name of a file of this site */
async function fetched(name) {
  const response = await fetch(new URL(name, location.href));
  if (!response.ok) throw new Error(`${name}: the server answers ${response.status}`);
  return response;
}

/** @param {Rules} rules */
async function network(rules) {
  const packed = await fetched("ort.wasm.gz");
  const body = /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ (packed.body);
  ort.env.wasm.wasmBinary = await new Response(body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
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
  postMessage({ kind: "opened", seconds, silent: recording.gain === 0, page: rules.page, spectrogram: await spectrogram(rules, recording.samples, png) });
  const loaded = await network(rules);
  const { hits, candidates, warnings } = await transcribe(rules, loaded, recording, name, (done, more) =>
    postMessage({ kind: "progress", done, hits: more }));
  postMessage({ kind: "done", hits, candidates, warnings, threads: ort.env.wasm.numThreads });
}

// ONNX Runtime starts its threads from this file: they have another name.
if (self.name === "transcribe") {
  addEventListener("message", (/** @type {MessageEvent<Task>} */ event) => {
    work(event.data).catch((error) => postMessage({ kind: "failed", message: String(error?.message ?? error) }));
  });
}
