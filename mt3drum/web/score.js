// The score under edit: hits that are never changed in place, and steps that can be undone. Knows no page.

const MERGE_MS = 800; // the same kind of edit of the same hit within this time is one step of undo

class Score {
  /** @param rows [time s, drum, velocity, confidence] each; @param seconds length of the recording */
  constructor(rows, seconds) {
    this.seconds = seconds;
    this.hits = rows.map(([time, drum, velocity, confidence], id) => ({ id, time, drum, velocity, confidence }));
    this.hits.sort(inOrder);
    this.nextId = this.hits.length;
    this.threshold = 0;
    this.done = [];
    this.undone = [];
    this.listeners = [];
  }

  /** The hits that are shown, heard and exported. */
  visible() {
    return this.hits.filter((hit) => hit.confidence >= this.threshold);
  }

  byId(id) {
    return this.hits.find((hit) => hit.id === id) || null;
  }

  /** From the least certain on; a hit that a person has judged (confidence 1) is not in it. */
  uncertain() {
    const open = this.visible().filter((hit) => hit.confidence < 1);
    return open.sort((a, b) => a.confidence - b.confidence || a.time - b.time);
  }

  add(time, drum, velocity) {
    const hit = this.clean({ id: this.nextId++, time, drum, velocity, confidence: 1 });
    this.step("add", [], [hit]);
    return hit;
  }

  remove(hit) {
    this.step("delete", [hit], []);
  }

  /** Replace some fields; what a person has set is certain. */
  change(hit, fields, kind) {
    const next = this.clean({ ...hit, confidence: 1, ...fields });
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
    const again = last && last.kind === kind && kind !== "add" && kind !== "delete" &&
      last.added[0].id === added[0].id && now - last.at < MERGE_MS;
    if (again) {
      last.added = added;
      last.at = now;
    } else {
      this.done.push({ kind, removed, added, at: now });
    }
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
    const gone = new Set(removed.map((hit) => hit.id));
    this.hits = this.hits.filter((hit) => !gone.has(hit.id)).concat(added).sort(inOrder);
  }

  setThreshold(value) {
    this.threshold = value;
    this.changed();
  }

  changed() {
    for (const listener of this.listeners) listener();
  }
}

function inOrder(a, b) {
  return a.time - b.time || a.drum - b.drum || a.id - b.id;
}

function sameHit(a, b) {
  return a.time === b.time && a.drum === b.drum && a.velocity === b.velocity && a.confidence === b.confidence;
}
