// The mixing pad with the rows of parents below it. Python sends the parents and the points of the pad; the server draws
// mixtures by their weights. While a person changes weights, the browser owns them: it shows a change at once and tells
// Python afterwards. Text of users goes to textContent and attributes only.

const pads = new WeakMap();
// Pictures by the address of their mix, so that going back to earlier parents shows them at once.
const kept = (globalThis.__conceptreeMixtures ??= new Map());
const KEPT = 8; // mixes
const BATCH = 9; // cells drawn together
const REST = 180; // ms without a move until the mixture under the pointer is drawn
const PIXELS = 128;

export default function ({ parentElement, data, setStateValue }) {
  let pad = pads.get(parentElement);
  if (!pad) {
    pad = mounted(parentElement);
    pads.set(parentElement, pad);
  }
  pad.send = setStateValue;
  update(pad, data);
  return () => {
    clearTimeout(pad.timer);
    pad.gone = true;
    pad.root.remove();
    pads.delete(parentElement);
  };
}

function made(tag, className, parent, attributes = {}) {
  const element = document.createElement(tag);
  element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}

function canvas(className, parent) {
  const element = made("canvas", className, parent, { "aria-hidden": "true" });
  element.width = element.height = PIXELS;
  element.picture = null; // `show` has not been called
  return element;
}

function mounted(parentElement) {
  const root = made("div", "pad", parentElement);
  const mixtures = made("div", "mixtures", root);
  const above = made("div", "corners", mixtures, { "aria-hidden": "true" });
  const surface = made("div", "surface", mixtures, { tabindex: "0", role: "application" });
  const below = made("div", "corners", mixtures, { "aria-hidden": "true" });
  const shown = made("div", "shown", mixtures);
  const large = canvas("large", shown);
  const said = made("div", "said", shown);
  const pad = {
    root, mixtures, above, surface, below, shown, large, said,
    mixed: made("div", "mixed", said),
    note: made("div", "note", said),
    start: made("button", "start", said, { type: "button", hidden: "" }),
    caption: made("div", "caption", mixtures),
    parents: made("div", "parents", root, { role: "group", "aria-label": "Parents" }),
    heard: made("div", "heard", root, { "aria-live": "polite" }),
    help: made("div", "help", root, { id: HELP_ID, hidden: "" }),
    rows: new Map(), // of the parents, by id
    weights: new Map(), // by id: a share in percent, or below 0 minus the size of a weight to move away
    cells: new Map(), marker: null, lens: null, pictures: null, data: null, laid: "",
    told: 0, // when the last change was told to Python
    held: false, // whether a slider is being dragged: Python is told at the end, and its mixtures are not drawn before
    from: null, // { id, shares }: the slider that was moved last, and the shares before
    at: null, // the point under the pointer or the keyboard's cursor
    rested: false, // whether it has been there for a while
    asked: false, // whether a slow stack may draw the cells
    timer: 0, working: false, problem: "", gone: false,
  };
  pad.help.textContent = AWAY_HELP;
  pad.start.textContent = "Draw the mixtures";
  pad.start.addEventListener("click", () => {
    pad.asked = true;
    pad.problem = "";
    paint(pad);
    work(pad);
  });
  listen(pad);
  return pad;
}

function update(pad, data) {
  const isNew = pad.data?.address !== data.address;
  const differs = adopt(pad, data);
  pad.data = data;
  if (isNew) {
    pad.pictures = picturesOf(data.address);
    Object.assign(pad, { at: null, rested: false, asked: false, problem: "" });
    pad.root.dataset.drawn = "";
  }
  lay(pad);
  paint(pad);
  if (differs) tell(pad);
  work(pad);
}

// Show a person's change, and tell Python.
function changed(pad) {
  paint(pad);
  tell(pad);
  work(pad);
}

// Parents that the pad has at its corners, in their order.
function cornersOf({ data }) {
  return data.parents.filter(({ weight }) => weight >= 0);
}

// Whether Python has still to make the pad of the parents that are here.
function waits(pad) {
  const corners = cornersOf(pad), ids = towards(pad);
  return corners.length !== ids.length || corners.some(({ id }, place) => id !== ids[place]);
}

function picturesOf(address) {
  const found = kept.get(address) ?? { cells: new Map(), fine: new Map() };
  kept.delete(address);
  kept.set(address, found);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  return found;
}

// Elements ----------------------------------------------------------------------------------------------------

function lay(pad) {
  const { points } = pad.data, names = cornersOf(pad).map(({ name }) => name);
  const wanted = JSON.stringify([points, names]);
  if (pad.laid === wanted) return;
  pad.laid = wanted;
  pad.surface.replaceChildren();
  pad.above.replaceChildren();
  pad.below.replaceChildren();
  pad.cells.clear();
  pad.surface.hidden = !points.length;
  pad.columns = Math.max(0, ...points.map(({ x }) => x)) + 1;
  pad.lines = Math.max(0, ...points.map(({ y }) => y)) + 1;
  pad.surface.style.aspectRatio = `${pad.columns} / ${pad.lines}`;
  pad.surface.setAttribute("aria-label",
    `Mixing pad of ${names.join(", ")}. Arrow keys go to another mixture, with Shift in half steps; Enter chooses it, ` +
    "a number goes to a parent, Escape back to the choice. The sliders below have the same weights.");
  points.forEach((point, number) => {
    if (isCell(point, number)) pad.cells.set(number, put(pad, canvas("cell", pad.surface), [point.x, point.y]));
  });
  pad.lens = canvas("lens", pad.surface);
  pad.marker = made("div", "marker", pad.surface);
  for (const point of points.filter((each) => each.weights.includes(100))) {
    const name = names[point.weights.indexOf(100)];
    const label = made("span", "corner", point.y === 0 ? pad.above : pad.below);
    label.textContent = label.title = name;
    label.style.textAlign = point.x === 0 ? "left" : point.x === pad.columns - 1 ? "right" : "center";
  }
}

function isCell(point, number) {
  return point.of.length === 1 && point.of[0] === number;
}

function put(pad, element, [x, y]) {
  element.style.left = `${(100 * x) / pad.columns}%`;
  element.style.top = `${(100 * y) / pad.lines}%`;
  element.style.width = `${100 / pad.columns}%`;
  element.style.height = `${100 / pad.lines}%`;
  return element;
}

function keyOf(weights) {
  return weights.join("-");
}

function paint(pad) {
  const shares = sharesOf(pad);
  paintRows(pad);
  pad.root.dataset.chosen = keyOf(shares);
  pad.mixtures.hidden = !pad.data.address;
  pad.mixtures.inert = waits(pad);
  if (!pad.data.address || waits(pad)) return;
  const { data, pictures, at } = pad, [x, y, exact] = placeOf(shares), weights = at?.weights ?? shares;
  let drawn = 0;
  for (const [number, element] of pad.cells) {
    const picture = pictures.cells.get(keyOf(data.points[number].weights));
    if (picture) drawn += 1;
    if (element.picture !== picture) show(element, picture);
  }
  if (pad.cells.size) {
    put(pad, pad.marker, [x, y]);
    pad.marker.classList.toggle("off", !exact);
    put(pad, pad.lens, at ? [at.x, at.y] : [x, y]);
    pad.lens.hidden = !at || !show(pad.lens, pictureOf(pad, at.weights, at));
  }
  show(pad.large, pictureOf(pad, weights, at ?? nearest(pad, x, y)));
  pad.mixed.replaceChildren(...cornersOf(pad).flatMap(({ name }, place) => (weights[place] ? [part(name, weights[place])] : [])));
  pad.start.hidden = mayDraw(pad) || drawn === pad.cells.size;
  pad.note.classList.toggle("problem", Boolean(pad.problem));
  pad.note.textContent = pad.problem || noted(pad, drawn, weights, exact);
  pad.caption.textContent = data.caption;
  pad.root.dataset.drawn = drawn;
  pad.root.dataset.at = at ? keyOf(at.weights) : "";
}

function noted(pad, drawn, weights, exact) {
  if (mayDraw(pad) && drawn < pad.cells.size) return `drawing ${drawn} of ${pad.cells.size} …`;
  if (pad.held) return "";
  if (!pad.pictures.fine.has(keyOf(weights))) return mayDraw(pad) || !pad.at ? "drawing …" : "";
  return pad.cells.size && !pad.at && !exact ? "Not on the pad: the nearest place is marked." : "";
}

function mayDraw(pad) {
  return pad.data.quick || pad.asked;
}

function part(name, weight) {
  const line = document.createElement("div");
  const number = made("b", "", line);
  number.textContent = `${weight} %`;
  const of = made("span", "", line);
  of.textContent = name;
  return line;
}

// The picture of a mixture: drawn, or else a mean of the cells around it; undefined if there is neither.
function pictureOf(pad, weights, point) {
  const { pictures, data } = pad, fine = pictures.fine.get(keyOf(weights));
  if (fine) return fine;
  if (!point) return undefined;
  const around = point.of.map((number) => pictures.cells.get(keyOf(data.points[number].weights)));
  return around.every(Boolean) ? (around.length === 1 ? around[0] : around) : undefined;
}

// Draw one picture or the mean of several; false if there is none.
function show(element, picture) {
  const context = element.getContext("2d");
  element.picture = picture;
  element.classList.toggle("empty", !picture);
  if (!picture) {
    context.clearRect(0, 0, element.width, element.height);
    return false;
  }
  const several = Array.isArray(picture) ? picture : [picture];
  const side = Math.max(...several.map((each) => each.width));
  if (element.width !== side) element.width = element.height = side;
  several.forEach((each, number) => {
    context.globalAlpha = 1 / (number + 1); // each of them counts the same in the end
    context.drawImage(each, 0, 0, side, side);
  });
  context.globalAlpha = 1;
  return true;
}

function nearest(pad, x, y) {
  let best = null, least = Infinity;
  for (const point of pad.data.points) {
    const far = Math.hypot(point.x - x, point.y - y);
    if (far < least) [best, least] = [point, far];
  }
  return best;
}

// Pictures ----------------------------------------------------------------------------------------------------

async function work(pad) {
  if (pad.working) return;
  pad.working = true;
  try {
    for (let next; !pad.gone && !pad.problem && (next = pick(pad)); ) await load(pad, next);
  } finally {
    pad.working = false;
  }
}

// What to draw next: the mixture that a person looks at, the chosen one, then cells, every second one first.
function pick(pad) {
  const { data, pictures, at } = pad, address = data.address;
  if (!address || waits(pad)) return null;
  const fine = [at && pad.rested && mayDraw(pad) && at.weights, !pad.held && sharesOf(pad)].filter(Boolean).map(keyOf);
  const wanted = fine.find((key) => !pictures.fine.has(key));
  if (wanted) return { pictures, address, keys: [wanted], fine: true };
  const left = [...pad.cells.keys()].map((number) => data.points[number]).filter(({ weights }) => !pictures.cells.has(keyOf(weights)));
  if (!left.length || !mayDraw(pad)) return null;
  const first = [...left.filter(isCoarse), ...left.filter((point) => !isCoarse(point))].slice(0, BATCH);
  return { pictures, address, keys: first.map(({ weights }) => keyOf(weights)), fine: false };
}

function isCoarse({ x, y, weights }) {
  return weights.every((weight) => weight % 50 === 0) || (weights.length === 4 && x % 2 === 0 && y % 2 === 0);
}

async function load(pad, { pictures, address, keys, fine }) {
  let problem = "";
  try {
    const answer = await fetch(`${address}/${keys.join("_")}.webp${fine ? "?fine=1" : ""}`);
    if (answer.ok) {
      const all = await createImageBitmap(await answer.blob());
      const side = all.height;
      for (const [number, key] of keys.entries()) {
        (fine ? pictures.fine : pictures.cells).set(key, await createImageBitmap(all, number * side, 0, side, side));
      }
    } else problem = answer.status === 404 ? "Reload the page to see the mixtures." : (await answer.text()).slice(0, 200);
  } catch {
    problem = "The server does not answer. Reload the page to see the mixtures.";
  }
  if (pad.gone) return;
  if (pad.data.address === address) pad.problem = problem;
  paint(pad);
}

// Input -------------------------------------------------------------------------------------------------------

function listen(pad) {
  const { surface } = pad;
  const under = (event) => {
    const box = surface.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * pad.columns - 0.5;
    const y = ((event.clientY - box.top) / box.height) * pad.lines - 0.5;
    return nearest(pad, x, y);
  };
  surface.addEventListener("pointermove", (event) => go(pad, under(event)));
  surface.addEventListener("pointerleave", () => go(pad, null));
  surface.addEventListener("click", (event) => choose(pad, under(event)));
  surface.addEventListener("blur", () => go(pad, null));
  surface.addEventListener("keydown", (event) => pressed(pad, event));
}

// Look at a point, or at the choice again.
function go(pad, point) {
  if (pad.at === point) return;
  pad.at = point;
  pad.rested = false;
  clearTimeout(pad.timer);
  if (point) {
    pad.timer = setTimeout(() => {
      pad.rested = true;
      work(pad);
    }, REST);
  }
  paint(pad);
}

function choose(pad, point) {
  if (!point) return;
  setShares(pad, point.weights);
  pad.from = null;
  pad.rested = true;
  pad.heard.textContent = `${spoken(pad, point)}, chosen`;
  changed(pad);
}

function spoken(pad, point) {
  const names = cornersOf(pad).map(({ name }) => name);
  return point.weights.flatMap((weight, place) => (weight ? [`${weight} percent ${names[place]}`] : [])).join(", ");
}

function pressed(pad, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !pad.cells.size) return;
  const [x, y] = placeOf(sharesOf(pad)), from = pad.at ?? nearest(pad, x, y);
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  const corner = pad.data.points.find(({ weights }) => weights[Number(event.key) - 1] === 100);
  let to = null;
  if (way) to = beside(pad, from, way, event.shiftKey) ?? from;
  else if (corner) to = corner;
  else if (event.key === "Enter" || event.key === " ") choose(pad, from);
  else if (event.key === "Escape" && pad.at) go(pad, null);
  else return;
  if (to) {
    go(pad, to);
    pad.heard.textContent = spoken(pad, to);
  }
  event.preventDefault();
  event.stopPropagation();
}

// The nearest point a cell further that way, or with `half` half a cell; undefined at the edge.
function beside(pad, from, [right, down], half) {
  const far = half ? 0.5 : 1;
  const onWay = ({ x, y }) => (x - from.x) * right + (y - from.y) * down;
  const ahead = pad.data.points.filter((point, number) => onWay(point) > 0.2 && (half || isCell(point, number)));
  const miss = ({ x, y }) => Math.hypot(x - from.x - far * right, y - from.y - far * down);
  return ahead.sort((one, other) => miss(one) - miss(other))[0];
}
