// The likeliest beats of each range of tempos: as mt3drum/rhythm/bar_pointer.py, frame by frame instead of block by
// block, and mt3drum/rhythm/patterns.py.

import { argmax, roundEven } from "./numbers.js";
import { quantile } from "./rules.js";

const NEGLIGIBLE = -18; // nats: less than half the last place of a sum of float32
const NEVER = -(2 ** 48); // below any score that two hours of strokes give; sums of some stay whole numbers

/** @typedef {import("./rules.js").ScoreRules} ScoreRules */
/** @typedef {import("./hypothesis.js").Hit} Hit */
/** @typedef {{likelihood: number, beats: Float64Array}} BeatPath */
/** @typedef {[number, number]} Range of beat lengths in seconds */

/** Index into the roles of the kit of every hit. @param {ScoreRules} rules @param {Hit[]} hits */
export function rolesOf({ constants, drums }, hits) {
  const { GHOST, ROLES, ROLE_OF_FAMILY, TIME } = constants.patterns;
  /** @param {Hit} hit */
  const family = (hit) => drums[hit.drum].family;
  const snares = hits.filter((hit) => family(hit) === "snare").map((hit) => hit.velocity);
  const ghost = snares.length ? GHOST * quantile(Float64Array.from(snares).sort(), 0.8) : 0;
  const crashes = hits.filter((hit) => family(hit) === "crash").length;
  const ridden = crashes > hits.filter((hit) => ROLE_OF_FAMILY[family(hit)] === TIME).length;
  return hits.map((hit) => {
    if (drums[hit.drum].name === "hihat_pedal") return ROLES.indexOf("pedal");
    if (family(hit) === "snare" && hit.velocity < ghost) return ROLES.indexOf("ghost");
    if (ridden && family(hit) === "crash") return TIME;
    return ROLE_OF_FAMILY[family(hit)];
  });
}

/** Ranges that cover `shortest` to `longest`, each overlapping the next by half.
 * @param {ScoreRules} rules @param {number} shortest @param {number} longest @returns {Range[]} */
export function bands({ constants }, shortest, longest) {
  const { BAND } = constants.bar_pointer;
  const count = Math.max(1, Math.ceil(Math.log(longest / shortest) / Math.log(Math.sqrt(BAND))) - 1);
  const ratio = (longest / shortest) ** (1 / (count + 1));
  return Array.from({ length: count }, (_, i) => [shortest * ratio ** i, shortest * ratio ** (i + 2)]);
}

/** The best path of each range. @param {ScoreRules} rules @param {Hit[]} hits in order @param {number[]} roles
 * @param {Range[]} ranges @returns {BeatPath[]} */
export function likeliest(rules, hits, roles, ranges) {
  const { FRAME } = rules.constants.bar_pointer;
  const mean = hits.reduce((sum, hit) => sum + hit.confidence, 0) / hits.length;
  const weights = hits.map((hit) => (mean ? hit.confidence / mean : 1));
  return groups(rules, ranges).flatMap((group) => {
    const search = new Search(rules, group);
    const origin = Math.floor(hits[0].time / FRAME) - Math.ceil(search.longest);
    const frames = hits.map((hit) => roundEven(hit.time / FRAME) - origin);
    return search.run(frames, roles, weights).map(({ likelihood, ends }) =>
      ({ likelihood, beats: Float64Array.from(ends, (end) => (end + origin) * FRAME) }));
  });
}

/** Neighbouring ranges together as far as their lengths are alike. @param {ScoreRules} rules @param {Range[]} ranges */
function groups({ constants }, ranges) {
  /** @type {Range[][]} */
  const found = [];
  for (const band of ranges) {
    const group = found[found.length - 1];
    if (group && Math.max(band[1], group[group.length - 1][1]) <= constants.bar_pointer.TOGETHER * Math.min(band[0], group[0][0])) {
      group.push(band);
    } else {
      found.push([band]);
    }
  }
  return found;
}

class Search {
  /** @param {ScoreRules} rules @param {Range[]} ranges */
  constructor({ constants, beat }, ranges) {
    this.constants = constants;
    const { FRAME, STEP, EARLY, REACH, STIFFNESS, NAT } = constants.bar_pointer;
    const perBand = ranges.map(([shortest, longest]) => {
      const count = Math.max(2, Math.ceil(Math.log(longest / shortest) / Math.log(STEP)) + 1);
      return Array.from({ length: count }, (_, i) => {
        if (i === 0) return shortest / FRAME;
        return (i === count - 1 ? longest : shortest * (longest / shortest) ** (i / (count - 1))) / FRAME;
      });
    });
    this.lengths = perBand.flat();
    this.band = perBand.flatMap((lengths, i) => lengths.map(() => i));
    this.bands = ranges.length;
    this.longest = Math.max(...this.lengths);
    this.reach = Math.ceil(this.longest * (1 + EARLY)) + 1;
    this.styles = beat.shares.length;
    this.cost = Float32Array.from(beat.rates, (roles, style) => {
      let sum = 0;
      for (const ticks of roles) for (const rate of ticks) sum += rate;
      return sum - Math.log(beat.shares[style]);
    });
    this.template = this.templates(beat.rates);
    const count = this.lengths.length;
    this.change = new Float64Array((2 * REACH + 1) * count).fill(NEVER); // [step length]: cost of a change
    const logs = this.lengths.map(Math.log);
    for (let step = 0; step <= 2 * REACH; step++) {
      for (let column = 0; column < count; column++) {
        const other = column + step - REACH;
        if (this.band[other] !== this.band[column]) continue;
        this.change[step * count + column] = roundEven(-STIFFNESS * Math.abs(logs[column] - logs[other]) * NAT);
      }
    }
  }

  /** [role, frames to the end of the beat, style, length]: log-likelihood of a stroke. @param {number[][][]} rates */
  templates(rates) {
    const { FRAME, EARLY, SIGMA, NARROW, FLOOR } = this.constants.bar_pointer;
    const { ROLES, TICKS } = this.constants.patterns;
    const { lengths, styles, reach } = this;
    const table = new Float32Array(ROLES.length * reach * styles * lengths.length);
    const bump = new Float64Array(TICKS);
    lengths.forEach((length, column) => {
      const first = Math.max(1, roundEven(length * EARLY));
      const sigma = Math.min(SIGMA, NARROW * length * FRAME);
      for (let untilEnd = first; untilEnd < first + roundEven(length); untilEnd++) {
        for (let tick = 0; tick < TICKS; tick++) {
          let gap = Math.abs((length - untilEnd) / length - tick / TICKS);
          gap = Math.min(gap, 1 - gap) * length * FRAME;
          bump[tick] = Math.exp(-0.5 * (gap / sigma) ** 2) / (sigma * Math.sqrt(2 * Math.PI));
        }
        for (let role = 0; role < ROLES.length; role++) {
          for (let style = 0; style < styles; style++) {
            let rate = FLOOR;
            for (let tick = 0; tick < TICKS; tick++) rate += rates[style][role][tick] * bump[tick];
            table[((role * reach + untilEnd) * styles + style) * lengths.length + column] = Math.log(rate);
          }
        }
      }
    });
    return table;
  }

  /** Log-likelihood and beats, in frames, of each band. @param {number[]} frames of the strokes, rising
   * @param {number[]} roles @param {number[]} weights */
  run(frames, roles, weights) {
    const { EARLY, REACH, FRESH } = this.constants.bar_pointer;
    const { lengths, reach, change, band } = this;
    const count = lengths.length;
    const [first, last] = [frames[0], frames[frames.length - 1]];
    const whole = lengths.map(Math.floor);
    const border = lengths.map((length) => Math.max(1, roundEven(length * EARLY)));
    const past = Math.max(...whole) + 2; // frames that are looked back to
    const total = last + 2 + reach;
    const origin = new Uint8Array(total * count); // by first frame of a beat: the step to its length
    const late = new Uint8Array(total * count); // by last frame of a beat: whether it is one frame longer
    const onward = new Float64Array(past * count).fill(NEVER); // by first frame: the best score of a beat that ends there
    const fraction = new Float64Array(past * count); // and the rounding error, in frames, of the next
    const best = new Float64Array(count).fill(NEVER);
    const bestEnd = new Int32Array(count);
    const score = new Float64Array(count);
    const missed = new Float64Array(count);
    const heard = new Evidence(this, frames, roles, weights);
    for (let frame = 0; frame < total; frame++) {
      const evidence = heard.next(frame);
      for (let column = 0; column < count; column++) {
        const start = frame - whole[column];
        const at = start >= 0 ? (start % past) * count + column : -1;
        const before = start > 0 ? ((start - 1) % past) * count + column : -1;
        // A beat that would start half a frame late ends a frame later.
        const punctual = at < 0 || fraction[at] >= 0.5 ? NEVER : onward[at];
        const delayed = before >= 0 && fraction[before] >= 0.5 ? onward[before] : NEVER;
        const extra = delayed > punctual;
        late[frame * count + column] = Number(extra);
        score[column] = (extra ? delayed : punctual) + evidence[column];
        missed[column] = extra ? fraction[before] - 1 : at < 0 ? 0 : fraction[at];
        const row = frame - border[column];
        if (row > last && row - lengths[column] <= last + 1 && score[column] > best[column]) {
          best[column] = score[column];
          bestEnd[column] = frame;
        }
      }
      const here = (frame % past) * count;
      for (let column = 0; column < count; column++) {
        let [top, chosen] = [-Infinity, 0];
        for (let step = 0; step <= 2 * REACH; step++) {
          const other = column + step - REACH;
          if (band[other] !== band[column]) continue;
          const value = score[other] + change[step * count + column];
          if (value > top) [top, chosen] = [value, step];
        }
        let kept = missed[column + chosen - REACH];
        origin[frame * count + column] = chosen;
        if (top < 0 && frame <= first + border[column]) {
          [top, kept] = [0, 0];
          origin[frame * count + column] = FRESH;
        }
        onward[here + column] = Math.max(top, NEVER);
        fraction[here + column] = kept + lengths[column] - whole[column];
      }
    }
    return Array.from({ length: this.bands }, (_, i) => this.trace(origin, late, best, bestEnd, i));
  }

  /** @param {Uint8Array} origin @param {Uint8Array} late @param {Float64Array} best @param {Int32Array} bestEnd
   * @param {number} band */
  trace(origin, late, best, bestEnd, band) {
    const { NAT, FRESH, REACH } = this.constants.bar_pointer;
    const count = this.lengths.length;
    const from = this.band.indexOf(band);
    let column = from + argmax(best.subarray(from, this.band.lastIndexOf(band) + 1));
    const likelihood = best[column] / NAT;
    let frame = bestEnd[column];
    const lasting = [];
    for (;;) {
      lasting.push(this.lengths[column]);
      frame -= Math.floor(this.lengths[column]) + late[frame * count + column];
      const step = origin[frame * count + column];
      if (step === FRESH) break;
      column += step - REACH;
    }
    const ends = [frame];
    for (const length of lasting.reverse()) ends.push(ends[ends.length - 1] + length);
    return { likelihood, ends };
  }
}

/** What the strokes say of a beat that ends at each frame. */
class Evidence {
  /** @param {Search} search @param {number[]} frames @param {number[]} roles @param {number[]} weights */
  constructor(search, frames, roles, weights) {
    this.search = search;
    this.frames = frames;
    this.roles = roles;
    this.weights = weights;
    this.hit = 0;
    this.row = search.styles * search.lengths.length;
    this.ahead = new Float32Array(search.reach * this.row); // a ring of frames [style length]
    this.found = new Float64Array(search.lengths.length);
    this.top = new Float64Array(search.lengths.length);
  }

  /** @param {number} frame the one after the last @returns {Float64Array} [length], whole numbers; good until the next call */
  next(frame) {
    const { search, row, ahead, found, top } = this;
    const { NAT } = search.constants.bar_pointer;
    const { reach, styles, template, cost } = search;
    const count = search.lengths.length;
    for (; this.hit < this.frames.length && this.frames[this.hit] === frame; this.hit++) {
      const weight = Math.fround(this.weights[this.hit]);
      const from = this.roles[this.hit] * reach * row;
      for (let ago = 0; ago < reach; ago++) {
        const to = ((frame + ago) % reach) * row;
        for (let i = 0; i < row; i++) ahead[to + i] += Math.fround(template[from + ago * row + i] * weight);
      }
    }
    const here = (frame % reach) * row;
    top.fill(-Infinity);
    for (let style = 0, at = here; style < styles; style++) {
      for (let column = 0; column < count; column++, at++) {
        ahead[at] -= cost[style];
        if (ahead[at] > top[column]) top[column] = ahead[at];
      }
    }
    found.fill(0);
    for (let style = 0, at = here; style < styles; style++) {
      for (let column = 0; column < count; column++, at++) {
        const below = ahead[at] - top[column];
        if (below > NEGLIGIBLE) found[column] += Math.exp(below);
      }
    }
    for (let column = 0; column < count; column++) {
      found[column] = Math.trunc(Math.fround(Math.fround(top[column] + Math.log(found[column])) * NAT));
    }
    ahead.fill(0, here, here + row);
    return found;
  }
}
