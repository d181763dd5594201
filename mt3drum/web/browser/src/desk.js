// What the local app's server does for the review page is done here by a worker: the page asks it in the same way.

/** @typedef {import("./hypothesis.js").Hit} Hit */
/** @typedef {import("./tempo_map.js").Tempo} Tempo */
/** @typedef {import("./works.js").Work} Work */
/** @typedef {import("./works.js").Row} Row */
/** @typedef {{type: string, suffix: string, write: (hits: Hit[], data: object, tempo: Tempo | null) => BlobPart}} Writer of the page */
/** @typedef {object} Asked
 * @property {Row[]} hits
 * @property {Tempo | null=} beats
 * @property {string | null=} grid
 * @property {"gm" | "td17"=} notes
 * @property {number | null=} bpm
 * @property {string | null=} meter
 * @property {number=} bar
 * @property {number=} bars
 */

/** @type {Worker | null} */
let worker = null;
/** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void}>} */
const waiting = new Map();
let questions = 0;

/** @returns {Worker} */
function started() {
  const made = new Worker("score.js", { type: "module" });
  made.onmessage = ({ data }) => {
    const { resolve, reject } = /** @type {NonNullable<ReturnType<typeof waiting.get>>} */ (waiting.get(data.id));
    waiting.delete(data.id);
    if (data.error === undefined) resolve(data.value);
    else reject(new Error(data.error));
  };
  made.onerror = (event) => {
    for (const { reject } of waiting.values()) reject(new Error(`This page's worker stopped: ${event.message || "its script did not load"}`));
    waiting.clear();
    made.terminate();
    worker = null;
  };
  return made;
}

/** @param {string} kind @param {object} body @returns {Promise<any>} */
function ask(kind, body) {
  worker ??= started();
  const id = (questions += 1);
  const answer = new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  worker.postMessage({ id, kind, body });
  return answer;
}

/** In the place of a server, for `data.server`.
 * @param {import("./rules.js").Rules} rules @param {Work} work @param {{seconds: number, source: string}} data of the page
 * @param {Record<string, Writer>} writers of the page @param {() => Blob} whole the work as one file */
export function desk({ score, page }, work, data, writers, whole) {
  const title = work.name.replace(/\.[^.]*$/, "") || work.name;
  const { formats } = score;
  /** @param {Asked} asked */
  const edited = ({ hits, beats = null, grid = null, notes = "gm" }) => ({
    hits: hits.map(([time, drum, velocity, confidence]) => ({ time, drum, velocity, confidence })),
    seconds: data.seconds,
    title,
    tempo: beats,
    steps: grid === null || grid === "auto" ? grid : Number(grid),
    notes: page.drums.map((drum) => /** @type {Record<string, number>} */ (drum)[notes]),
  });
  /** @param {string} address @param {Asked} asked @returns {Promise<Response>} */
  const answer = async (address, asked) => {
    const body = edited(asked);
    if (address === "tempo") return Response.json(await ask("tempo", { ...body, bpm: asked.bpm, meter: asked.meter }));
    if (address === "notation") return Response.json(await ask("notation", { ...body, bar: asked.bar, bars: asked.bars }));
    if (address === "print") return Response.json(await ask("print", body));
    const format = address.replace("export/", "");
    if (format === "work") return new Response(whole());
    if (format in formats) return new Response(await ask(format, body));
    const { hits, tempo } = await ask("moved", body);
    return new Response(writers[format].write(hits, data, tempo));
  };
  return {
    export: "export",
    tempo: "tempo",
    notation: "notation",
    print: "print",
    edits: null,
    formats: {
      ...Object.fromEntries(Object.entries({ ...writers, ...formats }).map(([name, { suffix }]) => [name, suffix])),
      work: ".mt3drum",
    },
    labels: { ...Object.fromEntries(Object.entries(formats).map(([name, { label }]) => [name, label])), work: "Everything in one file" },
    meters: Object.keys(score.meters),
    /** @param {string} address @param {Asked} asked */
    ask: (address, asked) => answer(address, asked).catch((error) => new Response(error.message, { status: 422 })),
  };
}
