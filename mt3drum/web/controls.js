// Buttons, fields and dialogs of the page.

function wireControls(app) {
  const on = (selector, event, action) => $(selector).addEventListener(event, action);
  on("#play", "click", () => app.toggle());
  on("#undo", "click", () => app.undo());
  on("#redo", "click", () => app.redo());
  on("#revert", "click", () => app.revert());
  on("#loop", "click", () => app.toggleLoop());
  on("#snap", "change", (event) => app.setSnap(Number(event.target.value)));
  on("#candidates", "change", (event) => app.score.showCandidates(event.target.checked));
  for (const name of ["recording", "score"]) {
    on(`#level-${name}`, "input", (event) => app.player.setLevel(name, Number(event.target.value) / 100));
  }
  on("#least", "click", () => app.jump(1));
  on("#less", "click", () => app.jump(-1));
  on("#zoom-in", "click", () => app.zoom(1.4));
  on("#zoom-out", "click", () => app.zoom(0.7));
  on("#open-help", "click", () => app.help());
  on("#close-help", "click", () => $("#help").close());
  on("#help", "click", (event) => event.target === $("#help") && $("#help").close()); // the backdrop is the dialog's
  listenToMenus();
  on("#speed", "change", (event) => app.setSpeed(Number(event.target.value)));
  on("#add", "click", () => {
    app.adding = !app.adding;
    $("#add").setAttribute("aria-pressed", String(app.adding));
    app.say(app.adding ? "Click or tap a lane to add a hit" : "Adding is off");
  });
  on("#all-lanes", "change", (event) => {
    app.view.allLanes = event.target.checked;
    app.layOut();
  });
  on("#threshold", "input", (event) => {
    $("#threshold-out").textContent = `${event.target.value} %`;
    app.score.setThreshold(Number(event.target.value) / 100);
  });
  for (const radio of document.querySelectorAll("input[name=hear]")) {
    radio.addEventListener("change", () => app.setMode(radio.value));
  }
  for (const button of document.querySelectorAll("button[data-format]")) {
    button.addEventListener("click", () => whileBusy(button, () => exportAs(app, button.dataset.format)));
  }
  on("#bars", "change", (event) => app.showBars(event.target.checked));
  on("#find-beats", "click", () => findBeats(app));
  on("#recording", "change", (event) => {
    const [file] = event.target.files;
    if (!file) return;
    app.player.pause();
    app.player.audio.src = URL.createObjectURL(file);
    app.say("The recording is loaded");
  });
  on("#audio", "error", () => {
    $("#problem").textContent = "This browser cannot play the recording; the score plays alone.";
    $("#audio").removeAttribute("src");
  });
}

/** Menus close by Escape, by a click outside them, and when another one opens. */
function listenToMenus() {
  const open = () => [...document.querySelectorAll("details.menu[open]")];
  document.addEventListener("pointerdown", (event) => {
    for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !open().length) return;
    for (const menu of open()) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    event.stopImmediatePropagation(); // the chosen hit stays chosen
  });
}

/** What depends on the data and not on the user; texts are set as text, never as markup. */
function fillPage(data) {
  data.drums.forEach(({ label, family }, drum) => {
    let group = $(`#drum optgroup[label="${family}"]`);
    if (!group) {
      group = document.createElement("optgroup");
      group.label = family;
      $("#drum").append(group);
    }
    group.append(new Option(label, String(drum)));
  });
  for (const [keys, what] of SHORTCUTS) {
    const row = $("#shortcuts").insertRow();
    const head = document.createElement("th");
    head.textContent = keys;
    head.scope = "row";
    row.append(head);
    row.insertCell().textContent = what;
  }
  for (const format of Object.keys(data.server ? data.server.formats : {})) {
    if (LOCAL[format]) continue;
    const button = document.createElement("button");
    button.dataset.format = format;
    button.textContent = data.server.labels[format] || format;
    $("#more-formats").before(button);
  }
  for (const meter of data.server ? data.server.meters : []) $("#meter").append(new Option(meter, meter));
  for (const element of document.querySelectorAll("[data-needs]")) {
    const { needs } = element.dataset; // of the server: whether it is there, or one of its addresses
    element.hidden = needs === "no server" ? Boolean(data.server) : !data.server || !(needs === "server" || data.server[needs]);
  }
  showResult(data);
  $("#no-audio").hidden = Boolean(data.audio);
  $("#home").hidden = !data.server;
}

/** What is known once the transcription is done. */
function showResult(data) {
  $("#warnings").replaceChildren(...data.warnings.map((warning) =>
    Object.assign(document.createElement("li"), { textContent: warning })));
  $("#candidates-count").textContent = data.candidates.length;
}
