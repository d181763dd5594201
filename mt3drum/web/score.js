// The score under edit: hits that are never changed in place, and steps that can be undone. Knows no page.
// A hit has the id of its row in the transcription, candidates after hits; new hits have random ids, so that two
// windows never give the same.

const MERGE_MS = 800; // the same kind of edit of the same hit within this time is one step of undo
const SAME_SECONDS = 0.02; // strokes of one drum closer than this are one, as for the transcriber
const ELSEWHERE = "edits made in another window";

class Score {
  /** @param rows, candidates [time s, drum, velocity, confidence] each; @param seconds length of the recording */
  constructor(rows, candidates, seconds) {
    this.seconds = seconds;
    this.listeners = [];
    this.known = new Map(); // lists made for this version
    this.version = 0;
    this.restart(rows, candidates);
    this.locked = false; // the transcription is still being made
    this.threshold = 0;
    this.withCandidates = false; // show what the transcriber heard but did not trust
    this.done = [];
    this.undone = [];
  }

  /** Another transcription, as nobody has edited it. */
  restart(rows, candidates) {
    const hits = [...rows, ...candidates].map(([time, drum, velocity, confidence], id) =>
      ({ id, time, drum, velocity, confidence, candidate: id >= rows.length }));
    this.originals = new Map(hits.map((hit) => [hit.id, hit]));
    this.hits = hits.sort(inOrder);
    this.changed();
  }

  /** More hits of the transcription, in order, while it is being made. */
  extend(rows) {
    const more = rows.map(([time, drum, velocity, confidence], i) =>
      ({ id: this.originals.size + i, time, drum, velocity, confidence, candidate: false }));
    for (const hit of more) this.originals.set(hit.id, hit);
    this.hits = this.hits.concat(more).sort(inOrder);
    this.changed();
  }

  /** The hits that are heard and exported. */
  visible() {
    return this.list("visible", () => this.hits.filter((hit) => !hit.candidate && hit.confidence >= this.threshold));
  }

  /** The hits that are shown: candidates too where they are asked for. */
  drawn() {
    if (!this.withCandidates) return this.visible();
    return this.list("drawn", () => this.hits.filter((hit) => hit.candidate || hit.confidence >= this.threshold));
  }

  /** From the least certain on; a hit that a person has judged (confidence 1) is not in it. */
  uncertain() {
    return this.list("uncertain", () => this.drawn().filter((hit) => hit.confidence < 1)
      .sort((a, b) => a.confidence - b.confidence || a.time - b.time));
  }

  list(name, make) {
    if (!this.known.has(name)) this.known.set(name, make());
    return this.known.get(name);
  }

  byId(id) {
    return this.list("ids", () => new Map(this.hits.map((hit) => [hit.id, hit]))).get(id) || null;
  }

  /** A hit of this drum at (nearly) this time, or null: shown or not. */
  at(time, drum) {
    const from = firstFrom(this.hits, time - SAME_SECONDS);
    for (let i = from; i < this.hits.length && this.hits[i].time <= time + SAME_SECONDS; i++) {
      if (this.hits[i].drum === drum) return this.hits[i];
    }
    return null;
  }

  add(time, drum, velocity) {
    const id = this.originals.size + Math.floor(Math.random() * 2 ** 50);
    const hit = this.clean({ id, time, drum, velocity, confidence: 1, candidate: false });
    this.step("add", [], [hit]);
    return hit;
  }

  remove(hit) {
    this.step("delete", [hit], []);
  }

  /** Replace some fields. Who moves, relabels or confirms a hit says that it is there; its loudness says nothing. */
  change(hit, fields, kind) {
    const judged = kind === "velocity" ? {} : { confidence: 1, candidate: false };
    const next = this.clean({ ...hit, ...judged, ...fields });
    if (sameHit(next, hit)) return hit;
    this.step(kind, [hit], [next]);
    return next;
  }

  clean(hit) {
    const time = Math.min(Math.max(hit.time, 0), this.seconds);
    return {
      ...hit,
      time: Math.round(time * 1e6) / 1e6,
      velocity: Math.min(127, Math.max(1, Math.round(hit.velocity))),
    };
  }

  step(kind, removed, added) {
    const last = this.done[this.done.length - 1];
    const now = Date.now();
    this.replace(removed, added);
    this.undone = [];
    const again = last && last.kind === kind && removed.length === 1 && added.length === 1 &&
      last.added.length === 1 && last.added[0].id === added[0].id && now - last.at < MERGE_MS;
    if (again) {
      last.added = added;
      last.at = now;
    } else {
      this.done.push({ kind, removed, added, at: now });
    }
    this.changed();
  }

  /** Put rows [time, drum, velocity, confidence] in the place of hits; one step that can be undone. Candidates of the
   * same strokes go. */
  exchange(removed, rows, kind) {
    const from = this.originals.size + Math.floor(Math.random() * 2 ** 50);
    const added = rows.map(([time, drum, velocity, confidence], i) =>
      this.clean({ id: from + i, time, drum, velocity, confidence, candidate: false }));
    const doubled = this.hits.filter((hit) => hit.candidate && added.some((other) =>
      other.drum === hit.drum && Math.abs(other.time - hit.time) <= SAME_SECONDS));
    if (removed.length || added.length) this.step(kind, [...removed, ...doubled], added);
  }

  /** Make the hits those of a map from ids; one step that can be undone. */
  become(hits, kind) {
    const removed = this.hits.filter((hit) => !hits.has(hit.id) || !sameHit(hits.get(hit.id), hit));
    const added = [...hits.values()].filter((hit) => !this.byId(hit.id) || !sameHit(this.byId(hit.id), hit));
    if (removed.length || added.length) this.step(kind, removed, added);
  }

  /** Make the hits those of a map from ids, with nothing to undo. */
  reset(hits) {
    this.hits = [...hits.values()].sort(inOrder);
    this.changed();
  }

  /** @returns the step taken back, or null */
  undo() {
    const step = this.done.pop();
    if (!step) return null;
    this.replace(step.added, step.removed);
    this.undone.push({ ...step, at: 0 });
    this.changed();
    return step;
  }

  redo() {
    const step = this.undone.pop();
    if (!step) return null;
    this.replace(step.removed, step.added);
    this.done.push(step);
    this.changed();
    return step;
  }

  replace(removed, added) {
    const gone = new Set([...removed, ...added].map((hit) => hit.id));
    this.hits = this.hits.filter((hit) => !gone.has(hit.id)).concat(added).sort(inOrder);
  }

  setThreshold(value) {
    this.threshold = value;
    this.changed();
  }

  showCandidates(shown) {
    this.withCandidates = shown;
    this.changed();
  }

  changed() {
    this.version += 1;
    this.known.clear();
    for (const listener of this.listeners) listener();
  }
}

function inOrder(a, b) {
  return a.time - b.time || a.drum - b.drum || a.id - b.id;
}

function sameHit(a, b) {
  return a.time === b.time && a.drum === b.drum && a.velocity === b.velocity && a.confidence === b.confidence &&
    a.candidate === b.candidate;
}

/** Index of the first hit that is not before a time. @param hits in order */
function firstFrom(hits, time) {
  let [low, high] = [0, hits.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (hits[middle].time < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
