// The panel of the chosen hit: it stands by the hit, and on narrow screens below the lanes.

const GAP = 10; // pixels between the hit and its panel

class Panel {
  constructor(app) {
    this.app = app;
    this.box = $("#hit");
    const on = (selector, event, action) => $(selector).addEventListener(event, action);
    on("#drum", "change", (event) => app.edit(app.selected, { drum: Number(event.target.value) }, "relabel"));
    on("#hit-time", "change", (event) => this.setTime(event.target));
    on("#velocity", "input", (event) => app.edit(app.selected, { velocity: Number(event.target.value) }, "velocity"));
    on("#confirm", "click", () => app.confirm());
    on("#delete", "click", () => app.remove());
    on("#close-hit", "click", () => app.select(null));
  }

  /** A time outside the recording is refused and the field says why. */
  setTime(field) {
    const hit = this.app.selected;
    if (!hit) return;
    const { seconds } = this.app.score;
    const time = field.valueAsNumber;
    const wrong = !(time >= 0 && time <= seconds);
    field.setAttribute("aria-invalid", String(wrong));
    if (wrong) {
      this.app.complain(`The hit stays at ${hit.time.toFixed(3)} s: the recording is from 0 to ${seconds.toFixed(3)} s`);
      field.value = hit.time.toFixed(3);
    } else {
      $("#problem").textContent = "";
      this.app.edit(hit, { time }, "move");
    }
  }

  /** What it says of the hit. */
  show(hit) {
    const changed = this.box.hidden !== !hit;
    this.box.hidden = !hit;
    this.box.disabled = !hit;
    if (changed) this.app.layOut(); // on a phone the lanes make room
    if (!hit) return;
    $("#confidence-of-hit").textContent = sureness(hit);
    $("#drum").value = String(hit.drum);
    $("#hit-time").value = hit.time.toFixed(3);
    $("#velocity").value = String(hit.velocity);
    $("#velocity-out").textContent = String(hit.velocity);
  }

  /** Stand below the hit, above it where there is no room, and always within the lanes. */
  place() {
    const { app, box } = this;
    const { view } = app;
    const hit = view.dragged || app.selected;
    box.classList.toggle("away", Boolean(view.dragged)); // a hit that is dragged may go there
    if (!hit || getComputedStyle(box).position !== "absolute") return;
    const lanes = view.canvas.getBoundingClientRect();
    const main = box.offsetParent.getBoundingClientRect();
    const { x, y } = view.marks.of(hit);
    const [width, height] = [box.offsetWidth, box.offsetHeight];
    const room = $("#lanes-box").clientHeight;
    const below = y + view.lane / 2 + GAP;
    const above = y - view.lane / 2 - GAP - height;
    const top = below + height <= room ? below : above;
    const left = clamp(x - width / 2, [view.gutter, Math.max(view.gutter, view.width - width - 4)]);
    box.style.left = `${Math.round(lanes.left - main.left + left)}px`;
    box.style.top = `${Math.round(lanes.top - main.top + clamp(top, [0, Math.max(0, room - height)]))}px`;
  }
}

function sureness(hit) {
  return hit.confidence < 1 ? `${Math.round(100 * hit.confidence)} % sure` : "confirmed";
}
