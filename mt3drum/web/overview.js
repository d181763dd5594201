// The whole recording in one strip: its hits are drawn when they change, its window and cursor in every frame.

class Overview {
  constructor(canvas, view) {
    Object.assign(this, { canvas, view });
    this.picture = document.createElement("canvas");
    this.drawnAs = "";
  }

  x(time) {
    return (time / this.view.score.seconds) * this.canvas.clientWidth;
  }

  draw(loop) {
    const { canvas, view } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const ratio = window.devicePixelRatio || 1;
    const state = [canvas.width, canvas.height, view.score.version, view.theme, view.compare?.version].join();
    if (state !== this.drawnAs) {
      this.drawnAs = state;
      [this.picture.width, this.picture.height] = [canvas.width, canvas.height];
      const picture = this.picture.getContext("2d");
      picture.setTransform(ratio, 0, 0, ratio, 0, 0);
      this.drawHits(picture, width, height);
    }
    const ink = canvas.getContext("2d");
    ink.drawImage(this.picture, 0, 0, width, height);
    if (loop) {
      ink.globalAlpha = 0.25;
      ink.fillStyle = view.colour.accent;
      ink.fillRect(this.x(loop.start), 0, Math.max(2, this.x(loop.end) - this.x(loop.start)), height);
      ink.globalAlpha = 1;
    }
    ink.strokeStyle = view.colour.accent;
    ink.lineWidth = 2;
    ink.strokeRect(this.x(view.start) + 1, 1, Math.max(6, this.x(view.span)) - 2, height - 2);
    view.drawCursor(ink, this.x(view.cursor), height);
  }

  drawHits(ink, width, height) {
    const { view } = this;
    const order = new Map(view.data.lanes.map((drum, i) => [drum, i / view.data.lanes.length]));
    ink.fillStyle = view.colour.stripe;
    ink.fillRect(0, 0, width, height);
    const columns = new Set(); // of an hour of hits most would be drawn over one another
    const status = (hit) => view.compare?.statuses.get(hit);
    for (const hit of [...view.score.visible(), ...(view.compare?.missed ?? [])]) {
      const x = Math.round(2 * this.x(hit.time)) / 2;
      const key = x * 64 + hit.drum;
      if (columns.has(key)) continue;
      columns.add(key);
      ink.fillStyle = view.colour[status(hit) || view.data.drums[hit.drum].family];
      ink.globalAlpha = 0.5 + 0.5 * hit.confidence;
      ink.fillRect(x, order.get(hit.drum) * (height - 4) + 1, 1.5, 3);
    }
    ink.globalAlpha = 1;
  }
}
