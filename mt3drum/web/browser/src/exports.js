// Files that need beats, or more than the page writes by itself: as mt3drum/formats/write.py.

import { strToU8, zipSync } from "fflate";
import { chartFiles } from "./chart.js";
import { toJams } from "./jams.js";
import { toMusicXml } from "./musicxml.js";
import { quantise } from "./quantise.js";
import { toTab } from "./tab.js";
import { gridOf, TempoMap, tempoOf } from "./tempo_map.js";

/** @typedef {import("./rules.js").ScoreRules} ScoreRules */
/** @typedef {import("./hypothesis.js").Hit} Hit */
/** @typedef {import("./tempo_map.js").Tempo} Tempo */
/** @typedef {object} Edited What is written.
 * @property {Hit[]} hits in order
 * @property {number} seconds
 * @property {string} title
 * @property {Tempo | null} tempo
 * @property {import("./quantise.js").Steps | null} steps null: as played, and on the best grid where the format needs one
 * @property {number[]} notes MIDI note of each drum
 */

const DATE = new Date(1980, 0, 1); // of files in archives: the same hits give the same bytes

/** @param {ScoreRules} rules @param {Edited} edited */
function gridFor(rules, { hits, tempo }) {
  const grid = tempo && gridOf(tempo);
  return grid && hits.length ? grid.reaching(hits[0].time, rules) : grid;
}

/** @param {ScoreRules} rules @param {Edited} edited */
export function scoreOf(rules, edited) {
  const grid = gridFor(rules, edited);
  if (!grid) throw new Error("There is no steady beat, and this needs one. Set the tempo, then try again.");
  return quantise(rules, edited.hits, grid, edited.steps ?? "auto");
}

/** Hits at their places, and the beats that they keep to. @param {ScoreRules} rules @param {Edited} edited */
function moved(rules, edited) {
  const score = scoreOf(rules, edited);
  const lines = new TempoMap(rules, score.grid);
  return { grid: score.grid, hits: score.hits(lines), beats: lines.beats(score.grid) };
}

/** Hits on the grid that is asked for, and the tempo that they keep to. @param {ScoreRules} rules @param {Edited} edited
 * @returns {{hits: Hit[], tempo: Tempo}} */
export function onGrid(rules, edited) {
  const { grid, hits, beats } = moved(rules, edited);
  const { tempos, meters } = tempoOf(rules, grid);
  return { hits, tempo: { ...tempoOf(rules, beats), tempos, meters } };
}

/** @param {ScoreRules} rules @param {string} format of `rules.formats` @param {Edited} edited @returns {string | Uint8Array<ArrayBuffer>} */
export function written(rules, format, edited) {
  const { hits, seconds, title, tempo, steps, notes } = edited;
  if (format === "musicxml") return toMusicXml(rules, scoreOf(rules, edited), title);
  if (format === "tab") return toTab(rules, scoreOf(rules, edited), title);
  if (format === "chart") {
    const files = chartFiles(rules, hits, tempo || steps ? scoreOf(rules, edited) : null, title, seconds);
    const folder = folderName(title);
    const packed = Object.entries(files).map(([name, data]) =>
      /** @type {const} */ ([`${folder}/${name}`, typeof data === "string" ? strToU8(data) : data]));
    return zipSync(Object.fromEntries(packed), { mtime: DATE });
  }
  if (format !== "jams") throw new Error(`There is no format ${format}.`);
  const onPlaces = steps ? moved(rules, edited) : { hits, beats: gridFor(rules, edited) };
  return toJams(rules, onPlaces.hits, seconds, title, onPlaces.beats, notes);
}

/** A name that is safe as a folder on every system. @param {string} title */
const folderName = (title) => title.replace(/[^\p{L}\p{N} \-_.()]/gu, "_").replace(/^[ .]+|[ .]+$/g, "") || "song";
