// A row for each parent: its picture, its share or the size of its weight below 0, and buttons. One module with
// shares.js, weights.js and pad.js.

const SHARE = { min: 0, max: 100, step: 1 };
const ICONS = {
  thumb: '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M7 11v9H3v-9zl4-8c2 0 2.5 1.5 2 3.5L12.5 9H19a2 2 0 0 1 2 2.3l-1.2 7A2 2 0 0 1 18 20H7"/></svg>',
  close: '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 6l12 12M18 6L6 18"/></svg>',
};
const AWAY_HELP = "The child moves away from this parent where the two would be alike. This parent has no share in the child.";
const HELP_ID = "less-like-help"; // of the element with this text

function paintRows(pad) {
  for (const [id, row] of pad.rows) {
    if (!pad.weights.has(id)) {
      row.root.remove();
      pad.rows.delete(id);
    }
  }
  shownParents(pad).forEach((parent, place) => {
    const row = pad.rows.get(parent.id) ?? madeRow(pad, parent.id);
    pad.rows.set(parent.id, row);
    // An element that moves loses the focus.
    if (pad.parents.children[place] !== row.root) pad.parents.insertBefore(row.root, pad.parents.children[place] ?? null);
    paintRow(pad, row, parent);
  });
}

// In the order of their rows.
function shownParents(pad) {
  return pad.data.parents.filter(({ id }) => pad.weights.has(id));
}

function madeRow(pad, id) {
  const root = made("div", "row", pad.parents);
  const thumb = made("div", "thumb", root);
  const middle = made("div", "middle", root);
  const row = {
    id, root, thumb,
    called: "", picture: "", alt: "", // as painted
    name: made("span", "name", middle),
    value: made("span", "value", middle, { "aria-hidden": "true" }),
    input: made("input", "share", middle, { type: "range" }),
    thumbs: made("button", "icon thumbs", root, { type: "button" }),
    close: made("button", "icon", root, { type: "button" }),
  };
  row.thumbs.innerHTML = ICONS.thumb;
  row.close.innerHTML = ICONS.close;
  row.input.addEventListener("input", () => {
    pad.held = true;
    slide(pad, id, row.input.valueAsNumber);
    paint(pad);
  });
  const release = () => {
    if (!pad.held) return;
    pad.held = false;
    changed(pad);
  };
  // A browser sends no `change` where a drag ends with the value that it began with.
  for (const end of ["change", "pointerup", "pointercancel", "blur"]) row.input.addEventListener(end, release);
  row.thumbs.addEventListener("click", () => {
    toggleAway(pad, id);
    changed(pad);
    pad.heard.textContent = `${row.name.textContent}, ${row.input.getAttribute("aria-valuetext")}`;
  });
  row.close.addEventListener("click", () => {
    const ids = shownParents(pad).map((each) => each.id), place = ids.indexOf(id);
    remove(pad, id);
    pad.rows.get(ids[place + 1] ?? ids[place - 1])?.close.focus();
    changed(pad);
    pad.heard.textContent = `${row.called}, removed from the parents`;
  });
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

function paintRow(pad, row, { name: called, picture, alt }) {
  const { id, root, thumb, name, value, input, thumbs, close } = row;
  const weight = pad.weights.get(id), isAway = weight < 0;
  const isAlone = !isAway && sharesOf(pad).length === 1; // a child needs a parent to resemble
  const size = Math.abs(weight), percent = isAway ? Math.round(100 * size) : size;
  const range = isAway ? AWAY : SHARE;
  root.classList.toggle("away", isAway);
  root.dataset.weight = weight;
  if (row.picture !== picture || row.alt !== alt) thumb.replaceChildren(...(picture ? [pictured(picture, alt)] : []));
  Object.assign(row, { called, picture, alt });
  name.textContent = isAway ? `Less like ${called}` : called;
  name.title = isAway ? AWAY_HELP : called;
  value.textContent = isAlone ? "" : `${percent} %`;
  input.hidden = thumbs.hidden = isAlone;
  for (const bound of ["min", "max", "step"]) input[bound] = range[bound];
  if (input.valueAsNumber !== size) input.value = size;
  input.style.setProperty("--part", (size - range.min) / (range.max - range.min));
  input.setAttribute("aria-label", name.textContent);
  input.setAttribute("aria-valuetext", `${percent} percent`);
  labelled(thumbs, isAway ? `Like ${called} again` : `Less like ${called}`);
  if (!isAway) thumbs.title += `. ${AWAY_HELP}`;
  described(input, isAway);
  described(thumbs, !isAway);
  labelled(close, `Remove ${called} from the parents`);
}

// Whether a screen reader says `AWAY_HELP` with this element.
function described(element, is) {
  if (is) element.setAttribute("aria-describedby", HELP_ID);
  else element.removeAttribute("aria-describedby");
}

function labelled(button, label) {
  button.title = label;
  button.setAttribute("aria-label", label);
}
