// The page: one score, one view, one player, and what the buttons do to them.

const SPEEDS = [0.25, 0.5, 0.75, 1];

class App extends Editor {
  constructor(data, audioUrl) {
    super();
    this.data = data;
    this.score = new Score(data.hits, data.candidates, data.seconds);
    const audio = $("#audio");
    if (audioUrl) audio.src = audioUrl;
    this.bars = new Bars(data.tempo);
    if (data.busy) this.bars.none = "tempo to follow";
    this.score.locked = Boolean(data.busy);
    this.view = new View($("#lanes"), $("#overview"), this.score, data, this.bars);
    this.player = new Player(audio, this.score, data.drums);
    this.panel = new Panel(this);
    this.adding = false;
    this.jumped = null; // the last of the least certain hits that was looked at
    this.drum = data.lanes.find((drum) => data.drums[drum].common);
    this.view.onready = () => this.refresh();
    this.player.onstate = () => this.onState();
    this.notation = new Notation(this);
    this.again = new Again(this);
    this.compare = this.view.compare = new Compare(this);
    this.store = new Store(this, (text, kept) => this.onKept(text, kept));
    wireControls(this);
    listenToPointer(this);
    listenToKeys(this);
    this.layOut();
    this.started = false; // what was kept is no new edit
    this.ready = data.busy ? null : this.start();
    this.score.listeners.push(() => this.onScore());
    new ResizeObserver(() => this.layOut()).observe($("#lanes-box"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.view.readColours();
      this.refresh();
    });
    addEventListener("beforeunload", (event) => {
      if (!this.store.safe) event.preventDefault();
    });
    this.onTempo();
    this.onScore();
    this.onState();
  }

  /** Bring back what was kept. */
  async start() {
    await this.store.start();
    this.started = true;
  }

  /** The transcription is done. @param result its hits, candidates, warnings and tempo */
  finish({ hits, candidates, warnings, tempo }) {
    Object.assign(this.data, { hits, candidates, warnings, tempo });
    this.bars.none = UNSTEADY;
    this.bars.set(tempo);
    this.onTempo();
    this.score.locked = false;
    this.score.restart(hits, candidates);
    showResult(this.data);
    this.onScore();
    this.ready = this.start();
  }

  layOut() {
    this.view.layOut();
    this.refresh();
  }

  /** Draw in the next frame; while playing, every frame. */
  refresh() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.view.cursor = this.player.time;
      if (this.player.playing && $("#follow").checked && !this.view.dragged) this.view.show(this.view.cursor);
      this.view.draw();
      this.panel.place();
      this.notation.follow();
      setText("#time", `${clock(this.view.cursor, 1)} / ${clock(this.score.seconds, 1)}`);
      const bpm = this.bars.bpm(this.view.cursor);
      setText("#where", bpm ? `${this.bars.place(this.view.cursor)} · ${bpm.toFixed(0)} bpm` : "");
      if (this.player.playing) this.refresh();
    });
  }

  setTempo(tempo) {
    this.bars.none = UNSTEADY;
    this.bars.set(tempo);
    this.onTempo();
    this.store.save();
  }

  onTempo() {
    setText("#tempo-text", this.bars.text);
    $("#bars").disabled = $("#snap").disabled = !this.bars.tempo;
    this.layOut();
  }

  onScore() {
    const shown = this.score.visible().length;
    const { candidates } = this.data;
    const hidden = this.score.hits.filter((hit) => !hit.candidate).length - shown;
    setText("#count", `${shown} hits${hidden ? `, ${hidden} hidden` : ""}`);
    $("#undo").disabled = !this.score.done.length;
    $("#redo").disabled = !this.score.undone.length;
    const left = this.score.drawn().filter((hit) => hit.confidence < 1).length;
    setText("#uncertain", left ? `${left} not confirmed` : "all confirmed");
    $("#candidates").disabled = !candidates.length;
    this.compare.show(); // lays out the page as well: a drum may have come into use
    this.panel.show(this.selected);
    this.store.save();
  }

  onState() {
    $("#play").setAttribute("aria-label", this.player.playing ? "Pause" : "Play");
    $("#play").dataset.state = this.player.playing ? "playing" : "paused";
    this.refresh();
  }

  onKept(text, kept) {
    setText("#kept", text);
    $("#kept").classList.toggle("bad", !kept);
    $("#revert").disabled = this.store.empty;
  }

  say(text) {
    setText("#live", text);
  }

  /** Say what went wrong, where it stays until something goes right. */
  complain(text) {
    this.say("");
    setText("#problem", text);
  }

  toggle() {
    if (this.player.playing) this.player.pause();
    else this.player.play().catch((error) => this.complain(`Cannot play: ${error.message}`));
  }

  seek(time) {
    this.player.seek(time);
    this.view.show(this.player.from, 0.02);
    this.refresh();
  }

  skip(seconds) {
    this.seek(this.player.time + seconds);
  }

  /** Repeat a range; null: play on. */
  setLoop(range) {
    const [start, end] = range ? range.map((time) => clamp(this.bars.snap(time), [0, this.score.seconds])) : [0, 0];
    const loop = end - start >= 0.05 ? { start, end } : null;
    if (range && !loop) return this.say("A loop is at least 50 ms long");
    this.player.loop = this.view.loop = loop;
    $("#loop").setAttribute("aria-pressed", String(Boolean(loop)));
    this.say(loop ? `Loop from ${clock(start, 2)} to ${clock(end, 2)}` : "The loop is off");
    this.refresh();
  }

  /** [start, end] of the loop; without one the bar at the cursor, without bars what is on the screen. */
  get part() {
    const { view, bars } = this;
    if (view.loop) return [view.loop.start, view.loop.end];
    const part = bars.tempo ? bars.barAround(this.player.time) : [view.start, view.start + view.span];
    return part.map((time) => clamp(time, [0, this.score.seconds]));
  }

  toggleLoop() {
    this.setLoop(this.view.loop ? null : this.part);
  }

  /** @param end "start" or "end": that end of the loop comes to the cursor */
  moveLoop(end) {
    const now = this.player.time;
    const { start, end: last } = this.view.loop || { start: 0, end: this.score.seconds };
    if (end === "start") this.setLoop([now, last > now ? last : this.score.seconds]);
    else this.setLoop([start < now ? start : 0, now]);
  }

  setMode(mode) {
    $(`input[name=hear][value=${mode}]`).checked = true;
    this.player.setMode(mode);
    this.say(`Hear: ${$(`input[name=hear][value=${mode}]`).parentElement.textContent.trim()}`);
  }

  speed(step) {
    const at = SPEEDS.indexOf(this.player.rate) + step;
    this.setSpeed(SPEEDS[clamp(at, [0, SPEEDS.length - 1])]);
  }

  setSpeed(rate) {
    this.player.setRate(rate);
    $("#speed").value = String(rate);
    this.say(`Speed ${100 * rate} %`);
  }

  zoom(factor) {
    this.view.zoom(factor);
    this.refresh();
  }

  showBars(shown) {
    this.bars.shown = $("#bars").checked = shown;
    this.layOut();
    this.say(!this.bars.tempo ? "No steady beat, so no grid" : shown ? "Bars are shown" : "Bars are hidden");
  }

  /** @param division places a beat; 0: off */
  setSnap(division) {
    this.bars.division = division;
    $("#snap").value = String(division);
    const option = $("#snap").selectedOptions[0].textContent;
    this.say(!this.bars.tempo ? "No steady beat, so no grid to snap to" : division ? `Snap to: ${option}` : "Snapping is off");
  }

  help() {
    $("#help").showModal();
  }
}

function $(selector) {
  return document.querySelector(selector);
}

/** Set a text only where it changes: a page that is read aloud is not read again. */
function setText(selector, text) {
  const element = $(selector);
  if (element.textContent !== text) element.textContent = text;
}
