// Another score of the same recording, from a file: MIDI as tokenizer/midi_read.py reads it, or mt3drum's JSON.

const REFERENCE_BYTES = 16 * 2 ** 20;
const REFERENCE_HITS = 200000;

/** @param data the page's @param notes "gm" or "td17" @returns {hits, unmapped: number of notes in no map}
 * @throws Error with a line for the user */
function readScore(bytes, data, notes) {
  if (bytes.length > REFERENCE_BYTES) throw new Error(`larger than ${REFERENCE_BYTES >> 20} MiB`);
  const midi = [0x4d, 0x54, 0x68, 0x64].every((byte, i) => bytes[i] === byte);
  const { rows, unmapped } = midi ? readMidi(bytes, data.note_maps[notes]) : readHits(bytes, data.schemes);
  if (!rows.length) throw new Error("it has no drum hits");
  if (rows.length > REFERENCE_HITS) throw new Error(`more than ${REFERENCE_HITS} hits`);
  const hits = rows.map(([time, drum, velocity], id) => ({ id, time, drum, velocity, confidence: 1, candidate: false }));
  return { hits: hits.sort(inOrder), unmapped };
}

function readHits(bytes, schemes) {
  let values;
  try {
    values = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Error("neither a MIDI file nor JSON");
  }
  if (!values || !Array.isArray(values.hits)) throw new Error("no score in JSON, as mt3drum writes it");
  const name = values.scheme ?? "26";
  const scheme = Object.hasOwn(schemes, name) ? schemes[name] : null;
  const rows = values.hits.map((hit, i) => {
    const label = scheme && hit ? scheme.labels.indexOf(hit.drum) : -1;
    if (label < 0 || !(hit.time >= 0 && hit.time < 1e5)) throw new Error(`hit ${i + 1} has no known drum or no time`);
    return [hit.time, scheme.of_class.indexOf(label), Number(hit.velocity) || 1];
  });
  return { rows, unmapped: 0 };
}

/** Strokes of the drums' channel: 10, or the only one in use, or tracks that are called drums or percussion.
 * @param drumOf note -> drum; -1: left out on purpose */
function readMidi(bytes, drumOf) {
  const notes = timedNotes(midiEvents(bytes));
  const channels = new Set(notes.map(({ channel }) => channel));
  let strokes = notes;
  if (channels.has(9)) strokes = notes.filter(({ channel }) => channel === 9);
  else if (channels.size > 1) {
    strokes = notes.filter(({ track }) => /drum|perc/i.test(track.name));
    if (!strokes.length) throw new Error("nothing on channel 10, and no track named drums");
  }
  const known = strokes.filter(({ note }) => drumOf[note] !== undefined);
  const rows = known.filter(({ note }) => drumOf[note] >= 0)
    .map(({ time, note, velocity }) => [time, drumOf[note], velocity]);
  return { rows, unmapped: strokes.length - known.length };
}

/** Notes with their time in seconds, under the file's tempos. */
function timedNotes({ division, events }) {
  const smpte = division & 0x8000; // frames a second and ticks a frame; tempos have no effect
  const frames = 256 - (division >> 8);
  if (!division || (smpte && !(division & 255))) throw new Error("damaged MIDI file (no ticks in a beat)");
  let rate = smpte ? 1 / ((frames === 29 ? 30000 / 1001 : frames) * (division & 255)) : 0.5 / division;
  let [from, seconds] = [0, 0];
  const notes = [];
  for (const event of events) {
    const time = seconds + (event.tick - from) * rate;
    if (event.note !== undefined) notes.push({ ...event, time });
    else if (!smpte) [from, seconds, rate] = [event.tick, time, event.tempo / 1e6 / division];
  }
  return notes;
}

/** Notes and tempos of all tracks, in order of time. */
function midiEvents(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const damaged = new Error("damaged MIDI file");
  try {
    if (view.getUint16(8) > 1) throw new Error("only MIDI files of type 0 and 1 are read");
    const division = view.getUint16(12);
    const events = [];
    for (let at = 8 + view.getUint32(4); at + 8 <= bytes.length;) {
      const [kind, end] = [view.getUint32(at), at + 8 + view.getUint32(at + 4)];
      if (end > bytes.length) throw damaged;
      if (kind === 0x4d54726b) readTrack(view, at + 8, end, events);
      at = end;
    }
    return { division, events: events.sort((a, b) => a.tick - b.tick) };
  } catch (error) {
    throw error instanceof RangeError ? damaged : error; // past the end
  }
}

function readTrack(view, start, end, events) {
  const track = { name: "" };
  let [at, tick, status] = [start, 0, 0];
  const number = () => {
    let value = 0;
    for (let i = 0; i < 4; i++) {
      const byte = view.getUint8(at++);
      value = value * 128 + (byte & 127);
      if (byte < 128) return value;
    }
    throw new Error("damaged MIDI file (a number that does not end)");
  };
  while (at < end) {
    tick += number();
    if (view.getUint8(at) >= 128) status = view.getUint8(at++);
    if (status === 0xff) {
      const kind = view.getUint8(at++);
      const size = number();
      const tempo = kind === 0x51 && size === 3 ? (view.getUint16(at) << 8) | view.getUint8(at + 2) : 0;
      if (tempo) events.push({ tick, tempo });
      if (kind === 3) track.name = new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at, size));
      at += size;
    } else if (status === 0xf0 || status === 0xf7) {
      const size = number();
      at += size;
    } else if (status >= 0x80 && status < 0xf0) {
      const [note, velocity] = [view.getUint8(at), status >> 5 === 6 ? 0 : view.getUint8(at + 1)];
      if (status >> 4 === 9 && velocity) events.push({ tick, note, velocity, channel: status & 15, track });
      at += status >> 5 === 6 ? 1 : 2; // program and channel pressure have one byte
    } else throw new Error("damaged MIDI file");
  }
}
