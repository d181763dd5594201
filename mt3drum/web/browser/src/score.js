// A worker for what takes time after the transcription: beats, files on the grid, and written notation.

// @ts-expect-error: the package has no types
import { VerovioToolkit } from "verovio/esm";
import { estimate } from "./estimate.js";
import { onGrid, scoreOf, written } from "./exports.js";
import { fetched, unpacked } from "./fetched.js";
import { toMusicXml } from "./musicxml.js";
import { tempoOf } from "./tempo_map.js";

/** @typedef {import("./rules.js").ScoreRules} ScoreRules */
/** @typedef {import("./exports.js").Edited} Edited */
/** @typedef {{id: number, kind: string, body: any}} Question */

/** @type {Promise<ScoreRules> | null} */
let known = null;

/** @returns {Promise<ScoreRules>} */
const rules = () => (known ??= fetched("rules.json").then(async (response) => (await response.json()).score));

/** @type {Promise<any> | null} */
let engraver = null;

/** verovio, fetched when notation is asked for. */
async function start() {
  const wasmBytes = new Uint8Array(await unpacked("verovio.wasm.gz"));
  const { default: make } = await import(new URL("verovio.js", location.href).href);
  return new VerovioToolkit(await make({ wasmBytes }));
}

/** @param {object} options @param {string} musicxml */
async function engraved(options, musicxml) {
  const toolkit = await (engraver ??= start().catch((error) => {
    engraver = null; // the next time it may be there
    throw error;
  }));
  toolkit.resetOptions();
  toolkit.setOptions(options);
  if (!toolkit.loadData(musicxml)) throw new Error("verovio does not read the score");
  return toolkit;
}

/** Some bars in one line, as mt3drum/web/notation.py. @param {ScoreRules} rules @param {Edited & {bar: number, bars: number}} asked */
async function notation(rules, { bar, bars, ...edited }) {
  const { engraving } = rules;
  const musicxml = toMusicXml(rules, scoreOf(rules, edited), "");
  const count = (musicxml.match(/<measure number=/g) ?? []).length;
  const first = Math.max(0, Math.min(bar - 1, count - bars));
  const last = Math.min(first + Math.min(bars, engraving.mostBars), count);
  const toolkit = await engraved(engraving.bars, musicxml);
  toolkit.select({ measureRange: `${first + 1}-${last}` });
  toolkit.redoLayout();
  return { svg: toolkit.renderToSVG(1), first: first + 1 };
}

/** Every system, one below the other, as mt3drum/formats/engrave.py. @param {ScoreRules} rules @param {Edited} edited */
async function systems(rules, edited) {
  const { engraving } = rules;
  let musicxml = toMusicXml(rules, scoreOf(rules, edited), "").replace("<part-name>", '<part-name print-object="no">');
  for (const [head, other] of Object.entries(engraving.heads)) {
    musicxml = musicxml.replaceAll(`>${head}</notehead>`, `>${other}</notehead>`);
  }
  const toolkit = await engraved({ ...engraving.systems, smuflTextFont: "embedded" }, musicxml);
  return Array.from({ length: toolkit.getPageCount() }, (_, page) => toolkit.renderToSVG(page + 1));
}

/** @param {Question} question */
async function answer({ kind, body }) {
  const known = await rules();
  if (kind === "tempo") {
    const grid = estimate(known, body.hits, body.seconds, body);
    return grid && tempoOf(known, grid);
  }
  if (kind === "moved") return onGrid(known, body);
  if (kind === "notation") return notation(known, body);
  if (kind === "print") return systems(known, body);
  return written(known, kind, body);
}

addEventListener("message", async (/** @type {MessageEvent<Question>} */ { data }) => {
  try {
    postMessage({ id: data.id, value: await answer(data) });
  } catch (error) {
    postMessage({ id: data.id, error: String(/** @type {Error} */ (error)?.message ?? error) });
  }
});
