// Written notation of the bars at the cursor, as the server's verovio prints it.

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
    if (!this.app.bars.tempo) return this.say("Unsteady: no grid, so no notation. Set the tempo first.");
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
      const picture = new Image();
      picture.alt = `Notation from bar ${first}`;
      picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
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
}
