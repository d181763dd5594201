// Numbers as Python and numpy treat them.

import { quantile } from "./rules.js";

/** @param {number} x halves to the even neighbour */
export function roundEven(x) {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 ? low + 1 : low;
}

/** `format(x, ".2f")`. @param {number} x @param {number} digits */
export function fixed(x, digits) {
  const scaled = x * 10 ** digits;
  // A tie only where the double is exactly half way, which then has few binary digits.
  const tie = Math.abs(scaled % 1) === 0.5 && (x * 2 ** (digits + 1)) % 1 === 0;
  return tie ? (roundEven(scaled) / 10 ** digits).toFixed(digits) : x.toFixed(digits);
}

/** `round(x, digits)`. @param {number} x @param {number} digits */
export const rounded = (x, digits) => Number(fixed(x, digits));

/** @param {ArrayLike<number>} values */
export const median = (values) => quantile(Float64Array.from(values).sort(), 0.5);

/** From each value to the next. @param {ArrayLike<number>} values */
export const differences = (values) =>
  Float64Array.from({ length: values.length - 1 }, (_, i) => values[i + 1] - values[i]);

/** Index of the last value that is not above `x`, or -1. @param {ArrayLike<number>} values rising @param {number} x */
export function lastAtMost(values, x) {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= x) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Place among rising values, between two of them linear; beyond them the first or the last: `interp` with indices.
 * @param {number} x @param {ArrayLike<number>} values */
export function place(x, values) {
  const last = values.length - 1;
  if (x <= values[0]) return 0;
  if (x >= values[last]) return last;
  const i = lastAtMost(values, x);
  return i + (x - values[i]) / (values[i + 1] - values[i]);
}

/** Index of the first highest value. @param {ArrayLike<number>} values */
export function argmax(values) {
  let found = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[found]) found = i;
  return found;
}

/** The item of the least key, of equals the first. @template T @param {Iterable<T>} items @param {(item: T) => number} key */
export function least(items, key) {
  let [found, lowest] = [/** @type {T | undefined} */ (undefined), Infinity];
  for (const item of items) {
    const value = key(item);
    if (found === undefined || value < lowest) [found, lowest] = [item, value];
  }
  return /** @type {T} */ (found);
}

/** @template K, T @param {Iterable<T>} items @param {(item: T) => K} key @returns {Map<K, T[]>} in order of appearance */
export function grouped(items, key) {
  /** @type {Map<K, T[]>} */
  const groups = new Map();
  for (const item of items) {
    const name = key(item);
    const group = groups.get(name);
    if (group) group.push(item);
    else groups.set(name, [item]);
  }
  return groups;
}
