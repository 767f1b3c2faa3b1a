// The lightbox: opens any picture of the page large over it, with its neighbours. Streamlit may mount it again, so its
// state is kept for the page. Text of users is set as textContent only. One module with shown.js and page.js.

const box = (globalThis.__conceptreeLightbox ??= {
  number: 0, marks: [], pictures: [], at: -1, facts: new Map(), asked: new Map(), look: "smooth", level: 1, x: 0, y: 0, opener: null,
});

const MARKS = 40; // that are sent again, in case that an earlier message was overtaken
const PACE = 450; // ms for each picture that is played
const RATINGS = ["1", "2", "3", "4", "5"];

export default function ({ parentElement, data, setStateValue }) {
  const dialog = parentElement.querySelector("dialog");
  box.origin = data.origin;
  box.number = Math.max(box.number, data.seen);
  box.say = setStateValue;
  if (box.dialog !== dialog) {
    box.dialog = dialog;
    box.preview = parentElement.querySelector(".preview");
    furnish();
    if (box.at >= 0) open();
  } else if (box.seen !== data.seen && box.at >= 0) {
    box.seen = data.seen;
    forget(); // Python has written marks, or refused them
    tell(false);
  }
  box.seen = data.seen;
  watchPage();
}

function part(name) {
  return box.dialog.querySelector(`.${name}`);
}

function now() {
  return box.pictures[box.at];
}

function furnish() {
  const { dialog } = box;
  const acts = {
    before: () => go(-1), after: () => go(1), close: () => dialog.close(), in: () => zoomBy(1.3), out: () => zoomBy(1 / 1.3),
    fit: () => fit(), crisp: () => look("pixels"), sharp: () => look("sharp"),
    play: () => play(!box.playing), favourite: () => flip("favourite"), hide: () => flip("hidden"),
  };
  for (const [name, act] of Object.entries(acts)) part(name).addEventListener("click", act);
  part("stars").replaceChildren(...RATINGS.map((value) => {
    const star = made("button", "★", { type: "button", title: `Rate ${value} of 5 (${value})`, "aria-label": `Rate ${value} of 5` });
    star.addEventListener("click", () => rate(Number(value)));
    return star;
  }));
  for (const button of part("files").children) button.addEventListener("click", () => save(button));
  box.look = kept("look") ?? "smooth";
  part("hovers").checked = hovers();
  part("hovers").addEventListener("change", (event) => keep("hover", event.target.checked ? "on" : "off"));
  dialog.addEventListener("keydown", pressed);
  for (const kind of ["keyup", "keypress"]) dialog.addEventListener(kind, (event) => event.stopPropagation());
  dialog.addEventListener("close", closed);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  listenToStage(part("stage"));
}

// Show a picture of the page, given as its image.
function enlarge(image) {
  const path = pathOf(image.src);
  box.pictures = picturesOf(image);
  box.at = Math.max(0, box.pictures.findIndex((each) => each.path === path));
  box.opener = image.closest(".card") ?? image;
  forget();
  open();
}

function open() {
  hidePreview();
  if (!box.dialog.open) box.dialog.showModal();
  box.dialog.focus(); // on no button, which Space would press
  show();
}

function closed() {
  if (!box.dialog.isConnected) return; // mounted again: it opens there
  const last = now();
  play(false);
  box.at = -1;
  const back = box.opener?.isConnected ? box.opener : last && imagesOnPage().find((each) => pathOf(each.src) === last.path);
  box.opener = null;
  back?.focus({ preventScroll: true });
}

// One picture after the other, and from the first again: such as the drafts of a job.
function play(starts) {
  clearInterval(box.playing);
  box.playing = starts && setInterval(() => go(box.at + 1 < box.pictures.length ? 1 : -box.at), PACE);
  part("play").textContent = starts ? "⏸" : "▶";
  part("play").setAttribute("aria-pressed", String(Boolean(starts)));
}

function forget() {
  box.facts.clear();
  box.asked.clear();
}

function go(way) {
  const to = box.at + way;
  if (to < 0 || to >= box.pictures.length) return;
  box.at = to;
  show();
}

function pressed(event) {
  event.stopPropagation(); // else keys would reach the page below
  if (event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab") return;
  const onButton = event.target.closest("button, a, input") && (event.key === "Enter" || event.key === " ");
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const acts = {
    ArrowLeft: () => go(-1), ArrowRight: () => go(1), Home: () => go(-box.at), End: () => go(box.pictures.length - 1 - box.at),
    Escape: () => box.dialog.close(), "+": () => zoomBy(1.3), "=": () => zoomBy(1.3), "-": () => zoomBy(1 / 1.3), 0: () => fit(),
    " ": () => play(!box.playing), p: () => look("pixels"), s: () => look("sharp"), c: () => save(part("files").children[3]), d: () => save(part("files").children[0]),
    f: () => flip("favourite"), h: () => flip("hidden"),
  };
  const act = RATINGS.includes(key) ? () => rate(Number(key)) : acts[key];
  if (onButton || !act) return;
  event.preventDefault();
  if (key !== " ") play(false);
  act();
}

// Marks ------------------------------------------------------------------------------------------------------------

function rate(value) {
  mark("rating", (before) => (before === value ? null : value));
}

function flip(field) {
  mark(field, (before) => !before);
}

// Shown at once, and told to Python afterwards.
async function mark(field, change) {
  const picture = now(), facts = box.facts.get(picture.path) ?? (await factsOf(picture));
  if (!facts?.concept) return hear(picture.blind ? "Rate it on the page." : "There is nothing to mark.");
  const value = change(facts[field]);
  for (const each of box.facts.values()) if (each.concept === facts.concept && each.run === facts.run) each[field] = value;
  box.number += 1;
  box.marks = [...box.marks, { number: box.number, run: facts.run, concept: facts.concept, field, value }].slice(-MARKS);
  box.say("marks", box.marks);
  if (now() === picture) dress(facts);
  hear({ rating: value ? `rated ${value} of 5` : "rating removed", favourite: value ? "favourite" : "no favourite",
    hidden: value ? "hidden" : "shown again" }[field]);
}

// Save the shown picture as the button says; the server may refuse, such as a picture that is large already.
async function save(button) {
  const picture = now(), facts = await factsOf(picture);
  if (!facts) return complain("This picture has no file to save.");
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(savedOf(picture, button.dataset.query));
    if (!answer.ok) throw new Error(answer.status === 422 ? await answer.text() : "This picture is missing.");
    const address = URL.createObjectURL(await answer.blob());
    made("a", "", { href: address, download: `${facts.file}${button.dataset.suffix ?? ""}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    complain("");
  } catch (error) {
    complain(error.message);
  } finally {
    button.removeAttribute("aria-busy");
  }
}

function savedOf(picture, query) {
  return `${box.origin}/saved${picture.path.replace(/\.webp$/, ".png")}${query ? `?${query}` : ""}`;
}

function complain(text) {
  part("problem").textContent = text;
  part("problem").hidden = !text;
}

function hear(text) {
  part("heard").textContent = text;
}

// What a person prefers, kept in the browser.
function keep(name, value) {
  try {
    localStorage.setItem(`conceptree.${name}`, value);
  } catch {} // not allowed: then for this picture only
}

function kept(name) {
  try {
    return localStorage.getItem(`conceptree.${name}`);
  } catch {
    return null;
  }
}

function made(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}
