// The page: what the server knows, what is asked of it, and what is heard.

import { Form } from "/form.js";
import { SoundMap } from "/map.js";
import { LONGEST_S, Player } from "/player.js";

const ASKED_EVERY_MS = 100; // while a job runs
const MAP_AFTER_MS = 2000; // of quiet
const LOOKED_EVERY_MS = 4000; // for what another page made
const MOVED_EVERY_MS = 30; // the cursor; the machine has sound to make meanwhile
const TOLD_EVERY_MS = 250; // the place in words
const SHOWN_AT_ONCE = 30;
const N_COLOURS = 8;
const tab = crypto.randomUUID();
const $ = (id) => document.getElementById(id);

const page = {
  command: "", // that starts the server
  run: "", // id of the run that is shown
  info: null,
  sounds: [],
  shown: SHOWN_AT_ONCE,
  heard: { a: null, b: null }, // descriptions of the sounds in the two slots
  job: "",
  draft: { is: false, id: "" }, // the sound that was made by moving a slider
  told: 0,
};

async function ask(path, { method = "GET", body, raw } = {}) {
  const options = { method };
  if (body !== undefined) Object.assign(options, { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  if (raw !== undefined) Object.assign(options, { body: raw, headers: { "Content-Type": "application/octet-stream" } });
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    const again = page.command ? `start it again with ${page.command}` : "start it again";
    throw new Error(raw === undefined ? `The server does not answer: ${again}.` : "The sound was not taken: it is too large, or the server has ended.");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw new Error(told.error ?? `The server answered ${response.status}.`);
}

const askJson = async (path, options) => (await ask(path, options)).json();
const inRun = (path) => `/api/runs/${page.run}/${path}`;

function say(error) {
  $("say-words").textContent = error.message ?? String(error);
  $("say").hidden = false;
}

function hush() { $("say").hidden = true; }

// Runs what a person asked for; what goes wrong is said.
function safely(action) {
  return async (...given) => {
    try { await action(...given); } catch (error) { say(error); }
  };
}

// --- runs -----------------------------------------------------------------------------------------------------------

async function listRuns() {
  const { runs, command } = await askJson("/api/runs");
  page.command = command;
  $("run").replaceChildren(...runs.map((run) => new Option(run.name, run.id, false, run.is_chosen)));
  await openRun($("run").value);
}

async function openRun(id) {
  hush();
  page.run = id;
  $("fields").disabled = true;
  $("state").textContent = "opening the model …";
  const job = await askJson(inRun("open"), { method: "POST", body: { tab } });
  const ended = await follow(job.id, () => {});
  if (page.run !== id) return;
  if (ended.state !== "done") { $("state").textContent = "not open"; throw new Error(ended.words || "The run was not opened."); }
  page.info = await askJson(`/api/runs/${id}`);
  form.build(page.info);
  for (const slot of ["a", "b"]) { page.heard[slot] = null; player.put(slot, null); }
  $("fields").disabled = false;
  $("state").textContent = "ready";
  $("folder").textContent = `They lie in ${page.info.folder}`;
  $("no-controls").hidden = !page.info.can_try_controls;
  offerMap();
  await listSounds();
  showPlayer();
}

// The map takes the processor for some seconds, the first time: it waits until a sound was made, or somebody comes to it.
function offerMap() {
  $("map-section").hidden = !page.info.has_map;
  page.mapOf = "";
  map.show([], page.run);
}

function showMapSoon() {
  setTimeout(safely(() => (page.job || player.isPlaying ? showMapSoon() : showMap())), MAP_AFTER_MS);
}

async function showMap() {
  const run = page.run;
  if (!page.info?.has_map || page.mapOf === run) return;
  page.mapOf = run;
  $("map-point").textContent = "laying out the map …";
  const { places } = await askJson(inRun("map"));
  if (page.run !== run) return;
  $("map-point").textContent = "";
  map.show(places, run);
}

// --- jobs -----------------------------------------------------------------------------------------------------------

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function follow(id, onStep) {
  for (;;) {
    const job = await askJson(`/api/jobs/${id}`);
    onStep(job);
    if (!["waiting", "running"].includes(job.state)) return job;
    await wait(ASKED_EVERY_MS);
  }
}

async function make({ isDraft = false, walk } = {}) {
  hush();
  const replaces = isDraft && page.draft.is ? page.draft.id : "";
  const settings = form.settings();
  if (walk) settings.mode = "walk";
  if (isDraft) settings.n = 1;
  const asked = { settings, sources: form.sources, tab, is_draft: isDraft, replaces, ...(walk ? { walk } : {}) };
  const job = await askJson(inRun("jobs"), { method: "POST", body: asked });
  page.job = job.id;
  $("stop").disabled = false;
  const ended = await follow(job.id, (step) => { if (page.job === job.id) showProgress(step); });
  if (page.job === job.id) {
    page.job = "";
    $("stop").disabled = true;
    $("progress").hidden = true;
    $("doing").textContent = { done: "", stopped: "stopped", failed: "", superseded: "" }[ended.state];
  }
  if (ended.state === "failed") throw new Error(ended.words);
  if (ended.state !== "done" || ended.made.length === 0) return;
  await load(ended.made[0], player.slot, { isNew: true });
  page.draft = { is: isDraft, id: isDraft ? ended.made[0] : "" };
  await listSounds();
  if (!isDraft) showMapSoon();
}

function showProgress(job) {
  $("progress").hidden = false;
  if (job.state === "waiting") $("doing").textContent = "waiting for another job to end";
  else if (job.n) {
    const length = Number(form.settings().duration_s) || 0;
    $("progress").value = (job.number - 1 + (length ? Math.min(1, job.made_s / length) : 0)) / job.n;
    $("doing").textContent = job.n > 1 ? `sound ${job.number} of ${job.n}` : "making the sound";
  } else $("doing").textContent = `${job.words || "beginning"} …`;
}

// Sliders for what sound was seen to follow; until then there are none.
async function tryControls() {
  const run = page.run;
  $("try-controls").disabled = true;
  try {
    const job = await askJson(inRun("controls"), { method: "POST", body: { tab } });
    page.job = job.id;
    $("stop").disabled = false;
    const ended = await follow(job.id, (step) => { if (page.job === job.id) showProgress(step); });
    if (page.job === job.id) { page.job = ""; $("stop").disabled = true; $("progress").hidden = true; $("doing").textContent = ended.state === "stopped" ? "stopped" : ""; }
    if (ended.state === "failed") throw new Error(ended.words);
    if (ended.state !== "done" || page.run !== run) return;
    page.info = await askJson(`/api/runs/${run}`);
    form.build(page.info);
    $("no-controls").hidden = true;
    say("The controls were tried: there are sliders for them.");
  } finally { $("try-controls").disabled = false; }
}

async function stop() {
  if (page.job) await ask(`/api/jobs/${page.job}`, { method: "DELETE" });
}

// A slider was moved: while its sound plays, that is made anew.
async function onMove() {
  const sound = page.heard[player.slot];
  if (!player.isPlaying || !sound || sound.is_foreign) return;
  if (sound.number !== 1) { $("doing").textContent = "this is not the first sound of its call: make it alone to move controls while it plays"; return; }
  await make({ isDraft: true });
}

// --- sounds ---------------------------------------------------------------------------------------------------------

async function listSounds() {
  const { sounds, notices } = await askJson(inRun("sounds"));
  const before = JSON.stringify(page.sounds.map((sound) => sound.id));
  page.sounds = sounds;
  if (before !== JSON.stringify(sounds.map((sound) => sound.id)) || $("history").childElementCount === 0) showHistory();
  if (notices.length > page.told) say(notices.slice(page.told).join(" "));
  page.told = notices.length;
  form.setSources([...page.info.sources, ...sounds.slice(0, 12).map((sound) => ({ id: sound.id, name: sound.title, kind: "made" }))]);
}

async function load(id, slot, { isNew = false } = {}) {
  const run = page.run;
  const sound = await askJson(inRun(`sounds/${id}`));
  if (sound.duration_s > LONGEST_S) throw new Error(`${sound.title} is longer than ${LONGEST_S} s: download it to hear it.`);
  const bytes = await (await ask(inRun(`sounds/${id}/wav`))).arrayBuffer();
  const buffer = await player.decode(bytes);
  if (run !== page.run) return;
  page.heard[slot] = sound;
  if (!isNew) { page.draft = { is: false, id: "" }; form.fill(sound.settings, sound.given); }
  player.put(slot, buffer);
  if (isNew && $("auto").checked && !player.isPlaying) { player.seek(0); await player.play(); }
  showPlayer();
}

function makeButton(words, label, action) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = words;
  if (label) button.setAttribute("aria-label", label);
  button.addEventListener("click", safely(action));
  return button;
}

function showHistory() {
  $("count").textContent = page.sounds.length ? `(${page.sounds.length})` : "";
  const focused = document.activeElement?.closest?.("#history li")?.dataset.sound;
  $("history").replaceChildren(...page.sounds.slice(0, page.shown).map(describe));
  if (focused) $("history").querySelector(`[data-sound="${focused}"] .title`)?.focus();
  $("more").hidden = page.sounds.length <= page.shown;
  if (!page.sounds.length) {
    const none = document.createElement("li");
    none.className = "dim";
    none.textContent = "nothing yet";
    $("history").append(none);
  }
}

function describe(sound) {
  const item = document.createElement("li");
  item.dataset.sound = sound.id;
  const row = document.createElement("div");
  row.className = "row";
  const title = makeButton(sound.title, "", () => load(sound.id, player.slot));
  title.className = "title";
  const facts = document.createElement("span");
  facts.className = "facts dim";
  facts.textContent = [`${sound.duration_s.toFixed(1)} s`, sound.is_kept ? "kept" : "", sound.sources.length ? `from ${sound.sources.join(" and ")}` : ""].filter(Boolean).join(", ");
  const wav = document.createElement("a");
  Object.assign(wav, { className: "button", textContent: sound.file.split(".").pop().toUpperCase(), href: inRun(`sounds/${sound.id}/wav`), download: sound.file });
  wav.setAttribute("aria-label", `download ${sound.title}`);
  row.append(title, facts, makeButton("A", `${sound.title} as A`, () => load(sound.id, "a")), makeButton("B", `${sound.title} as B`, () => load(sound.id, "b")), wav);
  if (!sound.is_kept) row.append(makeButton("keep", `keep ${sound.title}`, () => keep(sound)));
  row.append(makeButton("forget", `forget ${sound.title}`, () => forget(sound)));
  const how = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = "how it is made again";
  const command = document.createElement("pre");
  command.textContent = sound.missing_source ? `${sound.command}\n# source: say where ${sound.missing_source} lies; the page has only borrowed it` : sound.command;
  how.append(summary, command);
  item.append(row, how);
  return item;
}

async function keep(sound) {
  const { folder } = await askJson(inRun(`sounds/${sound.id}/keep`), { method: "POST", body: {} });
  if (page.draft.id === sound.id) page.draft = { is: false, id: "" };
  $("doing").textContent = `kept in ${folder}`;
  await listSounds();
}

async function forget(sound) {
  await ask(inRun(`sounds/${sound.id}`), { method: "DELETE" });
  for (const slot of ["a", "b"]) {
    if (page.heard[slot]?.id === sound.id) { page.heard[slot] = null; player.put(slot, null); }
  }
  $("doing").textContent = `${sound.title} is forgotten`;
  await listSounds();
}

// --- the player -----------------------------------------------------------------------------------------------------

function showPlayer() {
  const sound = page.heard[player.slot];
  for (const slot of ["a", "b"]) {
    const button = $(`slot-${slot}`);
    button.setAttribute("aria-pressed", String(player.slot === slot));
    button.querySelector("span").textContent = page.heard[slot]?.title ?? "nothing yet";
  }
  $("play").textContent = player.isPlaying ? "pause" : "play";
  $("loop").setAttribute("aria-pressed", String(player.isLoop));
  for (const id of ["play", "forget"]) $(id).disabled = !sound;
  $("keep").disabled = !sound || sound.is_kept;
  $("empty").hidden = Boolean(sound);
  $("picture").hidden = $("cursor").hidden = $("download").hidden = !sound;
  $("place").setAttribute("aria-disabled", String(!sound));
  $("place").setAttribute("aria-valuemax", player.length.toFixed(2));
  if (sound && $("picture").dataset.sound !== sound.id) {
    $("picture").dataset.sound = sound.id;
    $("picture").src = inRun(`sounds/${sound.id}/picture`);
    $("picture").alt = `spectrogram of ${sound.title}`;
    $("download").href = inRun(`sounds/${sound.id}/wav`);
    $("download").download = sound.file;
    $("download").setAttribute("aria-label", `download ${sound.title}`);
  }
  showSources(sound);
  followPlace();
}

function showSources(sound) {
  const stretches = sound?.provenance?.stretches ?? [];
  const shares = sound?.provenance?.shares ?? {};
  const names = Object.keys(shares).filter((name) => shares[name] >= 0.02).slice(0, 12);
  $("made-of").hidden = names.length === 0;
  if ($("strip").dataset.sound === (sound?.id ?? "")) return;
  $("strip").dataset.sound = sound?.id ?? "";
  $("strip").replaceChildren(...stretches.map((stretch) => {
    const part = document.createElement("i");
    part.style.left = `${(100 * stretch.start_s) / player.length}%`;
    part.style.width = `${(100 * (stretch.end_s - stretch.start_s)) / player.length}%`;
    part.style.setProperty("--colour", colourOf(names.indexOf(stretch.sources[0].recording)));
    part.title = stretch.sources.map((source) => `${source.recording} ${Math.round(100 * source.share)} %`).join(", ");
    return part;
  }));
  $("legend").replaceChildren(...names.map((name, index) => {
    const item = document.createElement("li");
    const first = stretches.find((stretch) => stretch.sources[0].recording === name);
    const where = first?.sources[0].at_s ?? 0;
    const button = makeButton("", "", () => hearPiece(name, where));
    button.disabled = !(name in page.info.recordings);
    button.title = button.disabled ? "the recording is not known here" : "hear the recording";
    const mark = document.createElement("i");
    mark.style.setProperty("--colour", colourOf(index));
    const words = document.createElement("span");
    words.className = "name";
    words.textContent = name;
    const share = document.createElement("span");
    share.className = "dim";
    share.textContent = `${Math.round(100 * shares[name])} %`;
    button.append(mark, words, share);
    item.append(button);
    return item;
  }));
}

function colourOf(index) {
  return index < 0 ? "#888" : `hsl(${(index * 360) / N_COLOURS + 200} ${index < N_COLOURS ? 55 : 25}% 55%)`;
}

async function hearPiece(name, start_s, length_s = 2) {
  const id = page.info.recordings[name];
  if (!id) throw new Error(`${name} is not known here.`);
  const query = new URLSearchParams({ start_s: String(start_s), length_s: String(length_s) });
  await player.hear(await (await ask(`${inRun(`pieces/${id}`)}?${query}`)).arrayBuffer());
}

function moveCursor() {
  $("cursor").style.transform = `translateX(${player.length ? (100 * player.place) / player.length : 0}%)`;
}

function showPlace() {
  const { place, length } = player;
  moveCursor();
  $("time").textContent = `${place.toFixed(1)} of ${length.toFixed(1)} s`;
  $("place").setAttribute("aria-valuenow", place.toFixed(2));
  $("place").setAttribute("aria-valuetext", `${place.toFixed(1)} seconds of ${length.toFixed(1)}`);
}

let isMoving = false;

// The cursor goes along while something is heard; there is one such round at a time.
function followPlace() {
  showPlace();
  if (isMoving) return;
  isMoving = true;
  let moved = 0, told = 0;
  const step = (now) => {
    isMoving = player.isPlaying;
    if (now - told >= TOLD_EVERY_MS || !isMoving) { showPlace(); told = moved = now; }
    else if (now - moved >= MOVED_EVERY_MS) { moveCursor(); moved = now; }
    if (isMoving) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

function seekTo(event) {
  const { left, width } = $("place").getBoundingClientRect();
  player.seek(((event.clientX - left) / width) * player.length);
}

const toggle = () => (player.isPlaying ? player.pause() : player.play());

// --- giving sounds --------------------------------------------------------------------------------------------------

async function give(file) {
  hush();
  $("doing").textContent = `taking ${file.name} …`;
  try {
    const { id } = await askJson(`/api/uploads?${new URLSearchParams({ name: file.name })}`, { method: "POST", raw: file });
    page.info = await askJson(`/api/runs/${page.run}`);
    await listSounds();
    form.choose(id);
    $("doing").textContent = `${file.name} is there; it is removed when the server ends`;
  } catch (error) {
    $("doing").textContent = "";
    throw error;
  }
}

function makeGiveRow() {
  const row = document.createElement("div");
  row.className = "field give";
  const label = document.createElement("label");
  label.htmlFor = "give";
  label.textContent = "or give a sound (or drop it on the page)";
  const input = document.createElement("input");
  Object.assign(input, { type: "file", id: "give", accept: "audio/*,.aif,.aiff,.flac,.ogg,.wav,.mp3" });
  input.addEventListener("change", safely(async () => { if (input.files.length) await give(input.files[0]); input.value = ""; }));
  row.append(label, input);
  return row;
}

// --- all together ---------------------------------------------------------------------------------------------------

const player = new Player(showPlayer);
const form = new Form({ mode: $("mode-row"), source: $("source-row"), controls: $("controls"), keys: $("keys") }, makeGiveRow(), safely(onMove));
const map = new SoundMap($("map"), $("map-point"), safely((place) => place.name in page.info.recordings && hearPiece(place.name, place.start_s, 1)), (path) => {
  $("walk").disabled = path.length < 2;
  $("clear-path").disabled = path.length === 0;
});

const makeAnother = async () => { form.write("seed", form.value("seed") + 1); await make(); };
const keepHeard = async () => { const sound = page.heard[player.slot]; if (sound && !sound.is_kept) await keep(sound); };
const swap = () => player.choose(player.slot === "a" ? "b" : "a");
const onClick = (id, action) => $(id).addEventListener("click", safely(action));

$("form").addEventListener("submit", (event) => { event.preventDefault(); safely(make)(); });
$("run").addEventListener("change", safely(() => { player.pause(); return openRun($("run").value); }));
onClick("another", makeAnother);
onClick("stop", stop);
onClick("play", toggle);
onClick("loop", () => player.setLoop(!player.isLoop));
onClick("swap", swap);
onClick("slot-a", () => player.choose("a"));
onClick("slot-b", () => player.choose("b"));
onClick("keep", keepHeard);
onClick("forget", () => forget(page.heard[player.slot]));
onClick("more", () => { page.shown += SHOWN_AT_ONCE; showHistory(); });
for (const kind of ["pointerenter", "focusin"]) $("map-section").addEventListener(kind, safely(showMap));
onClick("try-controls", tryControls);
onClick("walk", () => make({ walk: map.path }));
onClick("clear-path", () => map.clear());
onClick("say-close", hush);
onClick("help", () => $("keys-dialog").showModal());

$("place").addEventListener("pointerdown", (event) => { $("place").setPointerCapture(event.pointerId); seekTo(event); });
$("place").addEventListener("pointermove", (event) => { if (event.buttons) seekTo(event); });
$("place").addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -0.5, ArrowRight: 0.5, PageDown: -2, PageUp: 2 }[event.key];
  if (step) player.seek(player.place + step);
  else if (event.key === "Home") player.seek(0);
  else if (event.key === "End") player.seek(player.length);
  else return;
  event.preventDefault();
});

const shortcuts = {
  " ": toggle, x: swap, l: () => player.setLoop(!player.isLoop), m: () => make(), n: makeAnother, s: stop, k: keepHeard,
  "?": () => $("keys-dialog").showModal(),
};
document.addEventListener("keydown", (event) => {
  const target = event.target;
  const isTyping = target.matches("input:not([type=range], [type=checkbox]), select, textarea") || target.closest("dialog");
  const isPressing = event.key === " " && target.matches("button, a, summary, input");
  if (isTyping || isPressing || event.ctrlKey || event.metaKey || event.altKey || !(event.key in shortcuts)) return;
  if ($("fields").disabled && event.key !== "?") return;
  event.preventDefault();
  safely(shortcuts[event.key])();
});

document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  const [file] = event.dataTransfer.files;
  if (file && page.info) safely(give)(file);
});

setInterval(() => { if (page.info?.is_open && !page.job && !document.hidden) listSounds().catch(() => {}); }, LOOKED_EVERY_MS);
safely(listRuns)();
