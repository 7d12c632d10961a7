// A queue of stretches that is played as it is filled; where it is empty too early, it waits in silence.

const TOLD_EVERY = 16; // calls of 128 samples

class Queue extends AudioWorkletProcessor {
  constructor() {
    super();
    this.begin(0);
    this.port.onmessage = ({ data }) => {
      if (data.kind === "begin") this.begin(data.id);
      else if (data.id !== this.id) return;
      else if (data.kind === "block") this.blocks.push(data.block);
      else if (data.kind === "end") this.isWhole = true;
    };
  }

  begin(id) { Object.assign(this, { id, blocks: [], offset: 0, nPlayed: 0, nCalls: 0, isWhole: false, isOver: id === 0 }); }

  process(inputs, [[output]]) {
    let filled = 0;
    while (filled < output.length && this.blocks.length) {
      const [block] = this.blocks, n = Math.min(block.length - this.offset, output.length - filled);
      output.set(block.subarray(this.offset, this.offset + n), filled);
      filled += n;
      this.offset += n;
      if (this.offset === block.length) { this.blocks.shift(); this.offset = 0; }
    }
    this.nPlayed += filled;
    if (this.isOver) return true;
    this.isOver = this.isWhole && !this.blocks.length;
    if (this.isOver || (this.nCalls += 1) % TOLD_EVERY === 0) {
      const { id, nPlayed, isOver } = this;
      this.port.postMessage({ id, nPlayed, isOver, isWaiting: filled < output.length && !isOver });
    }
    return true;
  }
}

registerProcessor("queue", Queue);
