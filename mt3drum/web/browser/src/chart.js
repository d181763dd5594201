// A song folder for Clone Hero, YARG and their like: as mt3drum/formats/chart.py and elite.py.

import { chartGems, findRolls, phraseEnds, precedence, thin } from "./lanes.js";
import { marker } from "./marks.js";
import { printable } from "./musicxml.js";
import { grouped, roundEven } from "./numbers.js";
import { findForm } from "./sections.js";
import { meterBytes, midiFile, tempoBytes, textBytes } from "./smf.js";
import { TempoMap } from "./tempo_map.js";

/** @typedef {import("./rules.js").ScoreRules} ScoreRules */
/** @typedef {import("./hypothesis.js").Hit} Hit */
/** @typedef {import("./lanes.js").Gem} Gem */
/** @typedef {import("./smf.js").Event} Event */
/** @typedef {object} Chart
 * @property {Gem[]} gems of Expert
 * @property {[number, number][]} tempos tick, quarter notes a minute
 * @property {[number, number, number][]} meters tick, numerator, denominator
 * @property {string} title
 * @property {number} seconds
 * @property {[number, string][]} sections tick, name
 * @property {import("./lanes.js").RollLane[]} rolls
 * @property {Event[]} elite
 */

/** The files of the folder. @param {ScoreRules} rules @param {Hit[]} hits in order @param {import("./quantise.js").Score | null} score
 * @param {string} title @param {number} seconds @returns {Record<string, string | Uint8Array>} */
export function chartFiles(rules, hits, score, title, seconds) {
  const chart = score ? onGrid(rules, score, title, seconds) : asPlayed(rules, hits, title, seconds);
  return { "notes.chart": toChart(rules, chart), "notes.mid": toMid(rules, chart), "song.ini": toIni(chart) };
}

/** @param {ScoreRules} rules @param {Hit[]} hits @param {string} title @param {number} seconds @returns {Chart} */
function asPlayed(rules, hits, title, seconds) {
  const { UNSTEADY_BPM, RESOLUTION, TOGETHER } = rules.constants.chart;
  let time = -Infinity; // of the chord's first stroke
  const ticks = hits.map((hit) => {
    if (!(hit.time - time < TOGETHER)) time = hit.time;
    return roundEven(((time * UNSTEADY_BPM) / 60) * RESOLUTION);
  });
  const gems = chartGems(rules, hits, ticks, new Set());
  const elite = eliteTrack(rules, hits, ticks, new Set(), gems);
  return { gems, tempos: [[0, UNSTEADY_BPM]], meters: [[0, 4, 4]], title, seconds, sections: [], rolls: findRolls(rules, gems), elite };
}

/** @param {ScoreRules} rules @param {import("./quantise.js").Score} score @param {string} title @param {number} seconds
 * @returns {Chart} */
function onGrid(rules, score, title, seconds) {
  const { RESOLUTION } = rules.constants.chart;
  const lines = new TempoMap(rules, score.grid);
  const key = (/** @type {import("./quantise.js").Note} */ { position, hit }) => `${position} ${hit.drum}`;
  const graced = new Set(score.notes.filter(({ grace }) => grace).map(key));
  const mains = score.notes.filter(({ grace }) => !grace); // a flam is one gem
  const flams = new Set(mains.filter((note) => graced.has(key(note))).map(({ hit }) => hit));
  /** @type {Hit[]} */
  const strokes = [];
  /** @type {number[]} */
  const ticks = [];
  for (const { position, hit, roll } of mains) {
    const place = lines.lead + score.swung(position);
    const start = lines.time(place);
    for (const one of [hit, ...roll]) {
      const at = one === hit ? place : lines.quarters(start + one.time - hit.time);
      strokes.push(one);
      ticks.push(Math.max(0, roundEven(at * RESOLUTION)));
    }
  }
  const gems = chartGems(rules, strokes, ticks, flams);
  const { barQuarters } = score.grid.meter;
  return {
    gems,
    tempos: lines.places.map((place, i) => [Math.trunc(place * RESOLUTION), lines.tempos[i]]),
    meters: lines.meters.map(([place, top, bottom]) => [Math.trunc(place * RESOLUTION), top, bottom]),
    title,
    seconds,
    sections: findForm(rules, score).sections.map(({ label, number, first }) => {
      const name = label || "Break";
      return [Math.max(0, Math.trunc((lines.lead + first * barQuarters) * RESOLUTION)), number === 1 ? name : `${name} ${number}`];
    }),
    rolls: findRolls(rules, gems),
    elite: eliteTrack(rules, strokes, ticks, flams, gems),
  };
}

/** @param {ScoreRules} rules @param {Chart} chart */
function toChart(rules, chart) {
  const { RESOLUTION, NOTE_LENGTH, ROLL_PHRASES } = rules.constants.chart;
  const { DIFFICULTIES } = rules.constants.lanes;
  /** @type {[number, number, string][]} */
  const sync = chart.meters.map(([tick, top, bottom]) => [tick, 0, `TS ${top} ${Math.log2(bottom)}`]);
  for (const [tick, tempo] of chart.tempos) sync.push([tick, 1, `B ${roundEven(tempo * 1000)}`]);
  sync.sort((a, b) => a[0] - b[0] || a[1] - b[1] || (a[2] < b[2] ? -1 : 1));
  /** @type {Record<string, string[]>} */
  const sections = {
    Song: [
      `Name = "${printable(chart.title).replaceAll('"', "'")}"`, 'Artist = "Unknown"', 'Charter = "mt3drum"',
      `Resolution = ${RESOLUTION}`, "Offset = 0",
    ],
    SyncTrack: sync.map(([tick, , text]) => `${tick} = ${text}`),
    Events: chart.sections.map(([tick, name]) => `${tick} = E "section ${name}"`),
  };
  for (const difficulty of DIFFICULTIES) {
    /** @type {[number, string][]} */
    const rows = thin(rules, chart.gems, difficulty, RESOLUTION).flatMap((gem) =>
      chartLines(rules, gem).map((line) => /** @type {[number, string]} */ ([gem.tick, line])));
    if (difficulty === "Expert") {
      const ends = phraseEnds(chart.rolls, NOTE_LENGTH);
      chart.rolls.forEach(({ start, lanes }, i) =>
        rows.push([start, `${start} = S ${ROLL_PHRASES[lanes.length - 1]} ${ends[i] - start}`]));
    }
    sections[`${difficulty}Drums`] = rows.sort((a, b) => a[0] - b[0]).map(([, line]) => line);
  }
  const lines = Object.entries(sections).flatMap(([name, body]) => [`[${name}]`, "{", ...body.map((line) => `  ${line}`), "}"]);
  return `${lines.join("\r\n")}\r\n`;
}

/** @param {ScoreRules} rules @param {Gem} gem */
function chartLines({ constants }, gem) {
  const codes = [gem.double ? 32 : gem.lane];
  if (gem.mark && gem.lane !== constants.lanes.KICK) codes.push((gem.mark === "accent" ? 33 : 39) + gem.lane);
  if (gem.cymbal) codes.push(64 + gem.lane);
  return codes.map((code) => `${gem.tick} = N ${code} 0`);
}

/** @param {ScoreRules} rules @param {Chart} chart */
function toMid(rules, chart) {
  const { RESOLUTION, NOTE_LENGTH, MID_BASE, VELOCITY, TOM_MARKER, FLAM_MARKER, ROLL_MARKERS } = rules.constants.chart;
  const { DIFFICULTIES, KICK, RED } = rules.constants.lanes;
  /** @type {Event[]} */
  const head = [
    ...chart.tempos.map(([tick, tempo]) => ({ tick, order: 0, bytes: tempoBytes(Math.min(roundEven(6e7 / tempo), 2 ** 24 - 1)) })),
    ...chart.meters.map(([tick, top, bottom]) => ({ tick, order: 0, bytes: meterBytes(top, bottom) })),
  ];
  const alone = grouped(chart.gems.filter((gem) => gem.lane !== KICK), (gem) => gem.tick); // a marker is of single notes
  /** @type {Map<string, [number, number, number]>} tick, note, velocity */
  const notes = new Map();
  /** @param {number} tick @param {number} note @param {number} velocity */
  const put = (tick, note, velocity) => notes.set(`${tick} ${note}`, [tick, note, velocity]);
  for (const difficulty of DIFFICULTIES) {
    for (const gem of thin(rules, chart.gems, difficulty, RESOLUTION)) {
      put(gem.tick, gem.double ? 95 : MID_BASE[difficulty] + gem.lane, VELOCITY[gem.mark]);
      if (gem.lane > RED && !gem.cymbal) put(gem.tick, TOM_MARKER + gem.lane, 100);
      if (gem.flam && alone.get(gem.tick)?.length === 1) put(gem.tick, FLAM_MARKER, 100);
    }
  }
  const struck = [...notes.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const following = followed(struck.map(([tick]) => tick));
  /** @type {Event[]} */
  const body = [{ tick: 0, order: 0, bytes: textBytes(1, "[ENABLE_CHART_DYNAMICS]") }];
  for (const [tick, note, velocity] of struck) {
    body.push(...noteEvents(note, tick, Math.min(tick + NOTE_LENGTH, following.get(tick) ?? Infinity), velocity));
  }
  const ends = phraseEnds(chart.rolls, NOTE_LENGTH);
  chart.rolls.forEach(({ start, lanes }, i) => body.push(...noteEvents(ROLL_MARKERS[lanes.length - 1], start, ends[i], 100)));
  const events = chart.sections.map(([tick, name]) => ({ tick, order: 0, bytes: textBytes(1, `[section ${name}]`) }));
  return midiFile(RESOLUTION, [
    { name: "notes", events: head },
    { name: "EVENTS", events },
    { name: "PART DRUMS", events: body },
    { name: rules.constants.elite.TRACK, events: chart.elite },
  ]);
}

/** Each tick to the next one. @param {number[]} ticks rising */
function followed(ticks) {
  const all = [...new Set(ticks)];
  return new Map(all.slice(0, -1).map((tick, i) => [tick, all[i + 1]]));
}

/** @param {number} note @param {number} start @param {number} end @param {number} velocity @returns {Event[]} */
const noteEvents = (note, start, end, velocity) => [
  { tick: start, order: 2, bytes: [0x90, note, velocity] },
  { tick: end, order: 1, bytes: [0x80, note, 0] },
];

/** @param {Chart} chart */
function toIni({ title, seconds }) {
  const rows = {
    name: printable(title), artist: "Unknown", charter: "mt3drum", song_length: roundEven(seconds * 1000),
    pro_drums: "True", diff_drums: -1, diff_drums_real: -1,
  };
  return ["[song]", ...Object.entries(rows).map(([name, value]) => `${name} = ${value}`), ""].join("\r\n");
}

/** The track of eight lanes, all difficulties: below Expert, strokes that pro drums keep. @param {ScoreRules} rules @param {Hit[]} hits
 * @param {number[]} ticks @param {Set<Hit>} flams @param {Gem[]} gems the same as pro drums @returns {Event[]} */
function eliteTrack(rules, hits, ticks, flams, gems) {
  const { RESOLUTION } = rules.constants.chart;
  const { DIFFICULTIES, LOWER } = rules.constants.elite;
  const events = eliteEvents(rules, hits, ticks, flams);
  DIFFICULTIES.slice(1).forEach((/** @type {string} */ difficulty, /** @type {number} */ i) => {
    const kept = keptStrokes(rules, hits, ticks, thin(rules, gems, difficulty, RESOLUTION));
    for (const event of eliteEvents(rules, kept.map(({ hit }) => hit), kept.map(({ tick }) => tick), new Set())) {
      const [status, note, velocity] = event.bytes;
      events.push({ ...event, bytes: [status, note - LOWER * (i + 1), velocity] });
    }
  });
  return events;
}

/** Strokes of an easier chart: as many hands a chord as it has gems for them, those of its lanes first; kicks where it has one.
 * @param {ScoreRules} rules @param {Hit[]} hits @param {number[]} ticks @param {Gem[]} gems */
function keptStrokes(rules, hits, ticks, gems) {
  const { KICK, PEDAL } = rules.constants.elite;
  const { KICK: FOOT } = rules.constants.lanes;
  const lanes = grouped(gems, ({ tick }) => tick);
  /** @type {{hit: Hit, tick: number}[]} */
  const kept = [];
  for (const [tick, chord] of grouped(hits.map((hit, i) => ({ hit, tick: ticks[i] })), (each) => each.tick)) {
    const wanted = (lanes.get(tick) ?? []).map(({ lane }) => lane);
    const hands = wanted.filter((lane) => lane !== FOOT).length;
    let kick = wanted.includes(FOOT);
    /** @param {Hit} hit */
    const other = (hit) => Number(!wanted.includes(rules.drums[hit.drum].lane?.lane ?? -1));
    /** @type {Map<number, Hit>} */
    const struck = new Map();
    for (const { hit } of chord.sort((a, b) => other(a.hit) - other(b.hit) || precedence(rules, a.hit, b.hit))) {
      const note = rules.drums[hit.drum].elite;
      if (note === KICK && kick) {
        kept.push({ hit, tick });
        kick = false;
      } else if (note !== KICK && note !== PEDAL && struck.size < hands && !struck.has(note)) {
        struck.set(note, hit);
      }
    }
    for (const hit of struck.values()) kept.push({ hit, tick });
  }
  return kept;
}

/** Of one difficulty. @param {ScoreRules} rules @param {Hit[]} hits @param {number[]} ticks @param {Set<Hit>} flams */
function eliteEvents(rules, hits, ticks, flams) {
  const { KICK, SECOND_KICK, PEDAL, FLAM, HANDS, DOUBLE_KICK, VELOCITY, SHORT } = rules.constants.elite;
  const mark = marker(rules, hits);
  const feet = [KICK, PEDAL];
  /** @type {Map<number, Map<number, Hit>>} */
  const chords = new Map();
  const ordered = hits.map((hit, i) => ({ hit, tick: ticks[i] }))
    .sort((a, b) => a.tick - b.tick || precedence(rules, a.hit, b.hit));
  for (const { hit, tick } of ordered) {
    const chord = chords.get(tick) ?? new Map();
    chords.set(tick, chord);
    const note = rules.drums[hit.drum].elite;
    const hands = [...chord.keys()].filter((other) => !feet.includes(other)).length;
    if (!chord.has(note) && (feet.includes(note) || hands < HANDS)) chord.set(note, hit);
  }
  const events = pedalEvents(rules, chords);
  const following = followed([...chords.keys()]);
  let [lastKick, second] = [-1, false];
  for (const [tick, chord] of chords) {
    const end = Math.min(tick + SHORT, following.get(tick) ?? Infinity);
    const hands = [...chord.keys()].filter((note) => !feet.includes(note)).length;
    for (const [lane, hit] of chord) {
      let note = lane;
      if (note === PEDAL) continue;
      if (note === KICK) {
        second = lastKick >= 0 && hit.time - lastKick < DOUBLE_KICK && !second;
        lastKick = hit.time;
        note = second ? SECOND_KICK : KICK;
      }
      const kick = note === KICK || note === SECOND_KICK;
      events.push(...noteEvents(note, tick, end, VELOCITY[kick ? "" : mark(hit)]));
      if (flams.has(hit) && hands === 1 && !kick) events.push(...noteEvents(FLAM, tick, end, 96));
    }
  }
  return events;
}

/** Pedal notes: held over closed hats. @param {ScoreRules} rules @param {Map<number, Map<number, Hit>>} chords @returns {Event[]} */
function pedalEvents({ constants, drums }, chords) {
  const { PEDAL, HIHAT, SHORT } = constants.elite;
  /** @type {Event[]} */
  const events = [];
  /** @type {number | null} */
  let held = null;
  let last = 0;
  for (const [tick, chord] of chords) {
    const hat = chord.get(HIHAT);
    const opened = hat !== undefined && drums[hat.drum].name.includes("open");
    if (held !== null && (opened || chord.has(PEDAL))) {
      events.push(...noteEvents(PEDAL, held, Math.min(last + SHORT, tick), 96));
      held = null;
    }
    if (chord.has(PEDAL) || (hat !== undefined && !opened)) [held, last] = [held ?? tick, tick];
  }
  if (held !== null) events.push(...noteEvents(PEDAL, held, last + SHORT, 96));
  return events;
}
