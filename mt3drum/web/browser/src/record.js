// A recording from the microphone, as it sounds: without what calls do to it.

const AS_IT_IS = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const TICK_MS = 500;

export class Recorder {
  /** @param {(text: string) => void} say how long it has been going on */
  constructor(say) {
    this.say = say;
    /** @type {MediaRecorder | null} */
    this.recorder = null;
  }

  get going() {
    return this.recorder !== null;
  }

  /** Until `stop`. @returns {Promise<File>} */
  async start() {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: AS_IT_IS });
    const recorder = new MediaRecorder(stream);
    this.recorder = recorder;
    /** @type {Blob[]} */
    const parts = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const began = Date.now();
    const tick = () => this.say(`Recording: ${Math.floor((Date.now() - began) / 1000)} s`);
    const timer = setInterval(tick, TICK_MS);
    tick();
    const stopped = new Promise((resolve) => (recorder.onstop = resolve));
    recorder.start();
    await stopped;
    clearInterval(timer);
    for (const track of stream.getTracks()) track.stop();
    this.recorder = null;
    const name = `Recording ${new Date(began).toISOString().slice(0, 16).replace("T", " ")}`;
    return new File(parts, name, { type: recorder.mimeType });
  }

  stop() {
    this.recorder?.stop();
  }
}

/** What to say of an error. @param {unknown} error */
export function microphoneProblem(error) {
  const { name, message } = /** @type {Error} */ (error);
  if (name === "NotAllowedError") return "The browser does not let this page use a microphone: allow it, or drop a file.";
  if (name === "NotFoundError") return "No microphone was found. Connect one, or drop a file.";
  return `Nothing was recorded: ${message || name}`;
}
