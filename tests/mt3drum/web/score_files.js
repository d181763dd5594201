// Beats and scores under node, for test_score.py, which puts this file beside the sources.
//
//   node score_files.js RULES.json CASES.json RESULT.json
//
// A case: {hits: [time, drum, velocity, confidence][], seconds, known, tempo, grid, title}; beats are found where `tempo`
// is missing.

import { readFileSync, writeFileSync } from "node:fs";
import { estimate } from "./estimate.js";
import { tempoOf } from "./tempo_map.js";

const [rules, cases] = process.argv.slice(2, 4).map((file) => JSON.parse(readFileSync(file, "utf8")));
const results = cases.map(({ hits: rows, seconds, known }) => {
  const hits = rows.map(([time, drum, velocity, confidence]) => ({ time, drum, velocity, confidence }));
  const began = performance.now();
  const grid = estimate(rules, hits, seconds, known ?? {});
  return { tempo: grid && tempoOf(rules, grid), ms: performance.now() - began };
});
writeFileSync(process.argv[4], JSON.stringify(results));
