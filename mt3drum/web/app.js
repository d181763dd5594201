// The page: one score, one view, one player, and what the buttons do to them.

const SPEEDS = [0.25, 0.5, 0.75, 1];

class App {
  constructor(data, audioUrl) {
    this.data = data;
    this.score = new Score(data.hits, data.seconds);
    const audio = $("#audio");
    if (audioUrl) audio.src = audioUrl;
    this.bars = new Bars(data.tempo);
    this.view = new View($("#lanes"), $("#overview"), this.score, data, this.bars);
    this.player = new Player(audio, this.score, data.drums);
    this.adding = false;
    this.saved = 0; // steps of undo at the last export
    this.jumped = null; // the last of the least certain hits that was looked at
    this.drum = data.lanes.find((drum) => data.drums[drum].common);
    this.view.onready = () => this.refresh();
    this.player.onstate = () => this.onState();
    this.score.listeners.push(() => this.onScore());
    wireControls(this);
    listenToPointer(this);
    listenToKeys(this);
    new ResizeObserver(() => this.layOut()).observe($("#lanes-box"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.view.readColours();
      this.refresh();
    });
    addEventListener("beforeunload", (event) => {
      if (this.score.done.length !== this.saved) event.preventDefault();
    });
    this.onTempo();
    this.onScore();
    this.onState();
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
      $("#time").textContent = `${clock(this.view.cursor, 1)} / ${clock(this.score.seconds, 1)}`;
      const bpm = this.bars.bpm(this.view.cursor);
      $("#where").textContent = bpm ? `${this.bars.place(this.view.cursor)} · ${bpm.toFixed(0)} bpm` : "";
      if (this.player.playing) this.refresh();
    });
  }

  onTempo() {
    $("#tempo-text").textContent = this.bars.text;
    $("#bars").disabled = !this.bars.tempo;
    this.layOut();
  }

  onScore() {
    const shown = this.score.visible().length;
    const hidden = this.score.hits.length - shown;
    $("#count").textContent = `${shown} hits${hidden ? `, ${hidden} hidden` : ""}`;
    $("#undo").disabled = !this.score.done.length;
    $("#redo").disabled = !this.score.undone.length;
    const left = this.score.uncertain().length;
    $("#uncertain").textContent = left ? `${left} not confirmed` : "all confirmed";
    this.layOut(); // a drum may have come into use
    this.showSelected();
  }

  onState() {
    $("#play").setAttribute("aria-label", this.player.playing ? "Pause" : "Play");
    $("#play").dataset.state = this.player.playing ? "playing" : "paused";
    this.refresh();
  }

  get selected() {
    return this.score.byId(this.view.selected);
  }

  select(hit, how = "") {
    this.view.selected = hit ? hit.id : null;
    if (hit) {
      this.drum = hit.drum;
      if (!this.player.playing) this.player.seek(hit.time);
      this.view.show(hit.time, 0.05);
      this.player.audition(hit);
      this.say(`${how}${this.describe(hit)}`);
    }
    this.showSelected();
    this.refresh();
  }

  describe(hit) {
    const sure = hit.confidence < 1 ? `${Math.round(100 * hit.confidence)} % sure` : "confirmed";
    const place = this.bars.place(hit.time);
    const when = `${hit.time.toFixed(3)} seconds${place && `, ${place}`}`;
    return `${this.data.drums[hit.drum].label}, ${when}, velocity ${hit.velocity}, ${sure}`;
  }

  showSelected() {
    const hit = this.selected;
    $("#hit").disabled = !hit;
    $("#confidence-of-hit").textContent = !hit ? "no hit chosen"
      : hit.confidence < 1 ? `${Math.round(100 * hit.confidence)} % sure` : "confirmed";
    if (!hit) return;
    $("#drum").value = String(hit.drum);
    $("#hit-time").value = hit.time.toFixed(3);
    $("#velocity").value = String(hit.velocity);
    $("#velocity-out").textContent = String(hit.velocity);
  }

  say(text) {
    $("#live").textContent = text;
  }

  // Edits

  edit(hit, fields, kind) {
    if (!hit) return this.say("No hit chosen");
    const next = this.score.change(hit, fields, kind);
    this.select(next, kind === "confirm" ? "Confirmed: " : "");
  }

  addAt(time, drum) {
    this.select(this.score.add(time, drum, 90), "Added: ");
  }

  addAtCursor() {
    this.addAt(this.player.time, this.drum);
  }

  remove() {
    const hit = this.selected;
    if (!hit) return this.say("No hit chosen");
    const list = this.score.visible();
    const at = list.indexOf(hit);
    this.score.remove(hit);
    this.select(list[at + 1] || list[at - 1] || null, `Deleted. Now at: `);
    if (list.length === 1) this.say("Deleted. No hits left");
  }

  nudge(seconds) {
    const hit = this.selected;
    this.edit(hit, hit && { time: hit.time + seconds }, "move");
  }

  louder(step) {
    const hit = this.selected;
    this.edit(hit, hit && { velocity: hit.velocity + step }, "velocity");
  }

  relabel(step) {
    const hit = this.selected;
    const lanes = this.view.lanes;
    const row = hit ? lanes.indexOf(hit.drum) + step : 0;
    if (hit && lanes[row] === undefined) return this.say("No lane beyond this");
    this.edit(hit, hit && { drum: lanes[row] }, "relabel");
  }

  confirm() {
    this.edit(this.selected, {}, "confirm");
  }

  undo() {
    const step = this.score.undo();
    this.say(step ? `Undone: ${step.kind}` : "Nothing to undo");
    if (step && step.removed[0]) this.choose(step.removed[0]);
  }

  redo() {
    const step = this.score.redo();
    this.say(step ? `Redone: ${step.kind}` : "Nothing to redo");
    if (step && step.added[0]) this.choose(step.added[0]);
  }

  /** Select in silence. */
  choose(hit) {
    this.view.selected = hit.id;
    this.view.show(hit.time, 0.05);
    this.showSelected();
    this.refresh();
  }

  // Ways about

  walk(step) {
    const list = this.score.visible();
    if (!list.length) return this.say("No hits");
    let at = list.indexOf(this.selected);
    if (at < 0) {
      const next = list.findIndex((hit) => hit.time >= this.player.time);
      at = (next < 0 ? list.length : next) - (step > 0 ? 1 : 0);
    }
    this.select(list[Math.min(Math.max(at + step, 0), list.length - 1)]);
  }

  /** Through the hits that nobody has confirmed, the least certain first. */
  jump(step) {
    const list = this.score.uncertain();
    if (!list.length) return this.say("Every hit is confirmed");
    // From where the last jump was, which may have been confirmed or deleted since.
    const rank = (hit) => this.jumped && (hit.confidence - this.jumped.confidence || hit.time - this.jumped.time);
    const after = list.findIndex((hit) => !this.jumped || rank(hit) > 0);
    const before = list.findLastIndex((hit) => this.jumped && rank(hit) < 0);
    const next = step > 0 ? Math.max(after, 0) : before < 0 ? list.length - 1 : before;
    this.jumped = list[next];
    this.select(list[next], `${next + 1} of ${list.length}: `);
  }

  toggle() {
    if (this.player.playing) this.player.pause();
    else this.player.play().catch((error) => this.say(`Cannot play: ${error.message}`));
  }

  seek(time) {
    this.player.seek(time);
    this.view.show(this.player.from, 0.02);
    this.refresh();
  }

  skip(seconds) {
    this.seek(this.player.time + seconds);
  }

  setMode(mode) {
    $(`input[name=hear][value=${mode}]`).checked = true;
    this.player.setMode(mode);
    this.say(`Hear: ${$(`input[name=hear][value=${mode}]`).parentElement.textContent.trim()}`);
  }

  speed(step) {
    const at = SPEEDS.indexOf(this.player.rate) + step;
    this.setSpeed(SPEEDS[Math.min(Math.max(at, 0), SPEEDS.length - 1)]);
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
    this.say(!this.bars.tempo ? "Unsteady: no grid" : shown ? "Bars are shown" : "Bars are hidden");
  }

  help() {
    $("#help").showModal();
  }
}

function $(selector) {
  return document.querySelector(selector);
}
