// The rules of weights, in percent. One module with weights.js, rows.js and pad.js.

const SIDE = 5; // cells at a side of the pad, as in __init__.py
const NEAR = 2; // percent: the weights of a place on the pad are rounded

// Weights as whole numbers with the sum `total`, by largest remainders; as `whole` in ui/view/parents.py.
function whole(weights, total = 100) {
  const heavy = weights.reduce((sum, each) => sum + each, 0);
  const exact = weights.map((each) => total * (heavy > 0 ? each / heavy : 1 / weights.length));
  const shares = exact.map(Math.trunc);
  const lost = exact.map((_, place) => place).sort((a, b) => shares[a] - exact[a] - (shares[b] - exact[b]));
  const left = total - shares.reduce((sum, each) => sum + each, 0);
  for (const place of lost.slice(0, left)) shares[place] += 1;
  return shares;
}

// The shares after the one at `place` was set to `share`: the others keep their proportions and fill the rest.
function moved(shares, place, share) {
  if (shares.length === 1) return [100];
  const others = whole(shares.filter((_, each) => each !== place), 100 - share);
  return [...others.slice(0, place), share, ...others.slice(place)];
}

// Where shares are on the pad, in cells: [x, y, whether they are there exactly]. Four parents have more mixtures than a
// square has places: others are at the place with the same sums of rows and columns.
function placeOf(shares) {
  const most = SIDE - 1, each = shares.map((share) => share / 100);
  if (each.length === 2) return [each[1] * most, 0, true];
  if (each.length === 3) return [((1 + each[2] - each[1]) * most) / 2, (1 - each[0]) * most, true];
  if (each.length === 4) {
    const right = each[1] + each[3], below = each[2] + each[3];
    const there = [(1 - below) * (1 - right), (1 - below) * right, below * (1 - right), below * right];
    return [right * most, below * most, there.every((part, n) => Math.abs(part - each[n]) * 100 < NEAR)];
  }
  return [0, 0, false];
}
