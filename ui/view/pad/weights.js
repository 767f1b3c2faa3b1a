// The weights of the parents: the browser owns them while a person changes them. One module with shares.js, rows.js and
// pad.js.

const AWAY = { first: 0.5, min: 0.1, max: 2, step: 0.1 }; // sizes of weights below 0

// Take over Python's weights. While a slider is dragged, or if Python has not heard of the last change yet, a person's
// own stay; only parents that came or went since are taken over. Returns whether Python has to be told the result.
function adopt(pad, { parents, heard }) {
  const theirs = new Map(parents.map(({ id, weight }) => [id, weight])), isLate = heard < pad.told || pad.held;
  if (isLate) {
    for (const { id } of pad.data.parents) {
      if (!pad.weights.has(id)) theirs.delete(id); // removed here
      else if (theirs.has(id)) theirs.set(id, pad.weights.get(id));
    }
  }
  const differs = JSON.stringify([...theirs]) !== JSON.stringify([...pad.weights]);
  if (differs) setWeights(pad, theirs);
  return differs && isLate;
}

// Ids of the parents to resemble, in their order.
function towards(pad) {
  return [...pad.weights].flatMap(([id, weight]) => (weight >= 0 ? [id] : []));
}

function sharesOf(pad) {
  return [...pad.weights.values()].filter((weight) => weight >= 0);
}

// Set weights, the shares among them with the sum 100. No slider continues from earlier shares.
function setWeights(pad, weights) {
  Object.assign(pad, { weights, from: null, held: false });
  setShares(pad, whole(sharesOf(pad)));
}

function setShares(pad, shares) {
  towards(pad).forEach((id, place) => pad.weights.set(id, shares[place]));
}

// Move a slider. Steps of the same slider start from the same shares: rounded ones would lose the others' proportions.
function slide(pad, id, value) {
  if (pad.weights.get(id) < 0) {
    pad.weights.set(id, -value);
    return;
  }
  if (pad.from?.id !== id) pad.from = { id, shares: sharesOf(pad) };
  setShares(pad, moved(pad.from.shares, towards(pad).indexOf(id), value));
}

// From a share to a weight below 0, or back to the mean share.
function toggleAway(pad, id) {
  const shares = sharesOf(pad), isAway = pad.weights.get(id) < 0;
  setWeights(pad, pad.weights.set(id, isAway ? 100 / Math.max(1, shares.length) : -AWAY.first));
}

function remove(pad, id) {
  pad.weights.delete(id);
  setWeights(pad, pad.weights);
}

// Tell Python all weights, not only changed ones, so that a lost or late message loses nothing.
function tell(pad) {
  pad.told = Math.max(Date.now(), pad.told + 1, pad.data.heard + 1);
  const ids = pad.data.parents.map(({ id }) => id);
  pad.send("chosen", { ids, weights: Object.fromEntries(pad.weights), at: pad.told });
}
