// One sound at a time, sample by sample: two slots that are switched at the same place, a loop without a gap.

export const LONGEST_S = 600; // longer sounds are only to be downloaded
const FADE_S = 0.012;

export class Player {
  constructor(onChange) {
    this.onChange = onChange;
    this.context = null;
    this.buffers = { a: null, b: null };
    this.slot = "a";
    this.isLoop = false;
    this.source = null; // what is heard
    this.begun = 0; // time of the context at which place 0 would have been
    this.rest = 0; // place while nothing is heard
  }

  get buffer() { return this.buffers[this.slot]; }
  get isPlaying() { return this.source !== null; }
  get length() { return this.buffer ? this.buffer.duration : 0; }

  get place() {
    if (!this.isPlaying) return Math.min(this.rest, this.length);
    const place = Math.max(0, this.context.currentTime - this.begun);
    return this.isLoop ? place % this.length : Math.min(place, this.length);
  }

  open() {
    this.context ??= new AudioContext();
    return this.context;
  }

  async decode(bytes) { return this.open().decodeAudioData(bytes); }

  // Another sound in a slot; where that is heard, it goes on at the same place.
  put(slot, buffer) {
    const place = this.place;
    this.buffers[slot] = buffer;
    if (slot === this.slot) this.goOn(place);
    this.onChange();
  }

  choose(slot) {
    const place = this.place;
    this.slot = slot;
    this.goOn(place);
    this.onChange();
  }

  setLoop(isLoop) {
    const place = this.place;
    this.isLoop = isLoop;
    this.goOn(place);
    this.onChange();
  }

  async play() {
    if (!this.buffer) return;
    await this.open().resume();
    this.start(this.rest >= this.length - 0.01 ? 0 : this.rest);
    this.onChange();
  }

  pause() {
    this.rest = this.place;
    this.silence();
    this.onChange();
  }

  seek(place) {
    const wanted = Math.min(Math.max(0, place), this.length);
    if (this.isPlaying) this.start(Math.min(wanted, Math.max(0, this.length - 0.001)));
    else this.rest = wanted;
    this.onChange();
  }

  goOn(place) {
    if (!this.isPlaying) { this.rest = Math.min(place, this.length); return; }
    if (!this.buffer) { this.pause(); return; }
    if (this.isLoop) this.start(place % this.length);
    else if (place < this.length) this.start(place);
    else { this.silence(); this.rest = this.length; }
  }

  start(place) {
    this.silence();
    const now = this.context.currentTime;
    const source = this.context.createBufferSource();
    const gain = this.context.createGain();
    source.buffer = this.buffer;
    source.loop = this.isLoop;
    gain.gain.setValueAtTime(0, now);
    gain.gain.linearRampToValueAtTime(1, now + FADE_S);
    source.connect(gain).connect(this.context.destination);
    source.addEventListener("ended", () => {
      if (this.source !== source) return;
      this.rest = this.length;
      this.source = null;
      this.onChange();
    });
    source.start(now, place);
    this.begun = now - place;
    this.source = source;
    this.gain = gain;
  }

  silence() {
    if (!this.source) return;
    const { source, gain } = this;
    this.source = null;
    const now = this.context.currentTime;
    gain.gain.cancelScheduledValues(now);
    gain.gain.setValueAtTime(gain.gain.value, now);
    gain.gain.linearRampToValueAtTime(0, now + FADE_S);
    source.stop(now + FADE_S);
  }

  // A moment of something else, beside what is heard.
  async hear(bytes) {
    await this.open().resume();
    const source = this.context.createBufferSource();
    source.buffer = await this.decode(bytes);
    this.moment?.stop();
    this.moment = source;
    source.connect(this.context.destination);
    source.start();
  }
}
