// Transcribe some bars, or the loop, again with other options: the server does it, and one step of undo takes it back.

class Again {
  /** @param app has score, data, view, bars */
  constructor(app) {
    this.app = app;
    this.address = app.data.server && app.data.server.part;
    if (!this.address) return;
    for (const family of app.data.families) $("#again-family").append(new Option(family, family));
    $("#again").addEventListener("toggle", () => this.show());
    for (const name of ["#again-first", "#again-last"]) $(name).addEventListener("change", () => this.choose());
    $("#again-start").addEventListener("click", () => this.run());
  }

  /** First and last bar of the part, from 1; strokes a little before a bar belong to it. */
  get barsOf() {
    const { part, bars } = this.app;
    const [first, last] = part.map((time) => bars.position(time) / bars.tempo.per_bar);
    return [Math.floor(first + 0.02) + 1, Math.max(Math.ceil(last - 0.02), Math.floor(first + 0.02) + 1)];
  }

  /** What the menu says of the part. */
  show() {
    const { app } = this;
    const [start, end] = app.part;
    setText("#again-part", `${clock(start, 2)} to ${clock(end, 2)}${app.view.loop ? ", the loop" : ""}`);
    $("#again-bars").hidden = !app.bars.tempo;
    if (app.bars.tempo) [$("#again-first").value, $("#again-last").value] = this.barsOf;
  }

  /** Bars as the user says: they become the loop. */
  choose() {
    const { bars } = this.app;
    const [first, last] = ["#again-first", "#again-last"].map((name) => $(name).valueAsNumber);
    if (!(first >= 1 && last >= first)) return this.show();
    this.app.setLoop([first - 1, last].map((bar) => bars.timeAt(bar * bars.tempo.per_bar)));
    this.show();
  }

  /** [start, end] in seconds: where a bar line is meant, from a little before it, as strokes are. */
  get edges() {
    const { part, bars, score } = this.app;
    return part.map((time) => {
      const position = bars.position(time);
      const atBar = bars.tempo && Math.abs(position / bars.tempo.per_bar - Math.round(position / bars.tempo.per_bar)) < 0.02;
      return clamp(atBar ? bars.timeAt(position - 0.1) : time, [0, score.seconds]);
    });
  }

  async run() {
    const { app } = this;
    if (app.locked()) return;
    $("#problem").textContent = "";
    const hits = app.score.hits.filter((hit) => !hit.candidate);
    const [from, to] = this.edges;
    const least = $("#again-least").valueAsNumber;
    const [search, family] = [$("#again-search").value, $("#again-family").value];
    const options = {
      from,
      to: to === app.score.seconds ? to + 1 : to, // the last onset may lie a little behind the end
      ...(search === "frames" ? { decoder: "frames" } : search ? { beam: Number(search) } : {}),
      ...(Number.isFinite(least) ? { minimum_confidence: clamp(least, [0, 100]) / 100 } : {}),
      ...(family ? { families: [family] } : {}),
    };
    $("#again-start").disabled = true;
    app.say(`Transcribing ${clock(from, 2)} to ${clock(to, 2)} again …`);
    try {
      const { removed, added } = await (await ask(app, this.address, options, hits)).json();
      // What was edited meanwhile stays.
      const gone = removed.map((place) => hits[place]).filter((hit) => app.score.byId(hit.id) === hit);
      app.score.exchange(gone, added, "transcription of a part");
      app.say(`Transcribed again: ${gone.length} hits out, ${added.length} in. Undo reverts it`);
    } catch (error) {
      app.complain(error.message);
    } finally {
      $("#again-start").disabled = false;
    }
  }
}
