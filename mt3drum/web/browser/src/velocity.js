// Velocity, second pass: the model's, set beside how loud the recording is. As mt3drum/decode/velocity.py.

/** @typedef {import("./rules.js").Rules} Rules */
/** @typedef {import("./hypothesis.js").Hit} Hit */
/** @typedef {Hit & {rise: number, flux: number}} Measured `rise` in dB: the energy a stroke adds to what sounded
 * before it; `flux`: mean over bands of the rise of the log amplitude, where it rises */

/** How loud strokes are in the recording.
 * @param {Rules} rules @param {Float32Array} bands [window band frame] of a segment; the first window is looked at
 * @param {Hit[]} hits @param {number[]} steps their frames @returns {Measured[]} */
export function measured({ decoding, features, codec }, bands, hits, steps) {
  const frames = codec.steps;
  /** @param {number} frame */
  const inside = (frame) => Math.min(Math.max(frame, 0), frames - 1);
  return hits.map((hit, i) => {
    let [loud, quiet, flux] = [0, 0, 0];
    for (let band = 0; band < features.bands; band++) {
      const row = band * frames;
      let after = -Infinity;
      for (let d = decoding.attack[0]; d <= decoding.attack[1]; d++) after = Math.max(after, bands[row + inside(steps[i] + d)]);
      let before = 0;
      const [first, last] = decoding.before;
      for (let d = first; d <= last; d++) before += bands[row + inside(steps[i] + d)];
      before /= last - first + 1;
      loud += Math.exp(2 * after);
      quiet += Math.exp(2 * before);
      flux += Math.max(after - before, 0);
    }
    const rise = 10 * Math.log10(Math.max(loud - quiet, decoding.leastEnergy * loud));
    return { ...hit, rise, flux: flux / features.bands };
  });
}

/** Velocities by both; each drum keeps the mean and spread that the model gave it.
 * @param {Rules} rules @param {Measured[]} hits of one recording @returns {Hit[]} */
export function revised({ decoding, codec, instruments }, hits) {
  const velocity = hits.map((hit) => hit.velocity);
  instruments.forEach((_, drum) => {
    const own = hits.flatMap((hit, i) => (hit.drum === drum ? [i] : []));
    if (own.length < decoding.fewest) return;
    const parts = [own.map((i) => velocity[i]), own.map((i) => hits[i].rise), own.map((i) => hits[i].flux)].map(standard);
    const score = standard(own.map((_, n) => parts[0][n] + parts[1][n] + parts[2][n]));
    const { mean, spread } = moments(own.map((i) => velocity[i]));
    own.forEach((i, n) => (velocity[i] = mean + spread * score[n]));
  });
  return hits.map(({ time, drum, confidence }, i) =>
    ({ time, drum, velocity: Math.min(Math.max(Math.round(velocity[i]), 1), codec.maxVelocity), confidence }));
}

/** @param {number[]} values */
function moments(values) {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { mean, spread: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) };
}

/** With mean 0 and deviation 1; zeros where all are alike. @param {number[]} values */
function standard(values) {
  const { mean, spread } = moments(values);
  return values.map((value) => (spread > 1e-9 ? (value - mean) / spread : 0));
}
