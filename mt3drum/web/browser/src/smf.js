// Standard MIDI files of type 1, as mido writes them.

/** @typedef {{tick: number, order: number, bytes: number[]}} Event `order` of events on one tick */

const encoder = new TextEncoder();

/** A text event. @param {number} kind 1 text, 3 name of a track @param {string} text */
export const textBytes = (kind, text) => {
  const bytes = [...encoder.encode(text)];
  return [0xff, kind, ...variableLength(bytes.length), ...bytes];
};

/** @param {number} microseconds of a quarter note */
export const tempoBytes = (microseconds) =>
  [0xff, 0x51, 3, (microseconds >> 16) & 255, (microseconds >> 8) & 255, microseconds & 255];

/** @param {number} top @param {number} bottom */
export const meterBytes = (top, bottom) => [0xff, 0x58, 4, top, Math.log2(bottom), 24, 8];

/** @param {number} ticksPerBeat @param {{name: string, events: Event[]}[]} tracks */
export function midiFile(ticksPerBeat, tracks) {
  const head = chunk("MThd", [0, 1, 0, tracks.length, ticksPerBeat >> 8, ticksPerBeat & 255]);
  return Uint8Array.from([head, ...tracks.map(({ name, events }) => track(name, events))].flat());
}

/** @param {string} name @param {Event[]} events */
function track(name, events) {
  const first = { tick: 0, bytes: textBytes(3, name) };
  const ordered = [...events].sort((a, b) => a.tick - b.tick || a.order - b.order);
  const bytes = [];
  let [last, status] = [0, -1];
  for (const { tick, bytes: message } of [first, ...ordered]) {
    bytes.push(...variableLength(tick - last), ...(message[0] === status ? message.slice(1) : message));
    status = message[0] < 0xf0 ? message[0] : -1;
    last = tick;
  }
  bytes.push(0, 0xff, 0x2f, 0);
  return chunk("MTrk", bytes);
}

/** @param {string} name @param {number[]} bytes */
function chunk(name, bytes) {
  const size = bytes.length;
  return [...encoder.encode(name), size >>> 24, (size >>> 16) & 255, (size >>> 8) & 255, size & 255].concat(bytes);
}

/** @param {number} value */
function variableLength(value) {
  const bytes = [value & 127];
  for (let rest = value >>> 7; rest; rest >>>= 7) bytes.unshift((rest & 127) | 128);
  return bytes;
}
