// Files from the edited score: JSON and CSV as `mt3drum transcribe` writes them, MIDI as tokenizer/midi.py.

const TICKS_PER_BEAT = 960; // at 120 beats a minute a tick is 0.52 ms
const TICKS_PER_SECOND = 2 * TICKS_PER_BEAT;
const NOTE_SECONDS = 0.05;

function toJson(hits, data) {
  const head = JSON.stringify({ source: data.source, seconds: data.seconds, warnings: data.warnings });
  const rows = hits.map((hit) => JSON.stringify({
    time: Number(hit.time.toFixed(6)),
    drum: data.drums[hit.drum].name,
    velocity: hit.velocity,
    confidence: Number(hit.confidence.toFixed(4)),
  }));
  const body = rows.length ? `[\n  ${rows.join(",\n  ")}\n ]` : "[]";
  return `${head.slice(0, -1)},\n "hits": ${body}}\n`;
}

function toCsv(hits, data) {
  const rows = hits.map((hit) =>
    [hit.time.toFixed(6), data.drums[hit.drum].name, hit.velocity, hit.confidence.toFixed(4)].join(","));
  return ["time,drum,velocity,confidence", ...rows].join("\n") + "\n";
}

/** A MIDI file of type 1. @param notes "gm" or "td17" */
function toMidi(hits, data, notes) {
  const loudest = new Map(); // "tick note" -> [tick, note, velocity]: two hits on one tick and note are one
  for (const hit of hits) {
    const tick = Math.round(hit.time * TICKS_PER_SECOND);
    const note = data.drums[hit.drum][notes];
    const before = loudest.get(`${tick} ${note}`);
    if (!before || before[2] < hit.velocity) loudest.set(`${tick} ${note}`, [tick, note, hit.velocity]);
  }
  const strokes = [...loudest.values()].sort((a, b) => b[0] - a[0] || b[1] - a[1]);
  const following = new Map(); // note -> start of its next stroke
  const events = []; // [tick, off before on, bytes]
  for (const [start, note, velocity] of strokes) {
    const end = Math.min(start + NOTE_SECONDS * TICKS_PER_SECOND, following.get(note) ?? Infinity);
    following.set(note, start);
    events.push([start, 1, [0x99, note, velocity]], [end, 0, [0x89, note, 0]]);
  }
  events.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const tempo = [[0, 0, [0xff, 0x51, 3, 0x07, 0xa1, 0x20]]]; // 500,000 microseconds a beat
  const name = [..."Drums"].map((letter) => letter.charCodeAt(0));
  const head = [[0, 0, [0xff, 0x03, name.length, ...name]], [0, 0, [0xc9, 0]]];
  return new Uint8Array([
    ...chunk("MThd", [0, 1, 0, 2, TICKS_PER_BEAT >> 8, TICKS_PER_BEAT & 255]),
    ...track(tempo),
    ...track([...head, ...events]),
  ]);
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
