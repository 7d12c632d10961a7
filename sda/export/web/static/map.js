// The map of the sounds: a path is drawn with a pointer, or put together with keys, place by place.

const MARGIN_PX = 14;
const LEAST_STEP = 0.01; // of the map's width, between two points of a path that is drawn
const MOST_POINTS = 400;

export class SoundMap {
  constructor(canvas, { describe, onPath, onWalk }) {
    Object.assign(this, { canvas, describe, onPath, onWalk, places: [], path: [], current: -1, isDrawing: false });
    canvas.addEventListener("pointerdown", (event) => this.beginPath(event));
    canvas.addEventListener("pointermove", (event) => { if (this.isDrawing) this.draws(event); });
    for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => { this.isDrawing = false; });
    canvas.addEventListener("keydown", (event) => this.press(event));
    canvas.addEventListener("focus", () => { if (this.current < 0 && this.places.length) this.go(0); });
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  show(places) { this.places = places; this.draw(); }

  // Both directions on one scale.
  get frame() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const size = Math.min(width, height) - 2 * MARGIN_PX;
    return { left: (width - size) / 2, top: (height - size) / 2, size };
  }

  toPixels([x, y]) { const { left, top, size } = this.frame; return [left + x * size, top + (1 - y) * size]; }

  toPoint(event) {
    const { left, top, size } = this.frame;
    return [(event.offsetX - left) / size, 1 - (event.offsetY - top) / size];
  }

  beginPath(event) {
    this.isDrawing = true;
    try { this.canvas.setPointerCapture(event.pointerId); } catch { /* a pointer that is gone already */ }
    this.setPath([this.toPoint(event)]);
  }

  draws(event) {
    const point = this.toPoint(event), last = this.path[this.path.length - 1];
    if (Math.hypot(point[0] - last[0], point[1] - last[1]) >= LEAST_STEP && this.path.length < MOST_POINTS) this.setPath([...this.path, point]);
  }

  setPath(path) { this.path = path; this.draw(); this.onPath(path); }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const place = this.places[this.current];
    if (arrows[event.key]) this.step(arrows[event.key]);
    else if (event.key === "p" && place) this.setPath([...this.path, [place.x, place.y]]);
    else if (event.key === "Backspace") this.setPath(this.path.slice(0, -1));
    else if (event.key === "Enter") this.onWalk();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // The nearest place that lies that way more than aside of it.
  step([dx, dy]) {
    const from = this.places[this.current] ?? { x: 0.5, y: 0.5 };
    let best = -1, least = Infinity;
    this.places.forEach((place, index) => {
      const along = (place.x - from.x) * dx + (place.y - from.y) * dy;
      const aside = Math.abs((place.x - from.x) * dy) + Math.abs((place.y - from.y) * dx);
      if (along > 1e-9 && aside <= along && along + aside < least) [best, least] = [index, along + aside];
    });
    if (best >= 0) this.go(best);
  }

  go(index) { this.current = index; this.draw(); this.describe(this.places[index]); }

  draw() {
    const { canvas } = this, ratio = devicePixelRatio, style = getComputedStyle(canvas);
    canvas.width = canvas.clientWidth * ratio;
    canvas.height = canvas.clientHeight * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.fillStyle = style.getPropertyValue("--accent");
    this.places.forEach((place, index) => {
      pen.beginPath();
      pen.globalAlpha = index === this.current ? 1 : 0.6;
      pen.arc(...this.toPixels([place.x, place.y]), index === this.current ? 7 : 3.5, 0, 2 * Math.PI);
      pen.fill();
    });
    pen.globalAlpha = 1;
    pen.strokeStyle = pen.fillStyle = style.getPropertyValue("--text");
    pen.lineWidth = 2;
    pen.beginPath();
    this.path.forEach((point, index) => pen[index ? "lineTo" : "moveTo"](...this.toPixels(point)));
    pen.stroke();
    for (const point of this.path.length === 1 ? this.path : []) {
      pen.beginPath();
      pen.arc(...this.toPixels(point), 3, 0, 2 * Math.PI);
      pen.fill();
    }
  }
}
