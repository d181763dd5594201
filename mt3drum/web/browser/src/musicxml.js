// MusicXML 4.0 percussion notation: as mt3drum/formats/musicxml.py and markings.py.

import { marker } from "./marks.js";
import { barsOf } from "./notation.js";
import { fixed, grouped, roundEven } from "./numbers.js";
import { TICKS } from "./quantise.js";
import { findForm } from "./sections.js";

/** @typedef {import("./rules.js").ScoreRules} ScoreRules */
/** @typedef {import("./quantise.js").Score} Score */
/** @typedef {import("./quantise.js").Note} Note */
/** @typedef {import("./notation.js").ChordRest} ChordRest */
/** @typedef {Record<string, string>} Attributes */

/** An element of XML: what it holds is text or other elements. */
class Element {
  /** @param {string} name @param {Attributes} attributes @param {string | number | null} text */
  constructor(name, attributes = {}, text = null) {
    this.name = name;
    this.attributes = attributes;
    this.text = text;
    /** @type {Element[]} */
    this.children = [];
  }

  /** A new element in this one. @param {string} name @param {string | number | null} text @param {Attributes} attributes */
  add(name, text = null, attributes = {}) {
    const child = new Element(name, attributes, text);
    this.children.push(child);
    return child;
  }

  /** @param {string} indent @returns {string} */
  toText(indent = "") {
    const head = `${this.name}${Object.entries(this.attributes).map(([name, value]) => ` ${name}="${escaped(value).replaceAll('"', "&quot;")}"`).join("")}`;
    if (this.children.length) {
      const inside = this.children.map((child) => `\n${indent}  ${child.toText(`${indent}  `)}`).join("");
      return `<${head}>${inside}\n${indent}</${this.name}>`;
    }
    return this.text === null || this.text === "" ? `<${head} />` : `<${head}>${escaped(String(this.text))}</${this.name}>`;
  }
}

/** @param {string} text */
const escaped = (text) => text.replace(/[&<>]/g, (letter) => `&${{ "&": "amp", "<": "lt", ">": "gt" }[letter]};`);

/** What a person can read: no control characters and no half surrogate pairs. @param {string} text */
export const printable = (text) => text.replace(/\p{C}|\p{Zl}|\p{Zp}|(?! )\p{Zs}/gu, "?");

/** The whole document. @param {ScoreRules} rules @param {Score} score @param {string} title */
export function toMusicXml(rules, score, title) {
  return new Document(rules, score).toText(title);
}

class Document {
  /** @param {ScoreRules} rules @param {Score} score */
  constructor(rules, score) {
    this.rules = rules;
    this.score = score;
    this.constants = rules.constants.musicxml;
    this.mark = marker(rules, score.notes.map(({ hit }) => hit));
  }

  /** @param {string} title */
  toText(title) {
    const { rules, score } = this;
    const root = new Element("score-partwise", { version: "4.0" });
    root.add("work").add("work-title", printable(title));
    root.add("identification").add("encoding").add("software", "mt3drum");
    this.partList(root);
    const part = root.add("part", null, { id: "P1" });
    const tempos = this.tempos();
    const form = findForm(rules, score);
    const rehearsal = new Map(form.sections.length > 1
      ? form.sections.filter(({ label }) => label).map(({ first, label, number }) => [first, number === 1 ? label : label + number])
      : []);
    let measure = part;
    barsOf(rules, score).forEach((bar, i) => {
      measure = part.add("measure", null, { number: String(i + 1) });
      if (i === 0) this.attributes(measure);
      const number = score.firstBar + i;
      const label = rehearsal.get(number);
      if (label !== undefined) measure.add("direction", null, { placement: "above" }).add("direction-type").add("rehearsal", label);
      if (form.fills.has(number)) {
        measure.add("direction", null, { placement: "above" }).add("direction-type").add("words", "Fill", { "font-style": "italic" });
      }
      this.directions(measure, tempos.get(number), i === 0);
      this.voice(measure, bar.hands, "1");
      if (bar.feet.length) {
        measure.add("backup").add("duration", score.bar);
        this.voice(measure, bar.feet, "2");
      }
    });
    measure.add("barline", null, { location: "right" }).add("bar-style", "light-heavy");
    return `${this.constants.DOCTYPE}${root.toText()}\n`;
  }

  /** @param {Element} root */
  partList(root) {
    const { drums } = this.rules;
    const used = [...new Set(this.score.notes.map(({ hit }) => hit.drum))].sort((a, b) => a - b);
    const part = root.add("part-list").add("score-part", null, { id: "P1" });
    part.add("part-name", "Drumset");
    for (const drum of used) part.add("score-instrument", null, { id: this.instrument(drum) }).add("instrument-name", drums[drum].title);
    for (const drum of used) {
      const midi = part.add("midi-instrument", null, { id: this.instrument(drum) });
      midi.add("midi-channel", 10);
      midi.add("midi-program", 1);
      midi.add("midi-unpitched", drums[drum].note + 1); // counted from 1
    }
  }

  /** @param {number} drum */
  instrument(drum) {
    return `P1-${this.rules.drums[drum].name}`;
  }

  /** @param {Element} measure */
  attributes(measure) {
    const { meter } = this.score.grid;
    const attributes = measure.add("attributes");
    attributes.add("divisions", TICKS);
    const time = attributes.add("time");
    time.add("beats", meter.numerator);
    time.add("beat-type", meter.denominator);
    const clef = attributes.add("clef");
    clef.add("sign", "percussion");
    clef.add("line", 2);
  }

  /** Bar number to quarter notes a minute: the first, and what differs from the one printed before. */
  tempos() {
    const { score } = this;
    const { grid } = score;
    const { meter } = grid;
    /** @type {Map<number, number>} */
    const printed = new Map();
    let last = 0;
    for (let number = score.firstBar; number < score.bars; number++) {
      const start = grid.seconds(number * meter.beats);
      let tempo = (meter.barQuarters * 60) / (grid.seconds((number + 1) * meter.beats) - start);
      if (number === score.firstBar) tempo = grid.bpm * meter.beatQuarters; // may be a pick-up
      if (last && Math.abs(tempo - last) <= this.constants.TEMPO_STEP * last) continue;
      printed.set(number, tempo);
      last = tempo;
    }
    return printed;
  }

  /** @param {Element} measure @param {number | undefined} tempo @param {boolean} first */
  directions(measure, tempo, first) {
    const { meter } = this.score.grid;
    const { swing, swingUnit } = this.score;
    if (tempo !== undefined) {
      const direction = measure.add("direction", null, { placement: "above" });
      const metronome = direction.add("direction-type").add("metronome");
      const unit = meter.beatQuarters === 2 ? "half" : meter.beatQuarters >= 1 ? "quarter" : "eighth";
      metronome.add("beat-unit", unit);
      if (meter.compound) metronome.add("beat-unit-dot");
      metronome.add("per-minute", fixed(tempo / meter.beatQuarters, 0));
      direction.add("sound", null, { tempo: fixed(tempo, 2) });
    }
    if (first && swingUnit) {
      const kind = swingUnit === 8 ? "eighth" : "16th";
      const direction = measure.add("direction", null, { placement: "above" });
      direction.add("direction-type").add("words", `Swing ${kind}s (${fixed(swing * 100, 0)}%)`);
      const element = direction.add("sound").add("swing");
      element.add("first", roundEven(swing * 100));
      element.add("second", 100 - roundEven(swing * 100));
      element.add("swing-type", kind);
    }
  }

  /** @param {Element} measure @param {ChordRest[]} events @param {string} voice */
  voice(measure, events, voice) {
    for (const event of events) {
      const graces = graceChords(event.graces);
      graces.forEach((chord, at) => chord.forEach((note, i) => this.note(measure, event, note, voice, i > 0, at, graces.length)));
      event.notes.forEach((note, i) => this.note(measure, event, note, voice, i > 0));
      if (!event.notes.length) this.rest(measure, event, voice);
    }
  }

  /** @param {Element} measure @param {ChordRest} event @param {string} voice */
  rest(measure, event, voice) {
    const element = measure.add("note");
    element.add("rest", null, event.value ? {} : { measure: "yes" });
    element.add("duration", event.length);
    element.add("voice", voice);
    if (!event.value) return;
    value(element, event);
    notations(element, event, "", [], false);
  }

  /** @param {Element} measure @param {ChordRest} event @param {Note} note @param {string} voice @param {boolean} chord
   * @param {number} at which of the grace chords before the event this is in @param {number} graces how many there are */
  note(measure, event, note, voice, chord, at = 0, graces = 0) {
    const { drums } = this.rules;
    const sign = drums[note.hit.drum];
    const marked = this.mark(note.hit);
    const element = measure.add("note", null, { dynamics: fixed((note.hit.velocity / this.constants.FORTE) * 100, 2) });
    if (note.grace) element.add("grace", null, { slash: graces === 1 ? "yes" : "no" });
    if (chord) element.add("chord");
    const unpitched = element.add("unpitched");
    unpitched.add("display-step", sign.step);
    unpitched.add("display-octave", sign.octave);
    const ties = note.roll.length ? event.ties : [];
    if (!note.grace) element.add("duration", event.length);
    for (const type of ties) element.add("tie", null, { type });
    element.add("instrument", null, { id: this.instrument(note.hit.drum) });
    element.add("voice", voice);
    if (note.grace) element.add("type", graces === 1 ? "eighth" : "16th");
    else value(element, event);
    element.add("stem", this.constants.FEET.includes(note.hit.drum) ? "down" : "up");
    element.add("notehead", sign.head, marked === "ghost" ? { parentheses: "yes" } : {});
    let { beams } = event;
    if (note.grace) beams = graces === 1 ? [] : new Array(2).fill(at === 0 ? "begin" : at === graces - 1 ? "end" : "continue");
    if (!chord) beams.forEach((word, level) => element.add("beam", word, { number: String(level + 1) }));
    notations(element, event, ties.includes("stop") ? "" : marked, ties, note.grace || chord);
  }
}

/** Grace notes of one drum one after the other, the last ones of several drums together. @param {Note[]} graces @returns {Note[][]} */
function graceChords(graces) {
  const byDrum = [...grouped(graces, ({ hit }) => hit.drum).values()];
  const most = Math.max(0, ...byDrum.map(({ length }) => length));
  return Array.from({ length: most }, (_, i) => byDrum.flatMap((notes) => {
    const before = most - i;
    return notes.length >= before ? [notes[notes.length - before]] : [];
  }));
}

/** @param {Element} element @param {ChordRest} event */
function value(element, { value: name, dots, tuplet }) {
  element.add("type", name);
  for (let i = 0; i < dots; i++) element.add("dot");
  if (!tuplet) return;
  const ratio = element.add("time-modification");
  ratio.add("actual-notes", tuplet[0]);
  ratio.add("normal-notes", tuplet[1]);
}

/** @param {Element} element @param {ChordRest} event @param {string} marked @param {string[]} ties
 * @param {boolean} grace bracket and strokes are another note's */
function notations(element, event, marked, ties, grace) {
  const edge = grace ? "" : event.edge;
  const tremolo = grace ? 0 : event.tremolo;
  if (!ties.length && !edge && !tremolo && marked !== "accent") return;
  const found = element.add("notations");
  for (const type of ties) found.add("tied", null, { type });
  if (edge) found.add("tuplet", null, { type: edge, number: "1" });
  if (tremolo) found.add("ornaments").add("tremolo", tremolo, { type: "single" });
  if (marked === "accent") found.add("articulations").add("accent");
}
