// Segments to a recording: as mt3drum/decode/stitch.py and tokenizer/hits.py.

/** @typedef {import("./rules.js").Rules} Rules */
/** @typedef {import("./hypothesis.js").Hit} Hit */

export class Stitch {
  /** @param {Rules} rules @param {number} steps of the recording */
  constructor(rules, steps) {
    this.rules = rules;
    this.steps = steps;
    /** @type {Hit[]} heard, and not yet settled */
    this.heard = [];
    /** @type {Hit[]} less certain than their drum needs */
    this.candidates = [];
  }

  /** A segment answers for the steps from the margin on, up to where it was told to end.
   * @param {import("./hypothesis.js").Hypothesis} found @param {number} start step of the segment
   * @returns {Hit[]} what nothing can change any more, in order */
  add({ hits, steps }, start) {
    const { codec, decoding } = this.rules;
    hits.forEach((hit, i) => {
      if (steps[i] < decoding.marginSteps || start + steps[i] >= this.steps) return;
      this.heard.push({ ...hit, time: Math.max(0, start / codec.perSecond + hit.time) });
    });
    return this.settle((start + codec.steps - decoding.marginSteps) / codec.perSecond - decoding.refined);
  }

  /** Join what was heard, up to the last pause that parts it from all that follows.
   * @param {number} until seconds: nothing heard later lies before */
  settle(until = Infinity) {
    const { decoding, instruments } = this.rules;
    const gap = Math.max(decoding.sameStroke, decoding.minimumGap);
    const pause = Math.max(gap, decoding.exclusiveGap);
    this.heard.sort(inOrder);
    let end = this.heard.length;
    while (end && until - this.heard[end - 1].time <= pause) {
      until = Math.min(until, this.heard[end - 1].time);
      end -= 1;
    }
    const joined = oneWayAtATime(mergeClose(this.heard.splice(0, end), gap), decoding.exclusiveGap, instruments);
    /** @param {Hit} hit */
    const confident = (hit) => hit.confidence >= decoding.leastConfidence[hit.drum];
    this.candidates.push(...joined.filter((hit) => !confident(hit)));
    return joined.filter(confident);
  }
}

/** @param {Hit} a @param {Hit} b */
function inOrder(a, b) {
  return a.time - b.time || a.drum - b.drum || a.velocity - b.velocity || a.confidence - b.confidence;
}

/** Of hits on one drum less than `gap` after the last kept one, keep the most confident.
 * @param {Hit[]} hits in order @param {number} gap seconds */
function mergeClose(hits, gap) {
  const last = new Map();
  /** @type {Hit[]} */
  const kept = [];
  for (const hit of hits) {
    const at = last.get(hit.drum);
    if (at !== undefined && hit.time - kept[at].time < gap) {
      if (hit.confidence > kept[at].confidence) kept[at] = hit;
    } else {
      last.set(hit.drum, kept.length);
      kept.push(hit);
    }
  }
  return kept.sort(inOrder);
}

/** Of hits on different classes of one instrument less than `gap` apart, keep the most confident.
 * @param {Hit[]} hits @param {number} gap seconds @param {string[]} instruments of each drum */
function oneWayAtATime(hits, gap, instruments) {
  /** @type {Map<string, Hit[]>} */
  const taken = new Map();
  const kept = [];
  for (const hit of [...hits].sort((a, b) => b.confidence - a.confidence || inOrder(a, b))) {
    const struck = taken.get(instruments[hit.drum]) || [];
    const rival = struck.some((other) =>
      other.drum !== hit.drum && other.time > hit.time - gap && other.time < hit.time + gap);
    if (rival) continue;
    taken.set(instruments[hit.drum], [...struck, hit]);
    kept.push(hit);
  }
  return kept.sort(inOrder);
}
