// White noise whose every sample follows from a seed and its place: sda/audio/noise.py, number for number.
// Philox4x64-10 (Salmon et al., SC 2011), then Box and Muller. Numbers of 64 bits are pairs of 32 bits, low one first.

const SAMPLES_PER_BLOCK = 8;
const TWO_32 = 2 ** 32;
const MULTIPLIERS = [[0xe14c6c93, 0xd2e7470e], [0x95121157, 0xca5a8263]];
const STEPS = [[0x7f4a7c15, 0x9e3779b9], [0x84caa73b, 0xbb67ae85]];

const product = new Uint32Array(4), otherProduct = new Uint32Array(4);

export function drawNoise(seed, first, nSamples) {
  const samples = new Float32Array(nSamples);
  const words = new Uint32Array(SAMPLES_PER_BLOCK);
  let block = Math.floor(first / SAMPLES_PER_BLOCK);
  for (let done = -(first % SAMPLES_PER_BLOCK); done < nSamples; done += SAMPLES_PER_BLOCK, block += 1) {
    drawBlock(seed, block + 1, words);
    for (let word = 0; word < 4; word += 1) {
      const radius = Math.sqrt(-2 * Math.log((words[2 * word + 1] + 0.5) / TWO_32));
      const angle = (2 * Math.PI * (words[2 * word] + 0.5)) / TWO_32;
      const place = done + 2 * word;
      if (place >= 0 && place < nSamples) samples[place] = radius * Math.cos(angle);
      if (place + 1 >= 0 && place + 1 < nSamples) samples[place + 1] = radius * Math.sin(angle);
    }
  }
  return samples;
}

// The four words of a counter, each as low and high half.
function drawBlock(seed, counter, words) {
  const [key, otherKey] = [split(seed), [0, 0]];
  words.fill(0);
  words.set(split(counter));
  for (let round = 0; round < 10; round += 1) {
    multiply(MULTIPLIERS[0], words[0], words[1], product);
    multiply(MULTIPLIERS[1], words[4], words[5], otherProduct);
    words[0] = otherProduct[2] ^ words[2] ^ key[0];
    words[1] = otherProduct[3] ^ words[3] ^ key[1];
    words[2] = otherProduct[0];
    words[3] = otherProduct[1];
    words[4] = product[2] ^ words[6] ^ otherKey[0];
    words[5] = product[3] ^ words[7] ^ otherKey[1];
    words[6] = product[0];
    words[7] = product[1];
    add(key, STEPS[0]);
    add(otherKey, STEPS[1]);
  }
}

const split = (number) => [number % TWO_32, Math.floor(number / TWO_32)];

function add(number, other) {
  const low = number[0] + other[0];
  number[0] = low % TWO_32;
  number[1] = (number[1] + other[1] + Math.floor(low / TWO_32)) % TWO_32;
}

// 64 by 64 bits, into four times 32.
function multiply(one, otherLow, otherHigh, written) {
  const low = one[0], high = one[1];
  const second = multiplyHigh(low, otherLow) + (Math.imul(low, otherHigh) >>> 0) + (Math.imul(high, otherLow) >>> 0);
  const third = multiplyHigh(low, otherHigh) + multiplyHigh(high, otherLow) + (Math.imul(high, otherHigh) >>> 0)
    + Math.floor(second / TWO_32);
  written[0] = Math.imul(low, otherLow);
  written[1] = second % TWO_32;
  written[2] = third % TWO_32;
  written[3] = multiplyHigh(high, otherHigh) + Math.floor(third / TWO_32);
}

// The upper half of 32 by 32 bits.
function multiplyHigh(one, other) {
  const low = one & 0xffff, high = one >>> 16, otherLow = other & 0xffff, otherHigh = other >>> 16;
  const middle = high * otherLow + ((low * otherLow) >>> 16);
  return high * otherHigh + (middle >>> 16) + ((low * otherHigh + (middle & 0xffff)) >>> 16);
}
