// Samples as a WAV file: mono, 16 bits.

export function encodeWav(blocks, rateHz) {
  const nSamples = blocks.reduce((sum, block) => sum + block.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * nSamples));
  const write = (place, text) => [...text].forEach((one, index) => view.setUint8(place + index, one.charCodeAt(0)));
  write(0, "RIFF");
  view.setUint32(4, 36 + 2 * nSamples, true);
  write(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // one channel
  view.setUint32(24, rateHz, true);
  view.setUint32(28, 2 * rateHz, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  write(36, "data");
  view.setUint32(40, 2 * nSamples, true);
  let place = 44;
  for (const block of blocks) {
    for (const sample of block) {
      view.setInt16(place, Math.round(Math.max(-1, Math.min(1, sample)) * 32767), true);
      place += 2;
    }
  }
  return new Blob([view.buffer], { type: "audio/wav" });
}
