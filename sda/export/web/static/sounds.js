// What there is to play, read once: the card of the model, the new sounds, the map and the latents behind it.

const fetchModel = async (name) => {
  const answer = await fetch(new URL(`./model/${name}`, import.meta.url));
  if (!answer.ok) throw new Error(`model/${name} is missing (${answer.status})`);
  return answer;
};

const fetchNumbers = async (name, Kind) => new Kind(await (await fetchModel(name)).arrayBuffer());

export async function loadSounds() {
  const [card, facts] = await Promise.all(["model.json", "sounds.json"].map(async (name) => (await fetchModel(name)).json()));
  const paths = await fetchNumbers("paths.f32", Float32Array);
  const map = facts.map ? await loadMap(facts, card.latent_dim) : null;
  return { card, facts, map, takePath: (path) => takeRows(paths, path.first, path.n_latents, card.latent_dim) };
}

async function loadMap(facts, nDims) {
  const [latents, numbers] = await Promise.all([fetchNumbers("bank.f32", Float32Array), fetchNumbers("bank.i32", Int32Array)]);
  const [owner, place, goesOn, placeOf] = [0, 1, 2, 3].map((row) => takeRows(numbers, row, 1, facts.map.n_latents));
  const places = facts.map.places.map(([recording, startS, x, y, first]) => ({ recording, startS, x, y, first }));
  return { ...facts.map, places, nDims, latents, owner, place, goesOn, placeOf, hopS: facts.hop_s };
}

const takeRows = (values, first, n, size) => values.subarray(first * size, (first + n) * size);
