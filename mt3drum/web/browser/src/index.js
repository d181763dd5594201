// The first page: a recording is dropped, kept, and opened on the review page, where it is transcribed.

import { microphoneProblem, Recorder } from "./record.js";
import { fromFile, isWork } from "./work_file.js";
import { all, problem, read, remove, write, writeEdits } from "./works.js";

const MOST_BYTES = 500 * 2 ** 20;
// A module that does nothing but use one SIMD instruction.
const SIMD = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11]);

/** @param {string} selector @returns {HTMLElement} */
const $ = (selector) => /** @type {HTMLElement} */ (document.querySelector(selector));

/** @param {string} text */
const complain = (text) => ($("#problem").textContent = text);

/** @param {File} file */
async function take(file) {
  complain("");
  if (!file.size) return complain(`${file.name}: the file is empty`);
  if (file.size > MOST_BYTES) return complain(`${file.name}: larger than ${MOST_BYTES >> 20} MiB; convert it to MP3 or FLAC first`);
  $("#live").textContent = `Opening ${file.name} …`;
  try {
    if (await isWork(file)) await restore(file);
    else await keep(file);
  } catch (error) {
    complain(problem(error));
  }
  $("#live").textContent = "";
}

/** @param {ArrayBuffer} bytes of a recording @returns {Promise<string>} */
async function identity(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("").slice(0, 32);
}

/** @param {File} file a recording */
async function keep(file) {
  const bytes = await file.arrayBuffer();
  const id = await identity(bytes);
  if (!(await read(id))) await write({ id, name: file.name, added: Date.now(), file: new Blob([bytes], { type: file.type }) });
  location.href = `review.html#${id}`;
}

/** @param {File} file a work that was saved as a file */
async function restore(file) {
  let opened;
  try {
    opened = await fromFile(file);
  } catch (error) {
    return complain(`${file.name}: ${/** @type {Error} */ (error).message}`);
  }
  const { name, recording, result, edits } = opened;
  const bytes = await recording.arrayBuffer();
  const id = await identity(bytes);
  const question = `${name} is in this browser already. Replace its score and edits by those of the file?`;
  if (!(await read(id)) || confirm(question)) {
    await write({ id, name, added: Date.now(), file: new Blob([bytes], { type: recording.type }), ...(result && { result }) });
    writeEdits(id, edits);
  }
  location.href = `review.html#${id}`;
}

function disable() {
  input.disabled = true;
  /** @type {HTMLButtonElement} */ ($("#record")).disabled = true;
}

async function show() {
  let works;
  try {
    works = await all();
  } catch (error) {
    return complain(problem(error));
  }
  $("#jobs").replaceChildren(...works.map(({ id, name, result }) => {
    const item = document.createElement("li");
    const link = Object.assign(document.createElement("a"), { className: "name", textContent: name, href: `review.html#${id}` });
    const state = Object.assign(document.createElement("span"), { className: "quiet state" });
    state.textContent = result ? `${result.hits.length} hits in ${Math.round(result.seconds)} s` : "not transcribed yet";
    const button = Object.assign(document.createElement("button"), { textContent: "Remove" });
    button.setAttribute("aria-label", `Remove ${name}`);
    button.addEventListener("click", async () => {
      if (!confirm(`Remove ${name} with its score and all edits? This cannot be undone.`)) return;
      await remove(id);
      await show();
    });
    item.append(link, state, button);
    return item;
  }));
}

const recorder = new Recorder((text) => ($("#live").textContent = text));

/** Start a recording, or end it and open it. */
async function record() {
  const button = $("#record");
  if (recorder.going) return recorder.stop();
  complain("");
  button.setAttribute("aria-pressed", "true");
  button.textContent = "Stop";
  try {
    await take(await recorder.start());
  } catch (error) {
    complain(microphoneProblem(error));
  } finally {
    button.setAttribute("aria-pressed", "false");
    button.textContent = "Record";
  }
}

const input = /** @type {HTMLInputElement} */ ($("#files"));
if (!WebAssembly.validate(SIMD)) {
  complain("This browser cannot transcribe: it has no WebAssembly SIMD. Use a browser of 2023 or later.");
  disable();
} else if (!globalThis.crypto?.subtle) {
  complain("This page must be served over https (or from localhost): browsers keep nothing for other pages.");
  disable();
} else {
  $("#record").addEventListener("click", record);
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    input.value = ""; // so that the same file can be chosen again
    if (file) take(file);
  });
  for (const kind of ["dragover", "drop", "dragleave"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      $("#drop").classList.toggle("over", kind === "dragover");
      const file = kind === "drop" && /** @type {DragEvent} */ (event).dataTransfer?.files[0];
      if (file) take(file);
    });
  }
}
if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("sw.js").catch((error) => console.warn(`works on line only: ${error.message}`));
}
navigator.storage?.persist?.().catch(() => {}); // kept where the disk gets full, if the browser grants it
addEventListener("pageshow", show); // also on the way back from a review
