// The list of recordings: send, watch, open, download. Names are set as text, never as markup.

const POLL_MS = 700; // while something is under way
const IDLE_MS = 4000; // otherwise: another window may have sent something
const $ = (selector) => document.querySelector(selector);
const told = JSON.parse($("#data").textContent);
const uploads = new Uploads(told.bytes, () => show());
const rows = new Map(); // key -> {item, as: what it was drawn from}
let jobs = [];
let answering = true;

async function poll() {
  clearTimeout(poll.timer);
  try {
    const response = await fetch("/api/jobs");
    if (!response.ok) throw new Error(await response.text());
    jobs = await response.json();
    if (!answering) uploads.next();
    if (!answering) $("#problem").textContent = ""; // what else is said there stays
    answering = true;
  } catch {
    answering = false;
    $("#problem").textContent = "The server does not answer. Is mt3drum serve still running? Nothing is lost: what was " +
      "transcribed is there again when it is.";
  }
  announce();
  show();
  const busy = jobs.some((job) => !["done", "failed"].includes(job.state));
  if (document.visibilityState === "visible") poll.timer = setTimeout(poll, busy && answering ? POLL_MS : IDLE_MS);
}

const states = new Map(); // id -> state last announced

function announce() {
  for (const job of jobs) {
    if (states.get(job.id) === job.state) continue;
    states.set(job.id, job.state);
    if (job.state === "done") $("#live").textContent = `${job.name} is done: ${job.hits} hits`;
    if (job.state === "failed") $("#live").textContent = `${job.name} failed`;
  }
}

/** Draw what has changed; what has the focus or is open stays as it is. */
function show() {
  const sent = jobs.filter((job) => job.state !== "uploading" || !uploads.entries.some(({ state }) => state === "uploading"));
  const entries = [...uploads.entries].reverse().concat([...sent].reverse());
  const list = $("#jobs");
  const keep = new Set();
  entries.forEach((entry, at) => {
    const key = entry.key || entry.id;
    keep.add(key);
    const { file, request, began, tries, progress, left, ...fixed } = entry;
    const as = JSON.stringify(fixed);
    let row = rows.get(key);
    if (!row || row.as !== as) {
      const made = { item: draw(entry), as };
      if (row) row.item.replaceWith(made.item);
      rows.set(key, made);
      row = made;
    }
    update(row.item, entry);
    if (list.children[at] !== row.item) list.insertBefore(row.item, list.children[at] || null);
  });
  for (const [key, { item }] of rows) {
    if (keep.has(key)) continue;
    item.remove();
    rows.delete(key);
  }
}

function draw(entry) {
  const item = element("li");
  const done = entry.state === "done";
  const name = element(done ? "a" : "span", "name", entry.name);
  if (done) name.href = `/jobs/${encodeURIComponent(entry.id)}`;
  item.append(name, element("span", entry.state === "failed" ? "bad state" : "quiet state"));
  if (["uploading", "working"].includes(entry.state)) {
    const bar = element("progress");
    bar.setAttribute("aria-label", entry.name);
    item.append(bar);
  }
  const buttons = element("span", "buttons");
  if (done) {
    const midi = button("MIDI", `Download ${entry.name} as MIDI`, () => whileBusy(midi, () => save(entry, "midi")));
    buttons.append(midi, menu(entry));
  }
  const file = entry.key ? entry.file : uploads.files.get(entry.id);
  if (entry.state === "failed" && file && entry.message !== "the file is empty") {
    buttons.append(button("Retry", `Retry ${entry.name}`, () => retry(entry, file)));
  }
  const word = ["done", "failed"].includes(entry.state) ? "Remove" : "Cancel";
  buttons.append(button(word, `${word} ${entry.name}`, () => remove(entry)));
  item.append(buttons);
  return item;
}

/** What changes while it goes on. */
function update(item, entry) {
  const left = entry.left === null || entry.left === undefined ? "" : `, about ${span(entry.left)} left`;
  const text = {
    queued: "waits to be sent", uploading: `sending${left}`, waiting: `in the queue${left}`,
    working: `being transcribed${left}`, done: `${entry.hits} hits in ${span(entry.seconds)}`, failed: entry.message,
  }[entry.state];
  const state = item.querySelector(".state");
  if (state.textContent !== text) state.textContent = text;
  const bar = item.querySelector("progress");
  if (bar) bar.value = entry.progress;
}

function span(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function button(text, label, action) {
  const made = element("button", "", text);
  made.setAttribute("aria-label", label);
  made.onclick = action;
  return made;
}

/** All other formats. */
function menu(job) {
  const select = element("select");
  select.setAttribute("aria-label", `Download ${job.name} as another format`);
  select.append(new Option("Download …", ""));
  for (const format of Object.keys(told.formats)) {
    select.append(new Option(told.labels[format] || format.toUpperCase(), format));
  }
  select.onchange = () => whileBusy(select, async () => {
    await save(job, select.value);
    select.value = "";
  });
  return select;
}

/** The score as it was edited last. */
async function save(job, format) {
  $("#problem").textContent = "";
  $("#live").textContent = `Writing ${job.name} as ${format} …`;
  try {
    const response = await fetch(`/api/jobs/${encodeURIComponent(job.id)}/export/${format}`).catch(() => {
      throw new Error("The server does not answer: start mt3drum serve again, then export again.");
    });
    if (!response.ok) throw new Error((await response.text()).replace("error: ", ""));
    const file = await whole(response);
    download(file, (job.name.replace(/\.[^.]*$/, "") || "score") + told.formats[format]);
    $("#live").textContent = `Saved ${job.name} as ${format}`;
  } catch (error) {
    $("#live").textContent = "";
    $("#problem").textContent = `${job.name}: ${error.message}`;
  }
}

async function retry(entry, file) {
  if (entry.key) return uploads.retry(entry);
  uploads.files.delete(entry.id);
  await drop(entry);
  uploads.add([file]);
}

async function remove(entry) {
  if (entry.key) return uploads.remove(entry);
  const question = `Remove ${entry.name} with its score and all edits? This cannot be undone.`;
  if (entry.state === "done" && !confirm(question)) return;
  uploads.files.delete(entry.id);
  await drop(entry);
}

async function drop(job) {
  try {
    await fetch(`/api/jobs/${encodeURIComponent(job.id)}`, { method: "DELETE" });
    localStorage.removeItem(`mt3drum edits ${job.id}`);
  } catch {
    // The server or the storage is not there: the next poll shows what is.
  }
  await poll();
}

$("#files").addEventListener("change", (event) => {
  uploads.add(event.target.files);
  event.target.value = "";
  poll();
});
for (const kind of ["dragover", "drop", "dragleave"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("#drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") uploads.add(event.dataTransfer.files);
  });
}
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && poll());
addEventListener("beforeunload", (event) => {
  if (uploads.entries.some(({ state }) => state !== "failed")) event.preventDefault(); // they are nowhere else
});
poll();
