// A row for each parent: its picture, its share or the size of its weight below 0, and buttons. One module with pad.js.

const AWAY = { first: 0.5, min: 0.1, max: 2, step: 0.1 }; // sizes of weights below 0
const SHARE = { min: 0, max: 100, step: 1 };
const ICONS = {
  thumb: '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M7 11v9H3v-9zl4-8c2 0 2.5 1.5 2 3.5L12.5 9H19a2 2 0 0 1 2 2.3l-1.2 7A2 2 0 0 1 18 20H7"/></svg>',
  close: '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 6l12 12M18 6L6 18"/></svg>',
};
const AWAY_HELP = "The child moves away from this parent where the two would be alike. This parent has no share in the child.";

// Weights -------------------------------------------------------------------------------------------------------------

// Take over Python's weights. If it has not heard of the last change yet, a person's own stay; only parents that came
// or went since are taken over. Returns whether Python has to be told the result.
function adopt(pad, { parents, heard }) {
  const theirs = new Map(parents.map(({ id, weight }) => [id, weight]));
  if (heard >= pad.told) {
    pad.weights = theirs;
    return false;
  }
  for (const { id } of pad.data.parents) {
    if (!pad.weights.has(id)) theirs.delete(id); // removed here
    else if (theirs.has(id)) theirs.set(id, pad.weights.get(id));
  }
  const same = theirs.size === pad.weights.size && [...theirs.keys()].every((id) => pad.weights.has(id));
  setWeights(pad, theirs);
  return !same;
}

// Ids of the parents to resemble, in their order.
function towards(pad) {
  return [...pad.weights].flatMap(([id, weight]) => (weight >= 0 ? [id] : []));
}

function sharesOf(pad) {
  return [...pad.weights.values()].filter((weight) => weight >= 0);
}

// Set weights, the shares among them with the sum 100.
function setWeights(pad, weights) {
  pad.weights = weights;
  setShares(pad, whole(sharesOf(pad)));
}

function setShares(pad, shares) {
  towards(pad).forEach((id, place) => pad.weights.set(id, shares[place]));
}

function slide(pad, id, value) {
  if (pad.weights.get(id) < 0) pad.weights.set(id, -value);
  else setShares(pad, moved(sharesOf(pad), towards(pad).indexOf(id), value));
}

// From a share to a weight below 0, or back to the mean share.
function turn(pad, id) {
  const shares = sharesOf(pad), isAway = pad.weights.get(id) < 0;
  setWeights(pad, pad.weights.set(id, isAway ? 100 / Math.max(1, shares.length) : -AWAY.first));
}

function remove(pad, id) {
  const rows = [...pad.rows.values()], next = rows[rows.indexOf(pad.rows.get(id)) + 1] ?? rows.at(-2);
  pad.weights.delete(id);
  setWeights(pad, pad.weights);
  next?.close.focus();
}

// Tell Python all weights, those that it has heard of too: no order and no gap in what it hears loses a change.
function tell(pad) {
  pad.told = Math.max(Date.now(), pad.told + 1, pad.data.heard + 1);
  const ids = pad.data.parents.map(({ id }) => id);
  pad.send("chosen", { ids, weights: Object.fromEntries(pad.weights), at: pad.told });
}

// Elements ------------------------------------------------------------------------------------------------------------

function paintRows(pad) {
  for (const [id, row] of pad.rows) {
    if (!pad.weights.has(id)) {
      row.root.remove();
      pad.rows.delete(id);
    }
  }
  const shown = pad.data.parents.filter(({ id }) => pad.weights.has(id));
  shown.forEach((parent, place) => {
    const row = pad.rows.get(parent.id) ?? madeRow(pad, parent);
    pad.rows.set(parent.id, row);
    // An element that moves loses the focus.
    if (pad.parents.children[place] !== row.root) pad.parents.insertBefore(row.root, pad.parents.children[place] ?? null);
    paintRow(pad, row, parent.name);
  });
}

function madeRow(pad, { id, picture, alt }) {
  const root = made("div", "row", pad.parents);
  const thumb = made("div", "thumb", root);
  if (picture) thumb.append(pictured(picture, alt));
  const middle = made("div", "middle", root);
  const row = {
    id, root,
    name: made("span", "name", middle),
    value: made("span", "value", middle, { "aria-hidden": "true" }),
    input: made("input", "share", middle, { type: "range" }),
    thumbs: made("button", "icon thumbs", root, { type: "button" }),
    close: made("button", "icon", root, { type: "button" }),
  };
  row.thumbs.innerHTML = ICONS.thumb;
  row.close.innerHTML = ICONS.close;
  row.input.addEventListener("input", () => {
    slide(pad, id, row.input.valueAsNumber);
    paint(pad);
  });
  // While a slider is dragged Python need not hear of it, and nothing is drawn.
  row.input.addEventListener("change", () => changed(pad));
  row.thumbs.addEventListener("click", () => (turn(pad, id), changed(pad)));
  row.close.addEventListener("click", () => (remove(pad, id), changed(pad)));
  return row;
}

// A click enlarges a stored picture; a photograph that is not stored yet comes as data.
function pictured(address, alt) {
  const image = document.createElement("img");
  Object.assign(image, { src: address, alt, draggable: false });
  if (address.startsWith("data:")) return image;
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-label", `Enlarge: ${alt}`);
  button.append(image);
  button.addEventListener("click", () =>
    image.dispatchEvent(new CustomEvent("conceptree-enlarge", { bubbles: true, composed: true, detail: image })));
  return button;
}

function paintRow(pad, { id, root, name, value, input, thumbs, close }, called) {
  const weight = pad.weights.get(id), isAway = weight < 0;
  const isAlone = !isAway && sharesOf(pad).length === 1; // a child needs a parent to resemble
  const said = isAway ? `−${(-weight).toFixed(1)}` : `${weight} %`, size = Math.abs(weight);
  const range = isAway ? AWAY : SHARE;
  root.classList.toggle("away", isAway);
  root.dataset.weight = weight;
  name.textContent = isAway ? `Less like ${called}` : called;
  name.title = isAway ? AWAY_HELP : called;
  value.textContent = isAlone ? "" : said;
  input.hidden = thumbs.hidden = isAlone;
  for (const bound of ["min", "max", "step"]) input[bound] = range[bound];
  if (input.valueAsNumber !== size) input.value = size;
  input.style.setProperty("--part", (size - range.min) / (range.max - range.min));
  input.setAttribute("aria-label", name.textContent);
  input.setAttribute("aria-valuetext", isAway ? `weight ${said}` : `${weight} percent`);
  labelled(thumbs, isAway ? `Like ${called} again` : `Less like ${called}`);
  labelled(close, `Remove ${called} from the parents`);
}

function labelled(button, label) {
  button.title = label;
  button.setAttribute("aria-label", label);
}
