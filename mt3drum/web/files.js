// Files out: written by the page itself as far as it can, else by its server; and beats found anew there.

const LOCAL = {
  midi: { type: "audio/midi", suffix: ".mid", write: (hits, data, tempo) => toMidi(hits, data, tempo, $("#notes").value) },
  json: { type: "application/json", suffix: ".json", write: toJson },
  jsonl: { type: "application/jsonl", suffix: ".jsonl", write: toJsonl },
  csv: { type: "text/csv", suffix: ".csv", write: toCsv },
};

/** What is shown, as a file. @param format one of LOCAL or of the server's */
async function exportAs(app, format) {
  const hits = app.score.visible();
  const stem = app.data.source.replace(/\.[^.]*$/, "") || "score";
  $("#problem").textContent = "";
  try {
    if (LOCAL[format] && !$("#times").value) {
      const { type, suffix, write } = LOCAL[format];
      download(new Blob([write(hits, app.data, app.bars.tempo)], { type }), stem + suffix);
    } else {
      app.say(`Writing ${hits.length} hits as ${format} …`); // pages of notation or an hour of sound take long
      const response = await ask(app, `${app.data.server.export}/${encodeURIComponent(format)}`, {
        notes: $("#notes").value,
        grid: $("#times").value || null,
        beats: app.bars.tempo,
      });
      download(await whole(response), stem + app.data.server.formats[format]);
    }
    app.say(`Saved ${hits.length} hits as ${format}`);
  } catch (error) {
    app.complain(error.message);
  }
}

/** Beats from the hits as they are now, and from what the user says of tempo and meter. */
async function findBeats(app) {
  $("#problem").textContent = "";
  try {
    const response = await ask(app, app.data.server.tempo, {
      bpm: $("#bpm").value ? Number($("#bpm").value) : null,
      meter: $("#meter").value || null,
    });
    app.setTempo(await response.json());
    app.say(app.bars.tempo ? `Beats found: ${app.bars.text}` : "No steady beat, so no grid");
  } catch (error) {
    app.complain(error.message);
  }
}

/** The server, about hits: those that are shown, or others. */
async function ask(app, address, more, some = app.score.visible()) {
  const hits = some.map((hit) => [hit.time, hit.drum, hit.velocity, hit.confidence]);
  const { ask: local } = app.data.server;
  let response;
  try {
    response = local ? await local(address, { hits, ...more }) : await fetch(address, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ hits, ...more }),
    });
  } catch {
    throw new Error(`The server does not answer: start mt3drum serve again. ${app.store.local
      ? "Your edits are kept in this browser" : "Do not close this page: your edits are nowhere else"}; MIDI, JSON, ` +
      "JSONL and CSV as played can be exported without it.");
  }
  if (!response.ok) throw new Error((await response.text()).replace("error: ", ""));
  return response;
}
