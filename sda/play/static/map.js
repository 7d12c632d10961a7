// The map of moments: what lies under the pointer or has the focus is heard, a path is drawn, points are marked.

const NEAR_PX = 14;
const HEARD_AFTER_MS = 120;
const MOST_OF_PATH = 24;
const MARGIN_PX = 14;

export class SoundMap {
  constructor(canvas, words, onHear, onPath) {
    Object.assign(this, { canvas, words, onHear, onPath, places: [], path: [], current: -1, marked: new Set(), timer: 0 });
    canvas.addEventListener("pointermove", (event) => this.onMove(event));
    canvas.addEventListener("pointerdown", (event) => this.onDown(event));
    canvas.addEventListener("pointerup", () => this.onUp());
    canvas.addEventListener("keydown", (event) => this.onKey(event));
    canvas.addEventListener("focus", () => { if (this.current < 0 && this.places.length) this.go(0); });
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  show(places, store) {
    this.store = `sda-marked-${store}`;
    this.places = places;
    this.path = [];
    this.current = -1;
    this.marked = new Set();
    try { this.marked = new Set(JSON.parse(localStorage.getItem(this.store) ?? "[]")); } catch { /* nothing is marked */ }
    const xs = places.map((place) => place.x), ys = places.map((place) => place.y);
    this.low = [Math.min(...xs), Math.min(...ys)];
    this.size = [Math.max(...xs) - this.low[0] || 1, Math.max(...ys) - this.low[1] || 1];
    this.draw();
    if (places.length && document.activeElement === this.canvas) this.go(0);
  }

  toPixels(x, y) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    return [
      MARGIN_PX + ((x - this.low[0]) / this.size[0]) * (width - 2 * MARGIN_PX),
      MARGIN_PX + (1 - (y - this.low[1]) / this.size[1]) * (height - 2 * MARGIN_PX),
    ];
  }

  toPlace(px, py) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    return [
      this.low[0] + ((px - MARGIN_PX) / (width - 2 * MARGIN_PX)) * this.size[0],
      this.low[1] + (1 - (py - MARGIN_PX) / (height - 2 * MARGIN_PX)) * this.size[1],
    ];
  }

  draw() {
    const { canvas } = this, ratio = devicePixelRatio, style = getComputedStyle(canvas);
    canvas.width = canvas.clientWidth * ratio;
    canvas.height = canvas.clientHeight * ratio;
    if (!this.places.length) return;
    const pen = canvas.getContext("2d");
    const colour = (name) => style.getPropertyValue(name).trim();
    pen.scale(ratio, ratio);
    this.places.forEach((place, index) => {
      const [x, y] = this.toPixels(place.x, place.y);
      pen.beginPath();
      pen.arc(x, y, index === this.current ? 7 : 4, 0, 2 * Math.PI);
      pen.globalAlpha = index === this.current ? 1 : 0.7;
      if (place.side === "held_out") { pen.strokeStyle = colour("--accent"); pen.lineWidth = 1.5; pen.stroke(); }
      else { pen.fillStyle = colour("--accent"); pen.fill(); }
      if (this.marked.has(name(place))) { pen.strokeStyle = colour("--warn"); pen.lineWidth = 2; pen.beginPath(); pen.arc(x, y, 9, 0, 2 * Math.PI); pen.stroke(); }
    });
    pen.globalAlpha = 1;
    pen.strokeStyle = colour("--text");
    pen.lineWidth = 2;
    pen.beginPath();
    this.path.forEach(([x, y], index) => pen[index ? "lineTo" : "moveTo"](...this.toPixels(x, y)));
    pen.stroke();
  }

  find(event) {
    let best = -1, least = NEAR_PX;
    this.places.forEach((place, index) => {
      const [x, y] = this.toPixels(place.x, place.y);
      const distance = Math.hypot(x - event.offsetX, y - event.offsetY);
      if (distance < least) [best, least] = [index, distance];
    });
    return best;
  }

  onMove(event) {
    if (this.isDrawing) {
      this.path.push(this.toPlace(event.offsetX, event.offsetY));
      this.draw();
      return;
    }
    const found = this.find(event);
    if (found >= 0 && found !== this.current) this.go(found);
  }

  onDown(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.isDrawing = true;
    this.path = [this.toPlace(event.offsetX, event.offsetY)];
  }

  onUp() {
    this.isDrawing = false;
    if (this.path.length < 3) { this.path = []; if (this.current >= 0) this.hear(); }
    const step = Math.max(1, Math.ceil(this.path.length / MOST_OF_PATH));
    this.path = this.path.filter((_, index) => index % step === 0 || index === this.path.length - 1);
    this.draw();
    this.onPath(this.path);
  }

  onKey(event) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in ways) this.step(...ways[event.key]);
    else if (event.key === "Enter") this.hear();
    else if (event.key === "f" && this.current >= 0) this.mark();
    else if (event.key === "p" && this.current >= 0) {
      const place = this.places[this.current];
      this.path = [...this.path, [place.x, place.y]];
      this.words.textContent = `${this.path.length} points are in the path`;
      this.draw();
      this.onPath(this.path);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // To the nearest point that lies that way.
  step(dx, dy) {
    const here = this.places[Math.max(0, this.current)];
    const [x, y] = this.toPixels(here.x, here.y);
    let best = -1, least = Infinity;
    this.places.forEach((place, index) => {
      const [px, py] = this.toPixels(place.x, place.y);
      const along = (px - x) * dx + (py - y) * dy, across = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
      if (along > 0.5 && along + 2 * across < least) [best, least] = [index, along + 2 * across];
    });
    if (best >= 0) this.go(best);
  }

  go(index) {
    this.current = index;
    const place = this.places[index];
    this.words.textContent = `${place.name}, ${place.start_s.toFixed(1)} s${place.side === "held_out" ? ", held out" : ""}${this.marked.has(name(place)) ? ", marked" : ""}`;
    this.draw();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.hear(), HEARD_AFTER_MS);
  }

  hear() { if (this.current >= 0) this.onHear(this.places[this.current]); }

  mark() {
    const id = name(this.places[this.current]);
    if (!this.marked.delete(id)) this.marked.add(id);
    try { localStorage.setItem(this.store, JSON.stringify([...this.marked])); } catch { /* for this visit alone */ }
    this.words.textContent = `${id} ${this.marked.has(id) ? "is marked" : "is no longer marked"}`;
    this.draw();
  }

  clear() { this.path = []; this.draw(); this.onPath([]); }
}

function name(place) { return `${place.name} ${place.start_s}`; }
