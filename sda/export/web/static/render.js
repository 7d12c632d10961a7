// Latents to sound, stretch by stretch: each is decoded with what lies around it, which is cut off again.

import { drawNoise } from "./noise.js";

const FIRST_LATENTS = 16; // few, so that something is heard soon
const STRETCH_LATENTS = 64;

// job: latents (row after row), nSamples, seed; noise, all of it, where it is not to be drawn; moreNoise, one a latent.
export async function* renderStretches(ort, session, card, fadeS, job) {
  const { latent_dim: nDims, hop_samples: hop } = card;
  const nLatents = job.latents.length / nDims, context = card.decoder.context_latents;
  const nFade = Math.min(Math.round(fadeS * card.sample_rate_hz), Math.floor(job.nSamples / 2));
  for (let first = 0, size = FIRST_LATENTS; first * hop < job.nSamples; first += size, size = STRETCH_LATENTS) {
    const begin = Math.max(0, first - context), end = Math.min(nLatents, first + size + context);
    const inputs = takeInputs(ort, session, card, job, begin, end);
    const { waveform } = await session.run(inputs);
    const from = (first - begin) * hop, nLeft = Math.min(size * hop, job.nSamples - first * hop);
    const block = waveform.data.slice(from, from + nLeft);
    fadeEnds(block, first * hop, job.nSamples, nFade);
    yield block;
  }
}

function takeInputs(ort, session, card, job, begin, end) {
  const { latent_dim: nDims, hop_samples: hop } = card, nLatents = end - begin;
  const latents = new Float32Array(nDims * nLatents);
  for (let place = 0; place < nLatents; place += 1) {
    for (let dim = 0; dim < nDims; dim += 1) latents[dim * nLatents + place] = job.latents[(begin + place) * nDims + dim];
  }
  const inputs = { latents: new ort.Tensor("float32", latents, [1, nDims, nLatents]) };
  if (!session.inputNames.includes("noise")) return inputs;
  const nNoise = nLatents * hop + card.decoder.n_noise_beyond;
  const noise = job.noise?.slice(begin * hop, begin * hop + nNoise) ?? drawNoise(job.seed, begin * hop, nNoise);
  const more = job.moreNoise?.slice(begin, end) ?? new Float32Array(nLatents);
  inputs.noise = new ort.Tensor("float32", noise, [1, nNoise]);
  inputs.more_noise = new ort.Tensor("float32", more, [1, nLatents]);
  return inputs;
}

function fadeEnds(block, first, nSamples, nFade) {
  for (let index = 0; index < block.length; index += 1) {
    const fromEnd = Math.min(first + index, nSamples - 1 - first - index);
    if (fromEnd < nFade) block[index] *= Math.max(0, fromEnd) / nFade;
  }
}
