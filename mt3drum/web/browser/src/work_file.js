// A whole work as a file: a line of JSON, then the recording, byte by byte. What is read may come from anywhere.

/** @typedef {import("./works.js").Work} Work */
/** @typedef {import("./works.js").Result} Result */
/** @typedef {{name: string, recording: Blob, result?: Result, edits: object | null}} Opened */

const BEGINNING = '{"mt3drum":1,';
const MOST_HEAD = 64 * 2 ** 20; // bytes of the line: an hour has 6 MB of pictures
const PART = 2 ** 20;

/** @param {Work} work @param {object | null} edits as the review page keeps them @returns {Blob} */
export function toFile({ name, file, result }, edits) {
  const head = JSON.stringify({ mt3drum: 1, name, type: file.type, result, edits });
  return new Blob([head, "\n", file], { type: "application/octet-stream" });
}

/** @param {Blob} file */
export const isWork = async (file) => (await file.slice(0, BEGINNING.length).text()) === BEGINNING;

/** @param {Blob} file a work; an error says what is wrong with it @returns {Promise<Opened>} */
export async function fromFile(file) {
  const decoder = new TextDecoder();
  let [text, at, end] = ["", 0, -1];
  while (end < 0) {
    if (at >= Math.min(file.size, MOST_HEAD)) throw new Error("the file is damaged: its first line does not end");
    const bytes = new Uint8Array(await file.slice(at, at + PART).arrayBuffer());
    end = bytes.indexOf(10);
    text += decoder.decode(end < 0 ? bytes : bytes.subarray(0, end), { stream: true });
    at += end < 0 ? bytes.length : end + 1;
  }
  let head;
  try {
    head = JSON.parse(text);
  } catch {
    throw new Error("the file is damaged: its first line is no JSON");
  }
  const { name, type, result, edits } = head;
  check(typeof name === "string" && typeof type === "string" && name.length < 1000 && at < file.size, "name or recording");
  if (result !== undefined) checkResult(result);
  if (edits !== null) checkEdits(edits);
  return { name, recording: file.slice(at, file.size, /^(audio|video)\//.test(type) ? type : ""), result, edits };
}

/** @param {unknown} right @param {string} what */
function check(right, what) {
  if (!right) throw new Error(`the file is damaged: ${what}`);
}

/** @param {any} value @param {number} least @param {number} most */
const within = (value, least, most) => typeof value === "number" && value >= least && value <= most;

/** @param {any} value @param {number} most */
const whole = (value, most) => Number.isSafeInteger(value) && value >= 0 && value <= most;

/** @param {any[]} row seconds, drum, velocity, confidence */
const isHit = (row) => within(row[0], 0, 1e5) && whole(row[1], 25) && whole(row[2], 127) && row[2] > 0 && within(row[3], 0, 1);

/** @param {any} value @param {(item: any) => boolean} right */
const every = (value, right) => Array.isArray(value) && value.every(right);

/** @param {any} result */
function checkResult(result) {
  check(result !== null && typeof result === "object" && within(result.seconds, 0, 1e5), "length");
  for (const name of ["hits", "candidates"]) check(every(result[name], (row) => Array.isArray(row) && isHit(row)), name);
  check(every(result.warnings, (line) => typeof line === "string"), "warnings");
  checkTempo(result.tempo);
  const { levels, ...numbers } = result.spectrogram ?? {};
  check(Object.values(numbers).every((value) => within(value, 0, 1e6)), "spectrogram");
  check(every(levels, ({ step, tiles }) => within(step, 1, 1e6) &&
    every(tiles, (tile) => typeof tile === "string" && /^[A-Za-z0-9+/=]*$/.test(tile))) && levels.length > 0, "spectrogram");
}

/** @param {any} tempo */
function checkTempo(tempo) {
  if (tempo === null) return;
  check(tempo && every(tempo.beats, (beat) => within(beat, 0, 1e5)) && tempo.beats.length > 1, "beats");
  check(tempo.beats.every((/** @type {number} */ beat, /** @type {number} */ i) => i === 0 || beat > tempo.beats[i - 1]), "beats");
  check(whole(tempo.first, 16) && whole(tempo.per_bar, 16) && tempo.per_bar > 0 && /^\d\d?\/[248]$/.test(tempo.meter), "meter");
  check(typeof tempo.text === "string" && within(tempo.bpm, 1, 1000) && within(tempo.steadiness, 0, 1), "tempo");
  for (const name of ["tempos", "meters"]) {
    check(every(tempo[name], (row) => every(row, (value) => within(value, 0, 1e9))), name);
  }
  check(every(tempo.downbeats, (beat) => within(beat, 0, 1e5)), "downbeats");
}

/** @param {any} edits */
function checkEdits(edits) {
  check(edits && typeof edits === "object", "edits");
  for (const state of [edits.state, edits.synced]) {
    check(state && every(state.removed, (id) => whole(id, Number.MAX_SAFE_INTEGER)), "edits");
    check(every(state.changed, (row) => Array.isArray(row) && whole(row[0], Number.MAX_SAFE_INTEGER) && isHit(row.slice(1))), "edits");
    if ("tempo" in state) checkTempo(state.tempo);
  }
}
