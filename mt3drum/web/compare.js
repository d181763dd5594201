// Another score of the recording beside this one: which of its hits are here, which are missed, which are extra.

class Compare {
  /** @param app has score, data, view, player */
  constructor(app) {
    this.app = app;
    this.reference = null; // {name, bytes, hits, unmapped}
    this.at = null; // the difference that was looked at last
    this.version = 0; // of what is drawn
    this.found = null; // what `matchHits` says
    this.statuses = new Map(); // hit of this score -> "match" or "extra"
    this.missed = []; // hits of the other score
    const on = (selector, event, action) => $(selector).addEventListener(event, action);
    $("#compare").hidden = !app.data.schemes; // a recording kept by a site of an earlier version
    if (!app.data.schemes) return;
    for (const name of Object.keys(app.data.schemes)) $("#scheme").append(new Option(name, name));
    $("#scheme").value = "5";
    on("#reference", "change", async (event) => {
      const [file] = event.target.files;
      if (file) this.open(file.name, new Uint8Array(await file.arrayBuffer()));
    });
    on("#reference-notes", "change", () => this.reference && this.open(this.reference.name, this.reference.bytes));
    on("#scheme", "change", () => this.show());
    on("#end-comparison", "click", () => this.end());
    on("#next-difference", "click", () => this.step(1));
    on("#previous-difference", "click", () => this.step(-1));
  }

  open(name, bytes) {
    $("#problem").textContent = "";
    try {
      this.reference = { name, bytes, ...readScore(bytes, this.app.data, $("#reference-notes").value) };
    } catch (error) {
      this.end();
      this.app.complain(`${name}: ${error.message}`);
      return;
    }
    this.at = null;
    this.show();
    const { unmapped } = this.reference;
    this.app.say(`${$("#comparison-text").textContent}${unmapped ? `. ${unmapped} notes are no known drum` : ""}`);
  }

  end() {
    this.reference = this.at = null;
    $("#reference").value = "";
    this.show();
  }

  /** Compare anew: called when the score has changed. */
  show() {
    const { app, reference } = this;
    this.version += 1;
    [this.found, this.statuses, this.missed] = [null, new Map(), []];
    $("#differences").hidden = $("#comparison").hidden = $("#end-comparison").hidden = !reference;
    if (reference) {
      const { labels, of_class: ofClass } = app.data.schemes[$("#scheme").value];
      this.found = matchHits(reference.hits, app.score.visible(), ofClass);
      for (const { hits } of this.found.matched) for (const hit of hits) this.statuses.set(hit, "match");
      for (const { hits } of this.found.extra) for (const hit of hits) this.statuses.set(hit, "extra");
      this.missed = this.found.missed.flatMap(({ hits }) => hits).sort(inOrder);
      this.fill(scoreRows(this.found, labels));
    }
    app.layOut();
  }

  /** The table of F by class, and the line of all together. */
  fill(rows) {
    $("#comparison").replaceChildren();
    for (const [name, ...figures] of [["", "matched", "missed", "extra", "F"], ...rows]) {
      const row = $("#comparison").insertRow();
      const head = document.createElement("th");
      head.textContent = name.replaceAll("_", " ");
      row.append(head);
      figures.forEach((figure, i) => {
        row.insertCell().textContent = i === 3 && typeof figure === "number" ? figure.toFixed(3) : figure;
      });
    }
    const [, matched, missed, extra, f] = rows[rows.length - 1];
    setText("#comparison-text", `F ${f.toFixed(3)}: ${matched} matched, ${missed} missed, ${extra} extra`);
  }

  get differences() {
    const { missed, extra } = this.found;
    return [...missed.map((event) => ({ ...event, kind: "missed" })), ...extra.map((event) => ({ ...event, kind: "extra" }))]
      .sort((a, b) => a.time - b.time || a.label - b.label);
  }

  /** To the next (1) or previous (-1) difference: an extra hit is chosen; at a missed one the cursor stands, and A adds it. */
  step(sign) {
    const { app } = this;
    if (!this.found) return app.say("No score to compare with");
    const list = this.differences;
    if (!list.length) return app.say("No differences");
    const rank = (event) => (this.at ? event.time - this.at.time || event.label - this.at.label : event.time - app.player.time);
    const ahead = list.filter((event) => (sign > 0 ? rank(event) > 0 : rank(event) < 0));
    const next = sign > 0 ? ahead[0] || list[0] : ahead[ahead.length - 1] || list[list.length - 1];
    this.at = next;
    const [hit] = next.hits;
    const how = `${list.indexOf(next) + 1} of ${list.length}, ${next.kind}: `;
    if (next.kind === "extra") return app.select(hit, how);
    app.select(null);
    app.drum = hit.drum;
    if (!app.player.playing) app.seek(hit.time);
    app.reveal(hit);
    app.say(`${how}${app.data.drums[hit.drum].label} at ${hit.time.toFixed(3)} seconds. A adds it`);
  }
}
