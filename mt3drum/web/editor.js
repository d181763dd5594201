// What a person does to the score: choose, edit, undo, and go through what is doubtful. `App` adds sound and page.

class Editor {
  get selected() {
    return this.score.byId(this.view.selected);
  }

  select(hit, how = "") {
    this.view.selected = hit ? hit.id : null;
    if (hit) {
      this.drum = hit.drum;
      if (!this.player.playing) this.player.seek(hit.time);
      this.player.audition(hit);
      this.say(`${how}${this.describe(hit)}`);
    }
    this.panel.show(hit);
    if (hit) this.reveal(hit);
    this.refresh();
  }

  /** Select in silence. */
  choose(hit) {
    this.view.selected = hit.id;
    this.panel.show(hit);
    this.reveal(hit);
    this.refresh();
  }

  reveal(hit) {
    this.view.show(hit.time, 0.05);
    this.view.showLane(hit.drum);
  }

  describe(hit) {
    const place = this.bars.place(hit.time);
    const when = `${hit.time.toFixed(3)} seconds${place && `, ${place}`}`;
    return `${this.data.drums[hit.drum].label}, ${when}, velocity ${hit.velocity}, ${sureness(hit)}${hit.candidate ? ", a candidate" : ""}`;
  }

  /** Nothing is edited while hits still come. */
  locked() {
    if (this.score.locked) this.say("The recording is still being transcribed: edit its hits when that is done");
    return this.score.locked;
  }

  edit(hit, fields, kind) {
    if (!hit) return this.say("No hit chosen");
    if (this.locked()) return;
    const next = this.score.change(hit, fields, kind);
    this.select(next, kind === "confirm" ? "Confirmed: " : "");
  }

  /** A new hit, on the grid where hits snap to it. One that is there already is chosen instead. */
  addAt(time, drum) {
    if (this.locked()) return;
    const at = this.bars.snap(time);
    const there = this.score.at(at, drum);
    if (there && (there.candidate || there.confidence < this.score.threshold)) {
      return this.edit(there, {}, "confirm"); // it was not shown
    }
    if (there) return this.select(there, "There is a hit already: ");
    this.select(this.score.add(at, drum, 90), "Added: ");
  }

  addAtCursor() {
    this.addAt(this.player.time, this.drum);
  }

  remove() {
    const hit = this.selected;
    if (!hit) return this.say("No hit chosen");
    if (this.locked()) return;
    const list = this.score.drawn();
    const at = list.indexOf(hit);
    this.score.remove(hit);
    this.select(list[at + 1] || list[at - 1] || null, "Deleted. Now at: ");
    if (list.length === 1) this.say("Deleted. No hits left");
  }

  /** By 5 ms, or to the next place of the grid where hits snap to it. */
  nudge(sign) {
    const hit = this.selected;
    if (!hit) return this.say("No hit chosen");
    const time = this.bars.snapping ? this.bars.neighbour(hit.time, sign) : hit.time + 0.005 * sign;
    if (time < 0 || time > this.score.seconds) return this.say("The recording ends here");
    this.edit(hit, { time }, "move");
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

  /** All edits taken back in one step, which can be undone itself. */
  revert() {
    this.score.become(new Map(this.score.originals), "back to the transcription");
    this.setTempo(this.data.tempo);
    this.say("The score is as it was transcribed; Undo brings the edits back");
  }

  /** Show what the browser or the server kept, or what another window did. */
  adopt(state) {
    const hits = hitsOf(state, this.score);
    if (this.started) this.score.become(hits, ELSEWHERE);
    else this.score.reset(hits);
    const tempo = "tempo" in state ? state.tempo : this.data.tempo;
    if (JSON.stringify(tempo) !== JSON.stringify(this.bars.tempo)) this.setTempo(tempo);
  }

  walk(step) {
    const list = this.score.drawn();
    if (!list.length) return this.say("No hits");
    let at = list.indexOf(this.selected);
    if (at < 0) {
      const next = list.findIndex((hit) => hit.time >= this.player.time);
      at = (next < 0 ? list.length : next) - (step > 0 ? 1 : 0);
    }
    this.select(list[clamp(at + step, [0, list.length - 1])]);
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
}
