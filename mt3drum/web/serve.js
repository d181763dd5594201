// The list of recordings: send, watch, open. Names are set as text, never as markup.

const POLL_MS = 700;
const $ = (selector) => document.querySelector(selector);
const uploads = new Map(); // key -> {name, progress, message}: what is on its way or was refused
let polling = false;

function send(file) {
  const key = `${file.name} ${Date.now()} ${Math.random()}`;
  const entry = { name: file.name, state: "uploading", progress: 0, message: "" };
  uploads.set(key, entry);
  const request = new XMLHttpRequest(); // fetch has no progress of an upload
  request.open("POST", `/api/jobs?name=${encodeURIComponent(file.name)}`);
  request.upload.onprogress = (event) => {
    entry.progress = event.total ? event.loaded / event.total : 0;
    show();
  };
  request.onloadend = () => {
    if (request.status === 202) uploads.delete(key);
    else Object.assign(entry, { state: "failed", message: request.responseText || "the server does not answer" });
    poll();
  };
  request.send(file);
  show();
}

async function poll() {
  if (polling) return;
  polling = true;
  let jobs = [];
  try {
    const response = await fetch("/api/jobs");
    if (!response.ok) throw new Error(await response.text());
    jobs = await response.json();
    $("#problem").textContent = "";
  } catch {
    $("#problem").textContent = "The server does not answer. Is mt3drum serve still running?";
  }
  polling = false;
  announce(jobs);
  window.jobs = jobs;
  show();
  if (jobs.some((job) => !["done", "failed"].includes(job.state))) setTimeout(poll, POLL_MS);
}

const states = new Map(); // id -> state last announced

function announce(jobs) {
  for (const job of jobs) {
    if (states.get(job.id) === job.state) continue;
    states.set(job.id, job.state);
    if (job.state === "done") $("#live").textContent = `${job.name} is done: ${job.hits} hits`;
    if (job.state === "failed") $("#live").textContent = `${job.name} failed`;
  }
}

function show() {
  const entries = [...(window.jobs || []), ...uploads.values()].reverse();
  const focused = document.activeElement && document.activeElement.dataset.key;
  $("#jobs").replaceChildren(...entries.map(row));
  if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function row(job) {
  const item = document.createElement("li");
  const name = document.createElement(job.state === "done" ? "a" : "span");
  name.textContent = job.name;
  name.className = "name";
  if (job.state === "done") {
    name.href = `/jobs/${encodeURIComponent(job.id)}`;
    name.dataset.key = `open ${job.id}`;
  }
  const state = document.createElement("span");
  state.className = job.state === "failed" ? "bad" : "quiet";
  state.textContent = { uploading: "sending", waiting: "in the queue", working: "being transcribed",
    done: `${job.hits} hits in ${Math.round(job.seconds)} s`, failed: job.message }[job.state];
  item.append(name, state);
  if (["uploading", "working"].includes(job.state)) {
    const bar = document.createElement("progress");
    bar.value = job.progress;
    bar.setAttribute("aria-label", `${job.name}: ${state.textContent}`);
    item.append(bar);
  }
  if (job.id && job.state !== "uploading") item.append(dropButton(job));
  return item;
}

function dropButton(job) {
  const button = document.createElement("button");
  button.textContent = ["done", "failed"].includes(job.state) ? "Remove" : "Cancel";
  button.setAttribute("aria-label", `${button.textContent} ${job.name}`);
  button.dataset.key = `drop ${job.id}`;
  button.onclick = async () => {
    await fetch(`/api/jobs/${encodeURIComponent(job.id)}`, { method: "DELETE" });
    poll();
  };
  return button;
}

$("#files").addEventListener("change", (event) => {
  for (const file of event.target.files) send(file);
  event.target.value = "";
});
for (const kind of ["dragover", "drop", "dragleave"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("#drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") for (const file of event.dataTransfer.files) send(file);
  });
}
poll();
