// Keeps edits: in the browser at once, and on the server where there is one; brings in what other windows saved.
//
// What is kept is the difference to the transcription: {removed: ids, changed: [id, time, drum, velocity, confidence,
// candidate], tempo where beats were found anew}. To merge two of them, each becomes a map from id (or "tempo") to JSON.

const PUSH_MS = 300;
const LOOK_MS = 4000; // how often a visible page asks its server for news, and tries again what failed

class Store {
  /** @param app has score, data, bars, and adopt(state) which shows a state @param onstatus (text, whether all is kept) */
  constructor(app, onstatus) {
    Object.assign(this, { app, onstatus });
    this.key = `mt3drum edits ${app.data.key}`;
    this.address = app.data.server && app.data.server.edits;
    this.synced = { removed: [], changed: [] }; // what the server has, as far as known
    this.revision = 0; // of `synced`
    this.stamp = null; // of the record in the browser that was last read or written
    this.seen = this.state();
    this.local = true; // the browser keeps things
    this.problem = "";
    addEventListener("storage", (event) => event.key === this.key && event.newValue && this.hear(event.newValue));
    document.addEventListener("visibilitychange", () => this.look());
    addEventListener("focus", () => this.look());
    if (this.address) setInterval(() => this.look(), LOOK_MS);
  }

  /** Bring back what was kept. */
  start() {
    const record = this.read();
    if (record) this.take(record);
    this.report();
    return this.address ? this.look() : Promise.resolve();
  }

  /** The difference of the page to its transcription. */
  state() {
    const { score, bars, data } = this.app;
    const { originals } = score;
    const changed = score.hits
      .filter((hit) => !originals.has(hit.id) || !sameHit(originals.get(hit.id), hit))
      .map((hit) => [hit.id, hit.time, hit.drum, hit.velocity, hit.confidence, Number(hit.candidate)]);
    const removed = [...originals.keys()].filter((id) => !score.byId(id));
    return { removed, changed, ...(bars.tempo === data.tempo ? {} : { tempo: bars.tempo }) };
  }

  get pending() {
    return Boolean(this.address) && !sameState(this.state(), this.synced);
  }

  /** Whether closing the page loses nothing. */
  get safe() {
    return this.address ? this.local || !this.pending : this.local || this.empty;
  }

  get empty() {
    return sameState(this.state(), { removed: [], changed: [] });
  }

  /** The page has changed. */
  save() {
    const mine = this.state();
    if (this.showing || sameState(mine, this.seen)) return;
    const record = this.read();
    if (record && record.stamp !== this.stamp) { // of another window, not heard of yet
      const merged = mergeStates(this.seen, mine, record.state);
      this.take(record);
      this.show(merged);
    }
    this.write();
    if (this.address) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.push(), PUSH_MS);
    }
    this.report();
  }

  read() {
    try {
      const record = JSON.parse(localStorage.getItem(this.key));
      return record && Array.isArray(record.state.changed) && Array.isArray(record.state.removed) ? record : null;
    } catch {
      return null; // no storage here, or nothing of ours
    }
  }

  write() {
    this.seen = this.state();
    this.stamp = `${Date.now()} ${Math.random()}`;
    const record = { stamp: this.stamp, revision: this.revision, state: this.seen, synced: this.synced };
    try {
      localStorage.setItem(this.key, JSON.stringify(record));
      this.local = true;
    } catch {
      this.local = false;
    }
  }

  hear(text) {
    let record;
    try {
      record = JSON.parse(text);
    } catch {
      return;
    }
    if (record.stamp !== this.stamp) this.take(record);
    this.report();
  }

  /** Show a record of the browser. */
  take({ stamp, revision, state, synced }) {
    this.stamp = stamp;
    if (this.address && revision >= this.revision) [this.revision, this.synced] = [revision, synced];
    this.show(state);
    this.seen = this.state();
  }

  show(state) {
    this.showing = true; // these are nobody's new edits
    this.app.adopt(state);
    this.showing = false;
  }

  /** News from the server; tries again what could not be saved. */
  async look() {
    if (!this.address || document.visibilityState === "hidden" || this.busy) return;
    await (this.pending ? this.push() : this.ask(`${this.address}?after=${this.revision}`));
  }

  async push() {
    if (this.busy) {
      this.timer = setTimeout(() => this.push(), PUSH_MS);
      return;
    }
    const mine = this.state();
    if (sameState(mine, this.synced)) return this.report();
    await this.ask(this.address, {
      method: "PUT",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ revision: this.revision, ...mine }),
    }, mine);
  }

  /** One request; its answer is a new revision of `sent`, or a record of somebody else's. */
  async ask(address, options, sent) {
    this.busy = true;
    try {
      const response = await fetch(address, options);
      if (response.status === 204) this.problem = "";
      else if (response.ok || response.status === 409) this.answer(await response.json(), response.ok ? sent : null);
      else this.problem = (await response.text()).replace("error: ", "");
    } catch {
      this.problem = "the server does not answer";
    } finally {
      this.busy = false;
      this.report();
    }
  }

  answer(record, sent) {
    this.problem = "";
    if (sent) {
      [this.revision, this.synced] = [record.revision, sent];
      this.write(); // tells the other windows
    } else if (record.revision !== this.revision) {
      const { revision, ...theirs } = record;
      const merged = mergeStates(this.synced, this.state(), theirs);
      [this.revision, this.synced] = [revision, theirs];
      this.show(merged);
      this.write();
    }
    if (this.pending) this.timer = setTimeout(() => this.push(), PUSH_MS);
  }

  report() {
    const here = this.local ? "kept in this browser" : "not kept: export before you close the page";
    let text = this.empty && this.local ? "" : here;
    if (this.problem) text = `${here} only: ${this.problem}`;
    else if (this.address) text = this.pending ? "saving …" : this.empty && !this.revision ? "" : "saved";
    this.onstatus(text, !this.problem && (this.local || Boolean(this.address)));
  }
}

/** A state as hits by id. @param score whose transcription it is based on */
function hitsOf(state, score) {
  const hits = new Map(score.originals);
  for (const id of state.removed) hits.delete(id);
  for (const [id, time, drum, velocity, confidence, candidate] of state.changed) {
    hits.set(id, { id, time, drum, velocity, confidence, candidate: Boolean(candidate) });
  }
  return hits;
}

function asMap(state) {
  const map = new Map(state.removed.map((id) => [id, "null"]));
  for (const [id, ...row] of state.changed) map.set(id, JSON.stringify(row));
  if ("tempo" in state) map.set("tempo", JSON.stringify(state.tempo));
  return map;
}

/** Hit by hit: what `mine` changed since `base`, else what `theirs` has. */
function mergeStates(base, mine, theirs) {
  const [before, ours, other] = [base, mine, theirs].map(asMap);
  const state = { removed: [], changed: [] };
  for (const id of new Set([...before.keys(), ...ours.keys(), ...other.keys()])) {
    const value = ours.get(id) !== before.get(id) ? ours.get(id) : other.get(id);
    if (value === undefined) continue;
    if (id === "tempo") state.tempo = JSON.parse(value);
    else if (value === "null") state.removed.push(id);
    else state.changed.push([id, ...JSON.parse(value)]);
  }
  return state;
}

function sameState(a, b) {
  const [first, second] = [asMap(a), asMap(b)];
  return first.size === second.size && [...first].every(([id, value]) => second.get(id) === value);
}
