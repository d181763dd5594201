// The review page of this site: what is kept is shown; what is not transcribed yet is, while the page shows it.

import { desk } from "./desk.js";
import { toFile } from "./work_file.js";
import { problem, read, readEdits, write } from "./works.js";

/** @typedef {import("./works.js").Work} Work */
/** @typedef {import("./works.js").Result} Result */
/** @typedef {import("./works.js").Row} Row */
/** @typedef {import("./hypothesis.js").Hit} Hit */

const SHOW_MS = 100; // from hits that come to their drawing
const COPIED = 2 ** 20; // samples at once
const PATIENCE = 8; // seconds before the time that is left is told

/** @typedef {import("./rules.js").Rules} Rules */

/** @type {{fillPage: (data: object) => void, start: (data: object, url: string) => any, LOCAL: Record<string, import("./desk.js").Writer>}} */
const review = /** @type {any} */ (globalThis).mt3drumReview;

/** @param {string} selector @returns {HTMLElement} */
const $ = (selector) => /** @type {HTMLElement} */ (document.querySelector(selector));

/** @param {string} text */
function stop(text) {
  $("#problem").textContent = text;
  $("#live").textContent = "";
  $("#progress").hidden = true;
}

/** @param {Hit[]} hits @returns {Row[]} as mt3drum/web/page.py rounds them */
const rows = (hits) => hits.map(({ time, drum, velocity, confidence }) =>
  [Number(time.toFixed(6)), drum, velocity, Number(confidence.toFixed(4))]);

/** @param {Rules} rules @param {Work} work @param {Result} result @param {boolean} busy it is still being transcribed */
function open(rules, work, result, busy) {
  document.title = `${work.name} · mt3drum`;
  $("#title").textContent = work.name;
  const seconds = Math.trunc(result.seconds);
  $("#length").textContent = `${Math.trunc(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  const data = { ...rules.page, ...result, key: work.id, source: work.name, audio: work.file.type || "audio", busy };
  const server = desk(rules, work, data, review.LOCAL, () => toFile({ ...work, result }, readEdits(work.id)));
  review.fillPage(Object.assign(data, { server }));
  $("#home").hidden = false;
  return review.start(data, URL.createObjectURL(work.file));
}

/** What the browser says of a recording without decoding it: its length, or null, and whether it has a picture.
 * @param {Blob} file @returns {Promise<{seconds: number | null, video: boolean}>} */
function look(file) {
  const probe = document.createElement("video");
  probe.preload = "metadata";
  const url = URL.createObjectURL(file);
  return new Promise((resolve) => {
    probe.onloadedmetadata = () =>
      resolve({ seconds: Number.isFinite(probe.duration) ? probe.duration : null, video: probe.videoWidth > 0 });
    probe.onerror = () => resolve({ seconds: null, video: false });
    probe.src = url;
  }).finally(() => URL.revokeObjectURL(url));
}

/** @param {Rules} rules @param {Work} work
 * @returns {Promise<Float32Array[] | null>} channels at 44.1 kHz; null and a line where there is no sound */
async function decoded({ audio }, work) {
  const { seconds, video } = await look(work.file);
  if (seconds !== null && seconds > audio.maxSeconds) {
    stop(`${work.name}: ${Math.round(seconds / 60)} minutes are too long for a browser's memory. Cut it to ` +
      `${audio.maxSeconds / 60} minutes, or use the command: mt3drum transcribe`);
    return null;
  }
  try {
    const sound = await new OfflineAudioContext(1, 1, audio.sampleRate).decodeAudioData(await work.file.arrayBuffer());
    if (sound.duration > audio.maxSeconds) throw new Error("too long");
    const channels = [];
    for (let c = 0; c < sound.numberOfChannels; c++) {
      const channel = new Float32Array(sound.length);
      channels.push(channel);
      for (let start = 0; start < sound.length; start += COPIED) {
        sound.copyFromChannel(channel.subarray(start, start + COPIED), c, start);
        await new Promise((next) => setTimeout(next)); // the page stays quick
      }
    }
    return channels;
  } catch {
    stop(video ? `${work.name}: a video without sound, or with sound that this browser cannot read. Convert its sound to WAV or MP3.`
      : `${work.name}: no sound in it that this browser can read. Convert it to WAV, FLAC or MP3.`);
    return null;
  }
}

/** @param {Rules} rules @param {Work} work */
async function transcribe(rules, work) {
  $("#progress").hidden = false;
  const bar = /** @type {HTMLProgressElement} */ ($("#progress progress"));
  const state = $("#progress span");
  state.textContent = "reading the recording";
  const channels = await decoded(rules, work);
  if (!channels) return;
  state.textContent = "drawing the spectrogram";
  const worker = new Worker("worker.js", { type: "module", name: "transcribe" });
  /** @type {Result} */
  const result = { seconds: 0, spectrogram: {}, tempo: null, warnings: [], hits: [], candidates: [] };
  /** @type {any} */
  let app;
  let began = 0;
  /** @type {Row[]} */
  let more = [];
  let timer = 0;
  /** A batch of segments comes at once: it is drawn once. */
  const show = () => {
    timer = 0;
    app.score.extend(more);
    more = [];
  };
  worker.onerror = (event) => stop(`The transcription stopped (${event.message || "its script did not load"}). Reload the page.`);
  worker.onmessage = async ({ data }) => {
    if (data.kind === "failed") return stop(`The transcription stopped: ${data.message}. Reload the page to try again.`);
    if (data.kind === "opened") {
      if (data.silent) result.warnings.push(`${work.name}: the recording is silent`);
      Object.assign(result, { seconds: data.seconds, spectrogram: data.spectrogram });
      app = open(rules, work, result, true);
      state.textContent = "loading the model";
      began = performance.now();
    } else if (data.kind === "progress") {
      more.push(...rows(data.hits));
      timer ||= setTimeout(show, SHOW_MS);
      bar.value = data.done;
      const spent = (performance.now() - began) / 1000;
      const left = Math.ceil(spent * (1 / data.done - 1));
      state.textContent = `transcribing${spent > PATIENCE ? `, about ${left} s left` : ""}`;
    } else {
      worker.terminate();
      clearTimeout(timer);
      Object.assign(result, { hits: rows(data.hits), candidates: rows(data.candidates), tempo: data.tempo });
      result.warnings.push(...data.warnings);
      app.finish(result);
      $("#progress").hidden = true;
      document.body.dataset.threads = data.threads;
      try {
        await write({ ...work, result });
      } catch (error) {
        $("#problem").textContent = problem(error);
      }
    }
  };
  worker.postMessage({ name: work.name, channels }, channels.map(({ buffer }) => buffer));
}

async function main() {
  const id = location.hash.slice(1);
  let work;
  try {
    work = await read(id);
  } catch (error) {
    return stop(problem(error));
  }
  $("#home").hidden = false;
  if (!work) return stop("This recording is not kept in this browser. Go back and drop it again.");
  /** @type {Rules} */
  const rules = await (await fetch("rules.json")).json();
  if (work.result) open(rules, work, work.result, false);
  else await transcribe(rules, work);
}

main();
addEventListener("hashchange", () => location.reload());
