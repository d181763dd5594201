// Drum tab: as mt3drum/formats/tab.py.

import { marker } from "./marks.js";
import { printable } from "./musicxml.js";
import { fixed, roundEven } from "./numbers.js";

/** @typedef {import("./rules.js").ScoreRules} ScoreRules */
/** @typedef {import("./quantise.js").Score} Score */
/** @typedef {import("./quantise.js").Note} Note */
/** @typedef {Map<string, string>} Block line name, or "" for the counts, to the characters of one bar */

const OPENED = "oOucCb"; // strokes of an open hi-hat: of two on one place it is heard

/** The whole text. @param {ScoreRules} rules @param {Score} score @param {string} title */
export function toTab(rules, score, title) {
  const { WIDTH, ROLL } = rules.constants.tab;
  const mark = marker(rules, score.notes.map(({ hit }) => hit));
  const perBar = Array.from({ length: score.bars - score.firstBar }, () => /** @type {Note[]} */ ([]));
  for (const note of score.notes) perBar[Math.floor(note.position / score.bar) - score.firstBar].push(note);
  const blocks = perBar.map((notes, i) => block(rules, notes, score.firstBar + i, score, mark));
  const text = [heading(score, title), ""];
  for (let at = 0; at < blocks.length;) {
    const row = [blocks[at]];
    while (at + row.length < blocks.length && width(row) + width([blocks[at + row.length]]) < WIDTH) row.push(blocks[at + row.length]);
    at += row.length;
    text.push(...rowLines(rules, row), "");
  }
  const rolls = score.notes.some(({ roll }) => roll.length) ? [`${ROLL} roll`] : [];
  return `${[...text, ...legend(rules, score), ...rolls].join("\n")}\n`;
}

/** @param {Score} score @param {string} title */
function heading({ grid, swing, swingUnit }, title) {
  const swung = swingUnit ? `, ${swingUnit}ths swing ${fixed(swing * 100, 0)}%` : "";
  return `${printable(title)}: ${grid.meter.text}, ${fixed(grid.bpm, 0)} beats a minute${swung}`;
}

/** @param {number} a @param {number} b @returns {number} */
const divisor = (a, b) => (b ? divisor(b, a % b) : a);

/** @param {ScoreRules} rules @param {Note[]} notes @param {number} number of the bar @param {Score} score
 * @param {(hit: import("./hypothesis.js").Hit) => string} mark @returns {Block} */
function block({ constants, drums }, notes, number, score, mark) {
  const { MOST_STEPS, ROLL, KINDS } = constants.tab;
  const { meter } = score.grid;
  const start = number * score.bar;
  let division = meter.compound ? 6 : Math.max(1, Math.trunc(4 * meter.beatQuarters));
  for (const { position } of notes) {
    const least = score.beat / divisor(score.beat, position - start);
    division = (division * least) / divisor(division, least);
  }
  division = Math.min(division, MOST_STEPS);
  const steps = division * meter.beats;
  const counts = new Array(steps).fill(" ");
  for (let beat = 0; beat < meter.beats; beat++) counts[beat * division] = String(beat + 1);
  const flams = new Set(notes.filter(({ grace }) => grace).map(({ position, hit }) => `${position} ${hit.drum}`));
  /** @type {Map<string, string[]>} */
  const lines = new Map();
  for (const { position, hit, grace, roll, until } of notes) {
    if (grace) continue;
    const { line: name, strokes } = drums[hit.drum];
    const kind = KINDS.indexOf(mark(hit)) + (flams.has(`${position} ${hit.drum}`) ? 3 : 0);
    const step = Math.min(roundEven(((position - start) / score.beat) * division), steps - 1);
    const line = lines.get(name) ?? new Array(steps).fill("-");
    lines.set(name, line);
    if (line[step] !== "-") {
      if (!OPENED.includes(line[step]) && OPENED.includes(strokes[kind])) line[step] = strokes[kind];
      continue;
    }
    line[step] = strokes[kind];
    if (roll.length && until !== null) {
      const end = Math.min(Math.ceil(((until - start) / score.beat) * division), steps);
      line.fill(ROLL, step, Math.max(step + 1, end));
    }
  }
  return new Map([["", counts.join("")], ...Array.from(lines, ([name, line]) => /** @type {[string, string]} */ ([name, line.join("")]))]);
}

/** @param {Block} each */
const size = (each) => /** @type {string} */ (each.get("")).length;

/** @param {Block[]} row */
const width = (row) => 3 + row.reduce((sum, each) => sum + size(each) + 1, 0);

/** @param {ScoreRules} rules @param {Block[]} row */
function rowLines({ constants }, row) {
  const lines = [`   ${row.map((each) => each.get("")).join(" ").trimEnd()}`];
  /** @type {string[]} */
  let names = constants.tab.ORDER.filter((/** @type {string} */ name) => row.some((each) => each.has(name)));
  if (!names.length) names = ["BD"];
  for (const name of names) lines.push(`${name}|${row.map((each) => each.get(name) ?? "-".repeat(size(each))).join("|")}|`);
  return lines;
}

/** @param {ScoreRules} rules @param {Score} score */
function legend({ constants, drums }, score) {
  const { ORDER, GHOSTED } = constants.tab;
  const used = [...new Set(score.notes.map(({ hit }) => hit.drum))].sort((a, b) => a - b)
    .sort((a, b) => ORDER.indexOf(drums[a].line) - ORDER.indexOf(drums[b].line));
  const lines = used.map((drum) => {
    const { line, strokes: [plain, accent, ghost], title } = drums[drum];
    return `${line} ${plain} ${title} (${accent} accent${GHOSTED.includes(drum) ? `, ${ghost} ghost` : ""})`;
  });
  return [...lines, "Flams: f F d, on cymbals h H n, on an open hi-hat c C b (plain, accent, ghost)"];
}
