// The model as the page asks for it: a promise for each sound, whose stretches come one by one.

export class Engine {
  constructor() {
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.waiting = new Map();
    this.nAsked = 0;
    this.worker.onmessage = ({ data }) => this.hear(data);
    this.worker.onerror = (event) => this.fail(event.message || "the model cannot be run in this browser");
  }

  load(card, fadeS) {
    const address = new URL("./model/decoder.onnx", import.meta.url).href;
    return this.ask({ kind: "load", card, fadeS, address });
  }

  // Resolves to true once all of it was given to `onBlock`, to false where another sound, or a stop, came before.
  render(job, onBlock) { return this.ask({ kind: "render", job }, onBlock); }

  stop() { return this.ask({ kind: "stop" }); }

  ask(message, onBlock = () => {}) {
    const id = (this.nAsked += 1);
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, onBlock });
      this.worker.postMessage({ ...message, id });
    });
  }

  hear({ id, block, isDone, fault }) {
    const asked = this.waiting.get(id);
    if (block) { if (id === this.nAsked) asked?.onBlock(block); return; }
    this.waiting.delete(id);
    if (fault) asked?.reject(new Error(fault));
    else if (isDone) asked?.resolve(id === this.nAsked);
  }

  fail(reason) {
    for (const asked of this.waiting.values()) asked.reject(new Error(reason));
    this.waiting.clear();
  }
}
