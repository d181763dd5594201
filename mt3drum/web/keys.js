// The keyboard. One table, from which the help dialog is made as well.

const SHORTCUTS = [
  // [keys as shown, what they do, test of the event, action]
  ["Space", "Play or pause", (e) => e.key === " ", (app) => app.toggle()],
  ["← →", "Previous, next hit", (e) => plain(e) && arrow(e, "Left", "Right"), (app, e) => app.walk(sign(e))],
  ["↑ ↓", "Louder, softer", (e) => plain(e) && arrow(e, "Up", "Down"), (app, e) => app.louder(-4 * sign(e))],
  ["Shift + ← →", "Move the hit by 5 ms, or along the grid", (e) => e.shiftKey && arrow(e, "Left", "Right"),
    (app, e) => app.nudge(sign(e))],
  ["Shift + ↑ ↓", "Change it to the drum of the lane above, below", (e) => e.shiftKey && arrow(e, "Up", "Down"),
    (app, e) => app.relabel(sign(e))],
  ["Delete", "Delete the hit", (e) => ["Delete", "Backspace"].includes(e.key), (app) => app.remove()],
  ["A", "Add a hit at the cursor", (e) => letter(e, "a"), (app) => app.addAtCursor()],
  ["C", "Confirm: the hit is right", (e) => letter(e, "c"), (app) => app.confirm()],
  ["U, Shift + U", "Next, previous of the least certain hits", (e) => letter(e, "u"),
    (app, e) => app.jump(e.shiftKey ? -1 : 1)],
  ["D, Shift + D", "Next, previous difference from the other score", (e) => letter(e, "d"),
    (app, e) => app.compare.step(e.shiftKey ? -1 : 1)],
  ["Ctrl + Z", "Undo", (e) => command(e, "z") && !e.shiftKey, (app) => app.undo()],
  ["Ctrl + Y", "Redo", (e) => command(e, "y") || (command(e, "z") && e.shiftKey), (app) => app.redo()],
  [", .", "Cursor back, forward by 1 s", (e) => ",.".includes(e.key), (app, e) => app.skip(e.key === "," ? -1 : 1)],
  ["Home, End", "To the start, to the end", (e) => ["Home", "End"].includes(e.key),
    (app, e) => app.seek(e.key === "Home" ? 0 : app.score.seconds)],
  ["1 2 3 4", "Play the recording, the score, one in each ear, both", (e) => "1234".includes(e.key),
    (app, e) => app.setMode(["recording", "score", "ears", "both"][Number(e.key) - 1])],
  ["[ ]", "Slower, faster", (e) => "[]".includes(e.key), (app, e) => app.speed(e.key === "[" ? -1 : 1)],
  ["+ −", "Zoom in, out", (e) => "+=-".includes(e.key), (app, e) => app.zoom(e.key === "-" ? 0.7 : 1.4)],
  ["L", "Loop the bar at the cursor, or play on", (e) => letter(e, "l"), (app) => app.toggleLoop()],
  ["I, O", "The loop starts, ends at the cursor", (e) => letter(e, "i") || letter(e, "o"),
    (app, e) => app.moveLoop(e.key.toLowerCase() === "i" ? "start" : "end")],
  ["S", "Snap hits to sixteenths, or turn snapping off", (e) => letter(e, "s"), (app) => app.setSnap(app.bars.division ? 0 : 4)],
  ["G", "Show or hide bars and beats", (e) => letter(e, "g"), (app) => app.showBars(!app.bars.shown)],
  ["Esc", "No hit chosen", (e) => e.key === "Escape", (app) => app.select(null)],
  ["?", "This help", (e) => e.key === "?", (app) => app.help()],
];

function plain(event) {
  return !event.shiftKey && !event.altKey;
}

function letter(event, name) {
  return event.key.toLowerCase() === name && !event.ctrlKey && !event.metaKey && !event.altKey;
}

function command(event, name) {
  return event.key.toLowerCase() === name && (event.ctrlKey || event.metaKey);
}

function arrow(event, ...names) {
  return names.some((name) => event.key === `Arrow${name}`);
}

function sign(event) {
  return event.key === "ArrowLeft" || event.key === "ArrowUp" ? -1 : 1;
}

function listenToKeys(app) {
  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (document.querySelector("dialog[open]") || event.key.length > 1 && event.altKey) return;
    if (target.matches("input:not([type=checkbox]):not([type=radio]):not([type=range]), select, textarea")) return;
    // What has keys of its own keeps them.
    if (target.matches("button, summary, input, a") && [" ", "Enter"].includes(event.key)) return;
    if (target.matches("input") && /^(Arrow|Home|End|Page)/.test(event.key)) return;
    const withCommand = event.ctrlKey || event.metaKey;
    const entry = SHORTCUTS.find(([keys, , test]) => test(event) && withCommand === keys.startsWith("Ctrl"));
    if (!entry) return;
    event.preventDefault();
    entry[3](app, event);
  });
}
