// Files from the edited score: JSON, JSON Lines and CSV as `mt3drum transcribe` writes them, MIDI as tokenizer/midi.py.

const NOTE_SECONDS = 0.05;

function record(hit, data) {
  return JSON.stringify({
    time: Number(hit.time.toFixed(6)),
    drum: data.drums[hit.drum].name,
    velocity: hit.velocity,
    confidence: Number(hit.confidence.toFixed(4)),
  });
}

/** @param tempo as in the page's data, or null */
function toJson(hits, data, tempo) {
  const kept = ["bpm", "meter", "steadiness", "first", "beats", "downbeats"];
  const grid = tempo && Object.fromEntries(kept.map((name) => [name, tempo[name]]));
  const { source, seconds, warnings } = data;
  const head = JSON.stringify({ source, seconds, warnings, tempo: grid });
  const body = hits.length ? `[\n  ${hits.map((hit) => record(hit, data)).join(",\n  ")}\n ]` : "[]";
  return `${head.slice(0, -1)},\n "hits": ${body}}\n`;
}

function toJsonl(hits, data) {
  return hits.map((hit) => `${record(hit, data)}\n`).join("");
}

function toCsv(hits, data) {
  const rows = hits.map((hit) =>
    [hit.time.toFixed(6), data.drums[hit.drum].name, hit.velocity, hit.confidence.toFixed(4)].join(","));
  return ["time,drum,velocity,confidence", ...rows].join("\n") + "\n";
}

/** Seconds to ticks and back under a map of tempos that is built from its start. */
class Clock {
  constructor(ticksPerBeat) {
    this.ticksPerBeat = ticksPerBeat;
    this.changes = [{ tick: 0, seconds: 0, rate: 0.5 / ticksPerBeat }]; // rate: seconds a tick
  }

  change(tick, microseconds) {
    const rate = microseconds / 1e6 / this.ticksPerBeat;
    const last = this.changes[this.changes.length - 1];
    if (tick === last.tick) last.rate = rate;
    else this.changes.push({ tick, seconds: this.secondsAt(tick), rate });
  }

  secondsAt(tick) {
    const { tick: from, seconds, rate } = this.changes.findLast((change) => change.tick <= tick);
    return seconds + (tick - from) * rate;
  }

  tickAt(time) {
    const { tick, seconds, rate } = this.changes.findLast((change) => change.seconds <= time);
    return tick + Math.round((time - seconds) / rate);
  }
}

/** A MIDI file of type 1. @param tempo as in the page's data, or null @param notes "gm" or "td17" */
function toMidi(hits, data, tempo, notes) {
  const changes = (tempo ? tempo.tempos : []).map(([time, bpm]) => [time, Math.round(6e7 / bpm)]);
  const slowest = Math.max(500000, ...changes.map(([, microseconds]) => microseconds));
  const ticksPerBeat = 960 * Math.ceil(slowest / 1e3 / 960); // a tick is at most 1 ms
  const clock = new Clock(ticksPerBeat);
  const head = [];
  if (!changes.length || changes[0][0] > 0) changes.unshift([0, 500000]);
  for (const [time, microseconds] of changes) {
    const tick = clock.tickAt(time);
    clock.change(tick, microseconds);
    head.push([tick, 0, [0xff, 0x51, 3, microseconds >> 16, (microseconds >> 8) & 255, microseconds & 255]]);
  }
  for (const [time, top, bottom] of tempo ? tempo.meters : []) {
    head.push([clock.tickAt(time), 1, [0xff, 0x58, 4, top, Math.log2(bottom), 24, 8]]);
  }
  head.sort((a, b) => a[0] - b[0] || a[1] - b[1]);

  const loudest = new Map(); // "tick note" -> [tick, note, velocity]: two hits on one tick and note are one
  for (const hit of hits) {
    const tick = clock.tickAt(hit.time);
    const note = data.drums[hit.drum][notes];
    const before = loudest.get(`${tick} ${note}`);
    if (!before || before[2] < hit.velocity) loudest.set(`${tick} ${note}`, [tick, note, hit.velocity]);
  }
  const strokes = [...loudest.values()].sort((a, b) => b[0] - a[0] || b[1] - a[1]);
  const following = new Map(); // note -> start of its next stroke
  const events = []; // [tick, off before on, bytes]
  for (const [start, note, velocity] of strokes) {
    const end = Math.min(clock.tickAt(clock.secondsAt(start) + NOTE_SECONDS), following.get(note) ?? Infinity);
    following.set(note, start);
    events.push([start, 1, [0x99, note, velocity]], [end, 0, [0x89, note, 0]]);
  }
  events.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const name = [..."Drums"].map((letter) => letter.charCodeAt(0));
  const body = [[0, 0, [0xff, 0x03, name.length, ...name]], [0, 0, [0xc9, 0]], ...events];
  const bytes = [chunk("MThd", [0, 1, 0, 2, ticksPerBeat >> 8, ticksPerBeat & 255]), track(head), track(body)];
  return new Uint8Array(bytes.flat());
}

function track(events) {
  const bytes = [];
  let last = 0;
  for (const [tick, , message] of [...events, [events[events.length - 1][0], 0, [0xff, 0x2f, 0]]]) {
    for (const byte of variableLength(tick - last)) bytes.push(byte);
    for (const byte of message) bytes.push(byte);
    last = tick;
  }
  return chunk("MTrk", bytes);
}

function chunk(name, bytes) {
  const size = bytes.length;
  const head = [...name].map((letter) => letter.charCodeAt(0));
  return head.concat([size >>> 24, (size >>> 16) & 255, (size >>> 8) & 255, size & 255], bytes);
}

function variableLength(value) {
  const bytes = [value & 127];
  for (let rest = value >>> 7; rest; rest >>>= 7) bytes.unshift((rest & 127) | 128);
  return bytes;
}
