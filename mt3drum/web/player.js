// Playback: the recording by an <audio> element (which can be slowed without a change of pitch), the score by
// the synthesiser, a little ahead of the element's clock.

const AHEAD = 0.12; // seconds of score scheduled ahead
const TICK_MS = 25;

class Player {
  /** @param audio the <audio> element; without a source the score plays alone */
  constructor(audio, score, drums) {
    this.audio = audio;
    this.score = score;
    this.drums = drums;
    this.mode = "recording";
    this.rate = 1;
    this.playing = false;
    this.levels = { recording: 1, score: 1 };
    this.loop = null; // {start, end} in seconds
    this.from = 0; // where playback started, or where the cursor rests, in seconds of the recording
    this.onstate = () => {};
    audio.addEventListener("ended", () => {
      if (this.playing && this.loop) this.turn();
      else this.pause();
    });
  }

  get hasAudio() {
    return Boolean(this.audio.src);
  }

  /** Cursor in seconds of the recording. */
  get time() {
    if (!this.playing) return this.from;
    if (this.hasAudio) return Math.min(this.audio.currentTime, this.score.seconds);
    return Math.min(this.from + (this.context.currentTime - this.startedAt) * this.rate, this.score.seconds);
  }

  /** An AudioContext may start only after the user has done something. */
  prepare() {
    if (this.context) return;
    this.context = new AudioContext();
    this.buses = {};
    for (const name of ["recording", "score"]) {
      const gain = this.context.createGain();
      const pan = this.context.createStereoPanner();
      gain.connect(pan).connect(this.context.destination);
      this.buses[name] = { gain, pan };
    }
    this.context.createMediaElementSource(this.audio).connect(this.buses.recording.gain);
    this.synth = new Synth(this.context, this.buses.score.gain);
    this.setMode(this.mode);
  }

  async play() {
    this.prepare();
    await this.context.resume();
    const { loop } = this;
    if (loop && (this.from < loop.start || this.from >= loop.end - 0.01)) this.from = loop.start;
    if (this.from >= this.score.seconds - 0.01) this.from = 0;
    if (this.hasAudio) {
      this.audio.preservesPitch = true;
      this.audio.playbackRate = this.rate;
      this.audio.currentTime = this.from;
      await this.audio.play();
    }
    this.startedAt = this.context.currentTime;
    this.scheduled = this.before = this.from;
    this.playing = true;
    this.timer = setInterval(() => this.schedule(), TICK_MS);
    this.schedule();
    this.onstate();
  }

  pause() {
    if (!this.playing) return;
    this.from = this.time;
    this.playing = false;
    clearInterval(this.timer);
    this.audio.pause();
    this.synth.silence();
    this.onstate();
  }

  seek(time) {
    this.from = Math.min(Math.max(time, 0), this.score.seconds);
    if (!this.playing) return;
    this.synth.silence();
    if (this.hasAudio) this.audio.currentTime = this.from;
    this.startedAt = this.context.currentTime;
    this.scheduled = this.before = this.from;
  }

  /** From the end of the loop to its start; what still rings goes on. */
  turn() {
    this.from = this.loop.start;
    if (this.hasAudio) {
      this.audio.currentTime = this.from;
      if (this.audio.paused) this.audio.play();
    }
    this.startedAt = this.context.currentTime;
    this.scheduled = this.before = this.from;
  }

  setRate(rate) {
    const time = this.time;
    this.rate = rate;
    this.audio.playbackRate = rate;
    if (this.playing) this.seek(time);
  }

  /** "recording", "score", "ears" (recording left, score right) or "both". */
  setMode(mode) {
    this.mode = mode;
    if (!this.context) return;
    const ears = mode === "ears";
    this.buses.recording.gain.gain.value = mode === "score" ? 0 : this.levels.recording;
    this.buses.score.gain.gain.value = mode === "recording" ? 0 : this.levels.score;
    this.buses.recording.pan.pan.value = ears ? -1 : 0;
    this.buses.score.pan.pan.value = ears ? 1 : 0;
  }

  /** @param name "recording" or "score" @param level 0 to 1.5 */
  setLevel(name, level) {
    this.levels[name] = level;
    this.setMode(this.mode);
  }

  /** One drum at once, to hear what has been chosen. */
  audition(hit) {
    if (!this.context || this.playing || this.mode === "recording") return;
    this.synth.strike(this.drums[hit.drum], hit.velocity, this.context.currentTime);
  }

  schedule() {
    let now = this.time;
    const { loop } = this;
    if (loop && this.before < loop.end && now >= loop.end - 0.005) {
      this.turn();
      now = this.from;
    } else if (now >= this.score.seconds) {
      this.pause();
      return;
    }
    this.before = now;
    const until = Math.min(now + AHEAD * this.rate, loop && now < loop.end ? loop.end : Infinity);
    if (until <= this.scheduled) return;
    const hits = this.score.visible();
    for (let i = firstFrom(hits, this.scheduled); i < hits.length && hits[i].time < until; i++) {
      const hit = hits[i];
      const when = this.context.currentTime + (hit.time - now) / this.rate;
      this.synth.strike(this.drums[hit.drum], hit.velocity, Math.max(when, this.context.currentTime));
    }
    this.scheduled = until;
  }
}
