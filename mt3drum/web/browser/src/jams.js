// JAMS: as mt3drum/formats/tables.py.

import { rounded } from "./numbers.js";

/** @typedef {import("./rules.js").ScoreRules} ScoreRules */
/** @typedef {import("./hypothesis.js").Hit} Hit */
/** @typedef {{time: number, duration: number, value: unknown, confidence: number | null}} Row */

/** @param {ScoreRules} rules @param {Hit[]} hits @param {number} seconds @param {string} title
 * @param {import("./grid.js").Grid | null} grid @param {number[]} notes of each drum */
export function toJams({ drums }, hits, seconds, title, grid, notes) {
  const duration = hits.reduce((latest, { time }) => Math.max(latest, time), seconds);
  /** @param {(hit: Hit) => unknown} value @returns {Row[]} */
  const rows = (value) => hits.map((hit) => ({ time: hit.time, duration: 0, value: value(hit), confidence: hit.confidence }));
  const annotations = [
    annotation("note_midi", duration, rows((hit) => notes[hit.drum])),
    annotation("blob", duration, rows((hit) => ({ drum: drums[hit.drum].name, velocity: hit.velocity }))),
  ];
  if (grid) {
    const beats = grid.beats.map((time, i) =>
      ({ time, duration: 0, value: ((grid.first + i) % grid.meter.beats) + 1, confidence: null }));
    annotations.push(annotation("beat", duration, beats.filter(({ time }) => time <= duration)));
    annotations.push(annotation("tempo", duration, [{ time: 0, duration, value: rounded(grid.bpm, 3), confidence: 1 }]));
  }
  const file = { title, artist: "", release: "", duration, identifiers: {}, jams_version: "0.3.4" };
  return `${JSON.stringify({ annotations, file_metadata: file, sandbox: {} }, null, 1)}\n`;
}

/** @param {string} namespace @param {number} duration @param {Row[]} data */
const annotation = (namespace, duration, data) => ({
  namespace,
  annotation_metadata: {
    curator: { name: "", email: "" }, annotator: {}, version: "", corpus: "", annotation_tools: "mt3drum",
    annotation_rules: "", validation: "", data_source: "program",
  },
  data,
  sandbox: {},
  time: 0,
  duration,
});
