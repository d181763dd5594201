// Accents and ghost notes: as mt3drum/formats/marks.py.

import { grouped, median } from "./numbers.js";

/** @typedef {import("./rules.js").ScoreRules} ScoreRules */
/** @typedef {import("./hypothesis.js").Hit} Hit */
/** @typedef {"" | "accent" | "ghost"} Mark */

/** @param {ScoreRules} rules @param {Hit[]} hits of the recording @returns {(hit: Hit) => Mark} */
export function marker({ constants }, hits) {
  const { GHOST_MOST, GHOST_RATIO, GHOSTED, ACCENT_LEAST, ACCENT_RATIO } = constants.marks;
  /** @type {Map<number, [number, number]>} */
  const limits = new Map();
  for (const [drum, own] of grouped(hits, (hit) => hit.drum)) {
    const velocities = own.map((hit) => hit.velocity);
    const highest = velocities.reduce((a, b) => Math.max(a, b));
    const usual = median(velocities.filter((velocity) => velocity > highest / 2));
    const ghost = GHOSTED.includes(drum) ? Math.min(GHOST_MOST, GHOST_RATIO * usual) : 0;
    limits.set(drum, [ghost, Math.max(ACCENT_LEAST, ACCENT_RATIO * usual)]);
  }
  return ({ drum, velocity }) => {
    const [ghost, accent] = /** @type {[number, number]} */ (limits.get(drum));
    if (velocity <= ghost) return "ghost";
    return velocity >= accent ? "accent" : "";
  };
}
