// Beats and scores under node, for test_score.py, which puts this file beside the sources.
//
//   node score_files.js RULES.json CASES.json RESULT.json
//
// A case: {hits: [time, drum, velocity, confidence][], seconds, known, title, tempo, steps, notes}. `tempo`, from Python, is
// what scores are written with, so that a difference of beats is not also one of scores.

import { readFileSync, writeFileSync } from "node:fs";
import { estimate } from "./estimate.js";
import { onGrid, written } from "./exports.js";
import { tempoOf } from "./tempo_map.js";

const [rules, cases] = process.argv.slice(2, 4).map((file) => JSON.parse(readFileSync(file, "utf8")));

/** The value, or the error's message. */
function attempt(make) {
  try {
    return make();
  } catch (error) {
    return { error: error.message };
  }
}

const results = cases.map(({ hits: rows, known, ...edited }) => {
  const hits = rows.map(([time, drum, velocity, confidence]) => ({ time, drum, velocity, confidence }));
  const began = performance.now();
  const grid = estimate(rules, hits, edited.seconds, known);
  const ms = performance.now() - began;
  const files = Object.keys(rules.formats).map((format) => {
    const data = attempt(() => written(rules, format, { ...edited, hits }));
    return [format, data instanceof Uint8Array ? { base64: Buffer.from(data).toString("base64") } : data];
  });
  const moved = attempt(() => onGrid(rules, { ...edited, hits }));
  return { tempo: grid && tempoOf(rules, grid), ms, files: Object.fromEntries(files), moved };
});
writeFileSync(process.argv[4], JSON.stringify(results));
