// Bars and beats over a recording, from the record of its tempo: where a time lies, and which lines to draw.

const UNSTEADY = "unsteady: no grid";

class Bars {
  /** @param tempo what the server or `mt3drum review` found, or null: nothing steady, no grid */
  constructor(tempo) {
    this.none = UNSTEADY; // what is said where there is no tempo
    this.set(tempo);
    this.shown = true;
    this.division = 0; // hits snap to this many places a beat; 0: nowhere
  }

  set(tempo) {
    this.tempo = tempo;
    this.beats = tempo ? tempo.beats : [];
  }

  get text() {
    return this.tempo ? this.tempo.text : this.none;
  }

  /** Beats since the start of the first bar, or null. */
  position(time) {
    if (!this.tempo) return null;
    const i = Math.min(Math.max(lastAtMost(this.beats, time), 0), this.beats.length - 2);
    return this.tempo.first + i + (time - this.beats[i]) / (this.beats[i + 1] - this.beats[i]);
  }

  /** The time at a position; the inverse of `position`. */
  timeAt(position) {
    const at = position - this.tempo.first;
    const i = Math.min(Math.max(Math.floor(at), 0), this.beats.length - 2);
    return this.beats[i] + (at - i) * (this.beats[i + 1] - this.beats[i]);
  }

  get snapping() {
    return Boolean(this.tempo) && this.division > 0;
  }

  /** The nearest place of the grid, or the time itself where nothing snaps. */
  snap(time) {
    return this.snapping ? this.timeAt(Math.round(this.position(time) * this.division) / this.division) : time;
  }

  /** The next place of the grid before (sign -1) or after (sign 1) a time. */
  neighbour(time, sign) {
    const at = this.position(time) * this.division;
    const next = sign > 0 ? Math.floor(at + 1.001) : Math.ceil(at - 1.001);
    return this.timeAt(next / this.division);
  }

  /** [start, end] of the bar around a time, in seconds; a stroke a little before the bar is meant for it. */
  barAround(time) {
    const { per_bar: beats } = this.tempo;
    const bar = Math.floor((this.position(time) + 0.1) / beats);
    return [this.timeAt(bar * beats), this.timeAt((bar + 1) * beats)];
  }

  /** "bar 3, beat 2.5", or "" where there is no grid. */
  place(time) {
    const position = this.position(time);
    if (position === null || position < 0) return "";
    const hundredths = Math.round(position * 100) / 100; // 2.999 is the next beat
    const bar = Math.floor(hundredths / this.tempo.per_bar);
    const beat = hundredths - bar * this.tempo.per_bar + 1;
    return `bar ${bar + 1}, beat ${Number(beat.toFixed(2))}`;
  }

  /** Beats per minute around a time: over the four beats nearest to it. */
  bpm(time) {
    if (!this.tempo) return null;
    const from = Math.min(Math.max(lastAtMost(this.beats, time) - 1, 0), Math.max(0, this.beats.length - 5));
    const to = Math.min(from + 4, this.beats.length - 1);
    return (60 * (to - from)) / (this.beats[to] - this.beats[from]);
  }

  /** Lines between two times: [seconds, number of the bar that begins there, or 0].
   * @param every beats from one line to the next: 1, or a whole number of bars */
  lines(start, end, every = 1) {
    if (!this.tempo || !this.shown) return [];
    const found = [];
    const { first, per_bar: perBar } = this.tempo;
    const from = Math.max(0, lastAtMost(this.beats, start));
    for (let i = from + ((every - ((first + from) % every)) % every); i < this.beats.length && this.beats[i] <= end; i += every) {
      const beat = first + i;
      found.push([this.beats[i], beat % perBar ? 0 : beat / perBar + 1]);
    }
    return found;
  }
}

/** Index of the last value that is not above a limit, or -1. @param values rising */
function lastAtMost(values, limit) {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
