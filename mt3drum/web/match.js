// Two scores of one recording, matched by the rule of docs/scoring.md (`eval/metrics/match.py`).

const WINDOW = 0.05; // seconds between two onsets that match, at most

/** Hits under a scheme, in order: those of different drums with one label are one event within 20 ms of its first.
 * @param ofClass label of each drum; -1: not scored @returns [{time, label, hits}] */
function reduceHits(hits, ofClass) {
  const events = [];
  const open = new Map(); // label -> its last event
  for (const hit of [...hits].sort(inOrder)) {
    const label = ofClass[hit.drum];
    if (label < 0) continue;
    const last = open.get(label);
    if (last && hit.time - last.time <= SAME_SECONDS + 1e-9 && last.hits.every(({ drum }) => drum !== hit.drum)) {
      last.hits.push(hit);
      continue;
    }
    const event = { time: hit.time, label, hits: [hit] };
    open.set(label, event);
    events.push(event);
  }
  return events;
}

/** A maximum matching of each label: in order of time, the first two within reach (exact for equal windows).
 * @returns {matched, missed, extra}: estimates that have a reference, references without, estimates without */
function matchHits(references, estimates, ofClass) {
  const found = { matched: [], missed: [], extra: [] };
  const sides = [references, estimates].map((hits) => reduceHits(hits, ofClass));
  for (const label of new Set(ofClass)) {
    const [wanted, given] = sides.map((events) => events.filter((event) => event.label === label));
    let [i, j] = [0, 0];
    while (i < wanted.length && j < given.length) {
      if (given[j].time < wanted[i].time - WINDOW) found.extra.push(given[j++]);
      else if (given[j].time > wanted[i].time + WINDOW) found.missed.push(wanted[i++]);
      else [i] = [i + 1, found.matched.push(given[j++])];
    }
    found.missed.push(...wanted.slice(i));
    found.extra.push(...given.slice(j));
  }
  return found;
}

/** Rows [label, matched, missed, extra, F] of the labels that occur, all of them together last. */
function scoreRows({ matched, missed, extra }, labels) {
  const row = (name, which) => {
    const [tp, fn, fp] = [matched, missed, extra].map((events) => events.filter(which).length);
    return [name, tp, fn, fp, tp + fn + fp ? (2 * tp) / (2 * tp + fp + fn) : 0];
  };
  const rows = labels.map((name, label) => row(name, (event) => event.label === label));
  return [...rows.filter(([, tp, fn, fp]) => tp + fn + fp), row("all", () => true)];
}
