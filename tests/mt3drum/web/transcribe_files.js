// Transcription under node, for test_golden.py, which puts this file beside the sources: float32 samples in, tokens
// and hits out, as the page's worker makes them.
//
//   node transcribe_files.js MODEL_FOLDER RESULT.json FILE.f32 ...      (mono; FILE.2.f32: two channels, one after the other)

import { readFileSync, writeFileSync } from "node:fs";
import * as ort from "onnxruntime-web";
import { Network } from "./network.js";
import { openChannels } from "./recording.js";
import { transcribe } from "./transcribe.js";

const [folder, target, ...files] = process.argv.slice(2);
const rules = JSON.parse(readFileSync(`${folder}/rules.json`, "utf8"));
ort.env.wasm.numThreads = 1;
const sessions = await Promise.all(["encoder", "decoder"].map((name) =>
  ort.InferenceSession.create(readFileSync(`${folder}/${name}.onnx`), { executionProviders: ["wasm"] })));
const network = new Network(ort, rules, sessions[0], sessions[1]);
const results = [];
for (const file of files) {
  const bytes = readFileSync(file);
  const samples = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const count = Number(/\.(\d+)\.f32$/.exec(file)?.[1] ?? 1);
  const length = samples.length / count;
  const channels = Array.from({ length: count }, (_, c) => samples.slice(c * length, (c + 1) * length));
  const began = performance.now();
  const recording = openChannels(rules, channels, file);
  const { hits, candidates, tokens, warnings } = await transcribe(rules, network, recording, file);
  results.push({ hits, candidates, tokens, warnings, gain: recording.gain, seconds: (performance.now() - began) / 1000 });
}
writeFileSync(target, JSON.stringify(results));
