// The recordings that this page is to send: one at a time, the next when the server has room for it.

const WAIT_MS = 1500; // before the server is asked again whether there is room
const TRIES = 3; // where the server does not answer

class Uploads {
  /** @param limit bytes of one file @param onchange called when something is to be shown anew */
  constructor(limit, onchange) {
    Object.assign(this, { limit, onchange });
    this.entries = []; // {key, file, name, state: queued, uploading, failed; progress, left, message}
    this.files = new Map(); // id of a recording on the server -> its file, to send it again
    this.count = 0;
  }

  add(files) {
    for (const file of files) {
      const entry = { key: `file ${(this.count += 1)}`, file, name: file.name, state: "queued", progress: 0 };
      if (file.size > this.limit) this.fail(entry, `larger than ${this.limit >> 20} MiB`);
      else if (!file.size) this.fail(entry, "the file is empty");
      this.entries.push(entry);
    }
    this.next();
  }

  fail(entry, message) {
    Object.assign(entry, { state: "failed", message });
  }

  /** Send the first that waits, unless one is under way. */
  next() {
    this.onchange();
    clearTimeout(this.timer);
    if (this.entries.some((entry) => entry.state === "uploading")) return;
    const entry = this.entries.find(({ state }) => state === "queued");
    if (entry) this.send(entry);
  }

  send(entry) {
    Object.assign(entry, { state: "uploading", progress: 0, left: null, message: "", began: performance.now() });
    const request = new XMLHttpRequest(); // fetch has no progress of an upload
    entry.request = request;
    request.open("POST", `/api/jobs?name=${encodeURIComponent(entry.name)}`);
    request.upload.onprogress = ({ loaded, total }) => {
      entry.progress = total ? loaded / total : 0;
      const spent = (performance.now() - entry.began) / 1000;
      entry.left = spent > 1 && loaded ? spent * (total / loaded - 1) : null;
      this.onchange();
    };
    request.onloadend = () => {
      if (!this.entries.includes(entry)) return this.next(); // removed meanwhile
      this.settle(entry, request);
    };
    request.send(entry.file);
    this.onchange();
  }

  settle(entry, request) {
    if (request.status === 202) {
      this.files.set(JSON.parse(request.responseText).id, entry.file);
      this.forget(entry);
    } else if (request.status === 503 || (!request.status && (entry.tries = (entry.tries || 0) + 1) < TRIES)) {
      entry.state = "queued"; // no room yet, or no answer
      this.timer = setTimeout(() => this.next(), WAIT_MS);
      this.onchange();
      return;
    } else {
      this.fail(entry, request.responseText.replace("error: ", "") || "the server does not answer");
    }
    this.next();
  }

  retry(entry) {
    Object.assign(entry, { state: "queued", tries: 0 });
    this.next();
  }

  /** Drop one that waits, is under way or failed. */
  remove(entry) {
    this.forget(entry);
    if (entry.request) entry.request.abort();
    this.next();
  }

  forget(entry) {
    this.entries = this.entries.filter((other) => other !== entry);
  }
}
