// Mouse and touch on the lanes and on the overview.
// Click or tap: choose a hit, else set the cursor. Drag a hit: move it, over lanes: relabel it. Drag along the ruler:
// a loop. Drag elsewhere: scroll. Double click, long press, or a tap while "Add" is on: a new hit. Wheel or pinch with
// Ctrl: zoom.

const SLACK = 4; // pixels a pointer may wander in a click
const LONG_PRESS_MS = 550;

function listenToPointer(app) {
  const { canvas } = app.view;
  const overview = app.view.overview.canvas;
  const fingers = new Map(); // pointer id -> {x, y}
  let gesture = null; // {kind: "hit", "loop" or "empty", x, y, start, down, hit, moved}
  let pinch = 0;
  let timer = 0;

  const place = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const stop = () => {
    clearTimeout(timer);
    gesture = null;
    app.view.dragged = null;
    app.refresh();
  };

  canvas.addEventListener("pointerdown", (event) => {
    const { x, y } = place(event);
    fingers.set(event.pointerId, { x, y });
    canvas.setPointerCapture(event.pointerId);
    if (event.button !== 0) return;
    if (fingers.size === 2) {
      stop();
      pinch = spread();
      return;
    }
    const touch = event.pointerType === "touch";
    const hit = app.view.hitAt(x, y, touch ? 18 : 12);
    const movable = hit && (!touch || hit.id === app.view.selected);
    const kind = movable ? "hit" : y < app.view.spectrogramTop && x > app.view.gutter ? "loop" : "empty";
    gesture = { kind, x, y, start: app.view.start, down: app.view.down, hit, moved: false };
    if (movable) app.select(hit);
    else if (touch && !hit && y > app.view.lanesTop) {
      timer = setTimeout(() => {
        app.addAt(app.view.timeAt(x), app.view.drumAt(y));
        stop();
      }, LONG_PRESS_MS);
    }
  });

  canvas.addEventListener("pointermove", (event) => {
    const { x, y } = place(event);
    if (!fingers.has(event.pointerId)) {
      canvas.style.cursor = app.view.hitAt(x, y) ? "grab" : app.adding ? "copy" : "crosshair";
      return;
    }
    fingers.set(event.pointerId, { x, y });
    if (fingers.size === 2) {
      const now = spread();
      const points = [...fingers.values()];
      app.view.zoom(now / (pinch || now), (points[0].x + points[1].x) / 2);
      pinch = now;
      app.refresh();
      return;
    }
    if (!gesture || (!gesture.moved && Math.hypot(x - gesture.x, y - gesture.y) < SLACK)) return;
    gesture.moved = true;
    clearTimeout(timer);
    if (gesture.kind === "loop") {
      app.setLoop([gesture.x, x].sort((a, b) => a - b).map((at) => app.view.timeAt(at)));
    } else if (gesture.kind === "hit") {
      // A move along the lane keeps the drum until the pointer has clearly left the lane.
      const drum = Math.abs(y - gesture.y) > 14 ? app.view.drumAt(y) : gesture.hit.drum;
      const moved = gesture.hit.time + (x - gesture.x) / app.view.pixelsPerSecond;
      const time = event.altKey || Math.abs(x - gesture.x) < SLACK ? moved : app.bars.snap(moved);
      app.view.dragged = app.score.clean({ ...gesture.hit, time, drum });
    } else {
      app.view.scrollTo(gesture.start - (x - gesture.x) / app.view.pixelsPerSecond, gesture.down - (y - gesture.y));
    }
    app.refresh();
  });

  canvas.addEventListener("pointerup", (event) => {
    fingers.delete(event.pointerId);
    if (!gesture) return;
    const { kind, hit, moved, x, y } = gesture;
    const dragged = app.view.dragged;
    stop();
    if (kind === "hit" && moved && dragged) {
      app.edit(hit, { time: dragged.time, drum: dragged.drum }, "move");
    } else if (kind !== "hit" && !moved) {
      if (hit) app.select(hit);
      else if (app.adding && y > app.view.lanesTop) app.addAt(app.view.timeAt(x), app.view.drumAt(y));
      else if (x > app.view.gutter) app.seek(app.view.timeAt(x));
    }
  });

  canvas.addEventListener("pointercancel", (event) => {
    fingers.delete(event.pointerId);
    stop();
  });

  canvas.addEventListener("dblclick", (event) => {
    const { x, y } = place(event);
    if (app.adding || y < app.view.lanesTop || x < app.view.gutter || app.view.hitAt(x, y)) return;
    app.addAt(app.view.timeAt(x), app.view.drumAt(y));
  });

  canvas.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.metaKey) {
      app.view.zoom(Math.exp(-event.deltaY / 300), place(event).x);
    } else {
      const [along, down] = event.shiftKey ? [event.deltaX || event.deltaY, 0] : [event.deltaX, event.deltaY];
      const before = [app.view.start, app.view.down];
      app.view.scrollTo(app.view.start + along / app.view.pixelsPerSecond, app.view.down + down);
      if (before[0] === app.view.start && before[1] === app.view.down) return; // the page may scroll
    }
    event.preventDefault();
    app.refresh();
  }, { passive: false });

  const jump = (event) => {
    const share = place(event).x / overview.clientWidth;
    app.view.scrollTo(share * app.score.seconds - app.view.span / 2);
    app.seek(share * app.score.seconds);
  };
  overview.addEventListener("pointerdown", (event) => {
    overview.setPointerCapture(event.pointerId);
    jump(event);
  });
  overview.addEventListener("pointermove", (event) => {
    if (event.buttons) jump(event);
  });

  function spread() {
    const [a, b] = [...fingers.values()];
    return Math.hypot(a.x - b.x, a.y - b.y);
  }
}
