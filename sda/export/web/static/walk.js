// A walk over the map, as sda/generation/walk.py goes it: where the path goes, one passage plays for as long as it stays
// among the nearest, then another of them, the nearer the likelier.

// way: points [seconds, x, y] in the order of time; random: gives numbers in [0, 1).
// → latents row after row, and of each latent its recording, and where in it, in latents.
export function walk(map, way, nPoints, random) {
  return playStates(map, chooseStates(map, way, nPoints, random));
}

export function chooseStates(map, way, nPoints, random) {
  const states = new Int32Array(nPoints), recent = [];
  let state = -1, nPlayed = 0;
  for (let point = 0; point < nPoints; point += 1) {
    const near = findNearest(map, ...follow(way, point * map.hopS));
    const following = state >= 0 && map.goesOn[state] ? map.placeOf[state + 1] : -1;
    if (following >= 0 && (nPlayed < map.n_stay || near.some(({ index }) => index === following))) {
      state += 1;
      nPlayed += 1;
    } else {
      const place = state < 0 ? near[0].index : choose(near, recent, map.steepness, random);
      recent.push(place);
      if (recent.length > map.n_remembered) recent.shift();
      state = map.places[place].first;
      nPlayed = 1;
    }
    states[point] = state;
  }
  return states;
}

// Where the way is at a time: straight lines between its points.
export function follow(way, timeS) {
  const behind = way.findIndex(([atS]) => atS > timeS);
  if (behind === 0 || way.length === 1) return way[0].slice(1);
  if (behind < 0) return way[way.length - 1].slice(1);
  const [left, right] = [way[behind - 1], way[behind]];
  const share = (timeS - left[0]) / Math.max(right[0] - left[0], 1e-12);
  return [1, 2].map((axis) => left[axis] + share * (right[axis] - left[axis]));
}

function findNearest(map, x, y) {
  return map.places
    .map((place, index) => ({ index, distance: Math.hypot(place.x - x, place.y - y) }))
    .sort((one, other) => one.distance - other.distance)
    .slice(0, map.n_nearest);
}

function choose(near, recent, steepness, random) {
  const farthest = Math.max(near[near.length - 1].distance, 1e-9);
  let likely = near.map(({ index, distance }) => (recent.includes(index) ? 0 : Math.exp((-steepness * distance) / farthest)));
  if (!likely.some((one) => one > 0)) likely = near.map(({ distance }) => Math.exp((-steepness * distance) / farthest));
  let left = random() * likely.reduce((sum, one) => sum + one, 0);
  for (const [rank, one] of likely.entries()) {
    left -= one;
    if (left < 0 && one > 0) return near[rank].index;
  }
  return near[likely.findLastIndex((one) => one > 0)].index;
}

// Passages go over into each other within a few latents: sda/generation/passages.py.
export function playStates(map, states) {
  const { nDims, latents: bank, n_join: nJoin } = map;
  const latents = new Float32Array(states.length * nDims);
  let last = -1, old = -1, nLeft = 0;
  states.forEach((state, point) => {
    if (last >= 0 && !(state === last + 1 && map.goesOn[last])) [old, nLeft] = [last, nJoin - 1];
    else if (nLeft) nLeft -= 1;
    let share = 1;
    if (nLeft && old >= 0) {
      old += map.goesOn[old];
      share = 1 - nLeft / nJoin;
    }
    for (let dim = 0; dim < nDims; dim += 1) {
      const from = share < 1 ? bank[old * nDims + dim] : 0, to = bank[state * nDims + dim];
      latents[point * nDims + dim] = share < 1 ? from + share * (to - from) : to;
    }
    last = state;
  });
  return { latents, owners: Int32Array.from(states, (one) => map.owner[one]), starts: Int32Array.from(states, (one) => map.place[one]) };
}

// Numbers in [0, 1) that follow from a seed: a counter whose bits are mixed (Steele et al., "Fast Splittable
// Pseudorandom Number Generators", OOPSLA 2014, in 32 bits).
export function makeRandom(seed) {
  let counter = seed >>> 0;
  return () => {
    counter = (counter + 0x9e3779b9) >>> 0;
    let mixed = counter;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}
