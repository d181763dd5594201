// Recordings and their transcriptions, kept in this browser. Edits are kept by the review page's own store.

/** @typedef {[number, number, number, number]} Row seconds, drum, velocity, confidence */
/** @typedef {object} Work
 * @property {string} id SHA-256 of the file
 * @property {string} name
 * @property {number} added milliseconds since 1970
 * @property {Blob} file
 * @property {Result=} result none: not transcribed yet
 */
/** @typedef {object} Result
 * @property {number} seconds
 * @property {object} spectrogram
 * @property {import("./tempo_map.js").Tempo | null} tempo
 * @property {string[]} warnings
 * @property {Row[]} hits
 * @property {Row[]} candidates
 */

/** @returns {Promise<IDBDatabase>} */
function database() {
  const request = indexedDB.open("mt3drum", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("works", { keyPath: "id" });
  return answer(request);
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** @template T @param {IDBTransactionMode} mode @param {(store: IDBObjectStore) => IDBRequest<T>} act @returns {Promise<T>} */
async function on(mode, act) {
  const opened = await database();
  try {
    const transaction = opened.transaction("works", mode);
    const finished = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    finished.catch(() => {}); // the request's own error comes first
    const value = await answer(act(transaction.objectStore("works")));
    await finished;
    return value;
  } finally {
    opened.close();
  }
}

/** @param {string} id @returns {Promise<Work | undefined>} */
export const read = (id) => on("readonly", (store) => store.get(id));

/** @returns {Promise<Work[]>} the newest first */
export const all = async () =>
  (await on("readonly", (store) => store.getAll())).sort((/** @type {Work} */ a, /** @type {Work} */ b) => b.added - a.added);

/** @param {Work} work */
export const write = (work) => on("readwrite", (store) => store.put(work));

/** @param {string} id */
export async function remove(id) {
  await on("readwrite", (store) => store.delete(id));
  writeEdits(id, null);
}

/** @param {string} id */
const editsKey = (id) => `mt3drum edits ${id}`; // as mt3drum/web/store.js

/** What the review page keeps of its edits, or null. @param {string} id @returns {object | null} */
export function readEdits(id) {
  return JSON.parse(localStorage.getItem(editsKey(id)) ?? "null");
}

/** @param {string} id @param {object | null} edits */
export function writeEdits(id, edits) {
  if (edits) localStorage.setItem(editsKey(id), JSON.stringify(edits));
  else localStorage.removeItem(editsKey(id));
}

/** What to say of an error of the storage. @param {unknown} error */
export function problem(error) {
  const { name, message } = /** @type {Error} */ (error);
  return name === "QuotaExceededError"
    ? "This browser has no room for the recording. Remove recordings from the list, or free space on the disk."
    : `This browser keeps nothing (${message || name}). In a private window that is usual; use an ordinary one.`;
}
