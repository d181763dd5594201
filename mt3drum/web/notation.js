// Written notation of the bars at the cursor, as verovio prints it, at the server or in a worker; and all of it on paper.

const WRITE_MS = 700; // after the last edit
const BAR_PIXELS = 280; // room for one bar

class Notation {
  constructor(app) {
    this.app = app;
    this.shown = false;
    this.is = ""; // what the picture shows
    this.address = app.data.server && app.data.server.notation;
    $("#notation-button").hidden = !this.address;
    $("#notation-button").addEventListener("click", () => this.toggle());
    $("#print").addEventListener("click", () => this.print());
  }

  toggle() {
    this.shown = !this.shown;
    $("#notation-button").setAttribute("aria-pressed", String(this.shown));
    $("#notation").hidden = !this.shown;
    this.is = "";
    this.app.layOut();
    this.follow();
  }

  /** [first bar, number of bars] around the cursor; the same ones until the cursor leaves them. */
  get wanted() {
    const { bars, player, view } = this.app;
    const count = clamp(Math.floor(view.width / BAR_PIXELS), [1, 8]);
    const bar = Math.max(0, Math.floor((bars.position(player.time) + 0.1) / bars.tempo.per_bar));
    return [bar - (bar % count) + 1, count];
  }

  /** Called whenever something moves or changes: cheap unless other bars or other hits are wanted. */
  follow() {
    if (!this.shown) return;
    if (!this.app.bars.tempo) return this.say("No steady beat, so no notation. Set the tempo first.");
    const is = [...this.wanted, this.app.score.version, this.app.bars.text].join();
    if (is === this.is) return;
    this.is = is;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.write(is), $("#notation img") ? WRITE_MS : 0);
  }

  async write(is) {
    const [bar, bars] = this.wanted;
    try {
      const response = await ask(this.app, this.address, { beats: this.app.bars.tempo, bar, bars });
      const { svg, first } = await response.json();
      if (is !== this.is) return; // something newer is on its way
      const picture = pictureOf(svg, `Notation from bar ${first}`);
      await picture.decode();
      $("#notation").replaceChildren(picture);
      this.app.layOut();
    } catch (error) {
      this.say(error.message);
    }
  }

  say(text) {
    setText("#notation", text);
  }

  /** The whole score on paper, or as PDF: the style sheet prints nothing else while it is there. */
  async print() {
    const { app } = this;
    $("#problem").textContent = "";
    app.say("Writing the notation …");
    try {
      const systems = await (await ask(app, app.data.server.print, { beats: app.bars.tempo })).json();
      const title = Object.assign(document.createElement("h1"), { textContent: app.data.source.replace(/\.[^.]*$/, "") });
      const pictures = systems.map((svg) => pictureOf(svg, ""));
      await Promise.all(pictures.map((picture) => picture.decode()));
      $("#printed").replaceChildren(title, ...pictures);
      addEventListener("afterprint", () => $("#printed").replaceChildren(), { once: true });
      app.say("");
      window.print();
    } catch (error) {
      app.complain(error.message);
    }
  }
}

function pictureOf(svg, alt) {
  const picture = new Image();
  picture.alt = alt;
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  return picture;
}
