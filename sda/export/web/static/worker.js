// The model at work beside the page: one sound at a time, the newest.

import * as ort from "./vendor/onnxruntime-web/ort.wasm.min.mjs";
import { renderStretches } from "./render.js";

ort.env.wasm.numThreads = 1; // more would need headers that a plain server of files does not send
ort.env.wasm.wasmPaths = new URL("./vendor/onnxruntime-web/", import.meta.url).href;

let session = null, card = null, fadeS = 0, newest = 0;

async function load(message) {
  ({ card, fadeS } = message);
  const answer = await fetch(message.address);
  if (!answer.ok) throw new Error(`${message.address} is missing (${answer.status})`);
  session = await ort.InferenceSession.create(await answer.arrayBuffer(), { executionProviders: ["wasm"] });
}

async function render({ id, job }) {
  for await (const block of renderStretches(ort, session, card, fadeS, job)) {
    if (id !== newest) return;
    postMessage({ id, block }, [block.buffer]);
    await new Promise((resolve) => setTimeout(resolve)); // a newer sound, or a stop, is noticed here
  }
}

onmessage = async ({ data }) => {
  const { id, kind } = data;
  newest = id;
  try {
    if (kind === "load") await load(data);
    if (kind === "render") await render(data);
    postMessage({ id, isDone: true });
  } catch (error) {
    postMessage({ id, fault: String(error.message ?? error) });
  }
};
