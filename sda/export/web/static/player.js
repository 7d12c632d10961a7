// What is heard: stretches through an AudioWorklet, at the model's own rate.

const LONGEST_WAIT_MS = 2000; // a browser without a device to play on never begins

export class Player {
  constructor(rateHz, onPlace) {
    Object.assign(this, { rateHz, onPlace, id: 0, context: null, ended: () => {} });
  }

  // Only after a click or a key, as browsers ask for; whether anything can be heard now.
  async open() {
    this.context ??= new AudioContext({ sampleRate: this.rateHz });
    this.opened ??= this.connect();
    await this.opened;
    await Promise.race([this.context.resume(), new Promise((resolve) => setTimeout(resolve, LONGEST_WAIT_MS))]);
    return this.context.state === "running";
  }

  async connect() {
    await this.context.audioWorklet.addModule(new URL("./worklet.js", import.meta.url));
    this.queue = new AudioWorkletNode(this.context, "queue", { numberOfInputs: 0, outputChannelCount: [1] });
    this.analyser = new AnalyserNode(this.context, { fftSize: 2048 });
    this.queue.connect(this.analyser).connect(this.context.destination);
    this.heard = new Float32Array(this.analyser.fftSize);
    this.queue.port.onmessage = ({ data }) => {
      if (data.id !== this.id) return;
      this.onPlace(data.nPlayed / this.rateHz, data.isWaiting);
      if (data.isOver) this.ended();
    };
  }

  begin(onEnd) {
    this.id += 1;
    this.ended = onEnd;
    this.queue.port.postMessage({ kind: "begin", id: this.id });
  }

  push(block) { this.queue.port.postMessage({ kind: "block", id: this.id, block }); }
  finish() { this.queue.port.postMessage({ kind: "end", id: this.id }); }

  stop() {
    this.id += 1;
    this.queue?.port.postMessage({ kind: "begin", id: this.id });
    this.queue?.port.postMessage({ kind: "end", id: this.id });
  }

  // Level of what has just come out of the worklet, dBFS.
  measureDbfs() {
    if (!this.analyser) return -Infinity;
    this.analyser.getFloatTimeDomainData(this.heard);
    return 10 * Math.log10(this.heard.reduce((sum, one) => sum + one * one, 0) / this.heard.length);
  }
}
