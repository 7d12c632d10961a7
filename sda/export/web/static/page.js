// The page: new sounds, the walk over the map, what they are made of, and what the page holds.

import { Engine } from "./engine.js";
import { SoundMap } from "./map.js";
import { Player } from "./player.js";
import { loadSounds } from "./sounds.js";
import { makeRandom, walk } from "./walk.js";
import { encodeWav } from "./wav.js";

const LEAST_SHARE = 0.02;
const find = (id) => document.getElementById(id);
const engine = new Engine();
let sounds = null, player = null, map = null;
let sound = null; // what was asked for last: its title, its stretches so far, what it is made of
let isPlaying = false;

function say(text) { find("say").textContent = text; find("say").hidden = !text; }

async function start() {
  sounds = await loadSounds();
  const { card, facts } = sounds;
  describe(card, facts);
  await engine.load(card, facts.fade_s);
  player = new Player(card.sample_rate_hz, showPlace);
  find("state").textContent = "ready";
  find("main").hidden = false;
  find("another").disabled = facts.paths.length === 0;
  if (sounds.map) showMap();
  followLevel();
}

function describe(card, facts) {
  find("name").textContent = document.title = card.name;
  find("facts").textContent = `${card.sample_rate_hz / 1000} kHz, mono`;
  const lines = [
    `This page holds the model and, as latents, what it remembers of ${facts.names.length} recordings: their sound in compressed form. What is heard here is made of them, and their owners' rights go with it.`,
    `Licence: ${card.license}`,
    `"Another sound" chooses one of ${facts.paths.length} paths that the model's prior drew when the page was made, by chance; the page draws none itself. The sound is made here, from the path.`,
    "A walk plays passages of the recordings as the model has them, one after the other, as they lie along the path.",
    `Everything runs in this browser: nothing is sent anywhere, and no network is needed. The sound differs from that of sda itself by ${card.agreement.decoder_error_db} dB or less where it was compared.`,
    "Made with sda (MIT); the model is run by ONNX Runtime (MIT), whose licence lies in vendor/onnxruntime-web.",
  ];
  find("about").replaceChildren(...lines.map((line) => makeItem(line)));
}

function makeItem(...texts) {
  const item = document.createElement("li");
  item.append(...texts.map((text) => Object.assign(document.createElement("span"), { textContent: text })));
  return item;
}

// A sound as the model is asked for it, and what of it is made of which recording.
async function make(next) {
  sound = { ...next, blocks: [], isWhole: false };
  const own = sound;
  say("");
  find("title").textContent = own.title;
  showSources(own.shares);
  find("download").disabled = true;
  find("play").disabled = false;
  const isHeard = await player.open();
  if (own !== sound) return;
  if (!isHeard) say("This browser found nothing to play sound on. The sound is made all the same, and can be downloaded.");
  play();
  const isWhole = await engine.render(own.job, (block) => {
    own.blocks.push(block);
    if (own === sound && isPlaying) player.push(block);
  });
  if (!isWhole || own !== sound) return;
  own.isWhole = true;
  find("download").disabled = false;
  if (isPlaying) player.finish();
}

function play() {
  isPlaying = true;
  showPlay();
  player.begin(onEnd);
  for (const block of sound.blocks) player.push(block);
  if (sound.isWhole) player.finish();
}

function stop() {
  isPlaying = false;
  player.stop();
  showPlay();
}

function onEnd() {
  stop();
  if (find("on").checked) makeNew();
}

function showPlay() { find("play").firstChild.textContent = isPlaying ? "stop " : "play "; }

function makeNew() {
  const { paths } = sounds.facts;
  const path = paths[Math.floor(Math.random() * paths.length)];
  const { seed, n_samples: nSamples } = path;
  const stretches = path.made_of.stretches ?? [];
  return make({
    title: `new sound ${path.number}`,
    job: { latents: sounds.takePath(path), seed, nSamples },
    shares: Object.entries(path.made_of.shares ?? {}),
    lengthS: nSamples / sounds.card.sample_rate_hz,
    tell: (timeS) => stretches.find((one) => timeS < one.end_s)?.sources[0],
  });
}

function makeWalk() {
  if (!map.path.length) return null;
  const { card, facts } = sounds, { hop_samples: hop } = card;
  const seconds = Math.min(120, Math.max(1, Number(find("seconds").value) || 10));
  const nSamples = Math.round(seconds * card.sample_rate_hz), nPoints = Math.ceil(nSamples / hop);
  const seed = Math.floor(Math.random() * 2 ** 31);
  const walked = walk(sounds.map, spread(map.path, seconds), nPoints, makeRandom(seed));
  const counts = new Map();
  for (const owner of walked.owners) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  const shares = [...counts].map(([owner, n]) => [facts.names[owner], n / nPoints]).sort((one, other) => other[1] - one[1]);
  return make({
    title: `walk of ${seconds} s`,
    job: { latents: walked.latents, seed, nSamples },
    shares,
    lengthS: seconds,
    tell: (timeS) => {
      const point = Math.min(nPoints - 1, Math.floor(timeS / facts.hop_s));
      return { recording: facts.names[walked.owners[point]], at_s: Math.max(0, walked.starts[point] * facts.hop_s) };
    },
  });
}

// The path at one speed: points with their times.
function spread(path, seconds) {
  const until = [0];
  for (let index = 1; index < path.length; index += 1) {
    until.push(until[index - 1] + Math.hypot(path[index][0] - path[index - 1][0], path[index][1] - path[index - 1][1]));
  }
  const length = until[until.length - 1] || 1;
  return path.map(([x, y], index) => [(until[index] / length) * seconds, x, y]);
}

function showSources(shares) {
  const named = shares.filter(([, share]) => share >= LEAST_SHARE);
  const items = named.map(([name, share]) => makeItem(name, `${Math.round(100 * share)} %`));
  find("sources").replaceChildren(...(items.length ? items : [makeItem("not known with this model")]));
}

function showPlace(timeS, isWaiting) {
  if (!isPlaying) return;
  find("place").value = timeS / sound.lengthS;
  find("time").textContent = `${timeS.toFixed(1)} of ${sound.lengthS.toFixed(1)} s`;
  find("waiting").hidden = !isWaiting;
  const source = sound.tell(timeS);
  const at = source?.at_s === undefined ? "" : ` at ${source.at_s.toFixed(1)} s`;
  find("now").textContent = source ? `now most like ${source.recording}${at}` : "";
}

function followLevel() {
  const dbfs = player.measureDbfs();
  find("level").value = Math.max(-60, dbfs);
  requestAnimationFrame(followLevel);
}

function showMap() {
  const { facts } = sounds;
  find("map-box").hidden = false;
  map = new SoundMap(find("map"), {
    describe: (place) => { find("map-point").textContent = `${facts.names[place.recording]}, ${place.startS.toFixed(1)} s`; },
    onPath: (path) => {
      find("walk").disabled = find("clear").disabled = path.length === 0;
      find("map-point").textContent = `${path.length} ${path.length === 1 ? "point is" : "points are"} in the path`;
    },
    onWalk: () => attempt(makeWalk),
  });
  map.show(sounds.map.places);
}

function download() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(encodeWav(sound.blocks, sounds.card.sample_rate_hz));
  link.download = `${sounds.card.name} ${sound.title}.wav`.replace(/[^\w. -]/g, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function attempt(action) {
  try {
    await action();
  } catch (error) {
    say(`${error.message}. Reload the page; a recent Firefox, Chrome or Safari is needed.`);
  }
}

find("another").addEventListener("click", () => attempt(makeNew));
find("walk").addEventListener("click", () => attempt(makeWalk));
find("clear").addEventListener("click", () => map.setPath([]));
find("download").addEventListener("click", download);
find("play").addEventListener("click", () => (isPlaying ? stop() : play()));
document.addEventListener("keydown", (event) => {
  if (!player || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input")) return;
  if (event.key === "n" && !find("another").disabled) attempt(makeNew);
  else if (event.key === " " && sound && event.target.tagName !== "BUTTON") { event.preventDefault(); find("play").click(); }
});
attempt(start).then(() => { if (!sounds || find("main").hidden) find("state").hidden = true; });
