// The palette: pages, runs, concepts and actions by their names, from the keyboard alone; and the list of shortcuts.
// Names of users go to textContent only.

const MOST = 60; // options that are shown
const PATIENCE = 10_000; // ms to wait for the button of an action on its page
const SENT = 250; // ms until a click has reached the page
const REACHED = 1500; // ms in which a click reaches a busy server, if it is one that the server is told of
const THEMES = { Light: "light", Dark: "dark", System: "system" }; // as Streamlit calls them
// Buttons and the like of the page that is open; what is drawn on them are icons' names, see nameOf.
const ON_PAGE = "button, a[data-testid=stPageLink-NavLink], [role=tab], summary, label[data-testid=stToggle], label:has(input[type=checkbox])";
const NOT_ON_PAGE = "[data-stale=true], [role=dialog], [data-baseweb=select]";
const known = { run: null, runs: [], concepts: [], tags: [], boards: [], others: null }; // answers of the server, by this tab
let pending = null; // an action whose page is on its way

export default function ({ parentElement, data, setTriggerValue }) {
  let palette = parentElement.palette;
  if (!palette) {
    palette = parentElement.palette = mounted(parentElement);
  }
  Object.assign(palette, { data, go: setTriggerValue });
  if (pending) attend(palette);
  return () => {
    window.removeEventListener("keydown", keepLetters, true);
    window.removeEventListener("keydown", palette.keydown, true);
    window.removeEventListener("keydown", palette.question);
    window.removeEventListener("keydown", palette.changes, true);
    window.removeEventListener("conceptree-keys", palette.list);
    window.removeEventListener("click", palette.clicked, true);
    palette.runs.disconnect();
    palette.fields.disconnect();
    delete parentElement.palette;
  };
}

function mounted(root) {
  const one = (selector) => root.querySelector(selector);
  const palette = {
    dialog: one(".palette"), input: one("input"), found: one("ul"), none: one(".none"), keys: one(".keys"),
    parts: one(".parts"), said: one(".note"), options: [], at: 0, pressed: [], sent: 0,
  };
  if (/Mac|iPhone|iPad/.test(navigator.platform)) one(".opener kbd").textContent = "⌘ K";
  one(".opener").addEventListener("click", () => open(palette));
  one(".close").addEventListener("click", () => palette.keys.close());
  for (const dialog of [palette.dialog, palette.keys]) {
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside it
    dialog.addEventListener("keydown", (event) => event.stopPropagation()); // Streamlit's own shortcuts
  }
  palette.input.addEventListener("input", () => search(palette));
  palette.input.addEventListener("keydown", (event) => pressed(palette, event));
  palette.found.addEventListener("pointermove", (event) => point(palette, event));
  palette.found.addEventListener("click", (event) => {
    point(palette, event);
    choose(palette);
  });
  palette.keydown = (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.key.toLowerCase() !== "k") return;
    event.preventDefault();
    event.stopPropagation();
    if (palette.dialog.open) palette.dialog.close();
    else open(palette);
  };
  palette.question = (event) => {
    if (event.key !== "?" || event.defaultPrevented || types(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    list(palette);
  };
  palette.changes = (event) => {
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || event.altKey || !["z", "y"].includes(key) || types(event)) return;
    event.preventDefault();
    event.stopPropagation();
    change(palette, key === "y" || event.shiftKey ? "redo" : "undo");
  };
  palette.list = () => list(palette);
  window.addEventListener("keydown", keepLetters, true);
  window.addEventListener("keydown", palette.keydown, true);
  window.addEventListener("keydown", palette.question);
  window.addEventListener("keydown", palette.changes, true);
  window.addEventListener("conceptree-keys", palette.list);
  palette.clicked = () => (palette.sent = Date.now());
  window.addEventListener("click", palette.clicked, true);
  palette.runs = new MutationObserver(() => works() && (palette.sent = 0));
  palette.runs.observe(document.body, { subtree: true, attributeFilter: ["data-test-script-state"] });
  palette.fields = focusFields();
  return palette;
}

// Whether the server runs the page.
function works() {
  return document.querySelector("[data-testid=stApp]")?.dataset.testScriptState !== "notRunning";
}

// Press the button of the last change. With none on the page, such as on a page without notes, say so. Keys that come
// while the page is at work wait for it, since its buttons are still those of the change before.
function change(palette, way) {
  palette.pressed.push(way);
  if (palette.pressed.length > 1) return;
  const until = Date.now() + PATIENCE;
  const next = () => {
    const waits = works() || Date.now() < palette.sent + REACHED; // the buttons do not know of the last click yet
    if (waits && Date.now() < until) return setTimeout(next, 50);
    const [way] = palette.pressed;
    const button = document.querySelector(way === "undo" ? ".st-key-undo-last button" : ".st-key-icon-undo-again button");
    if (button && !button.disabled) button.click();
    else note(palette, `There is nothing to ${way} here.`);
    setTimeout(() => palette.pressed.shift() && palette.pressed.length && next(), SENT);
  };
  next();
}

function made(tag, className, parent, text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  parent.append(element);
  return element;
}

// What there is -------------------------------------------------------------------------------------------------------

function open(palette) {
  palette.keys.close();
  palette.here = onPage();
  palette.input.value = "";
  if (!palette.dialog.open) palette.dialog.showModal();
  palette.input.focus();
  search(palette);
  ask(palette);
}

// Concepts can come a moment later; those of this tab's last answer are there at once.
async function ask(palette) {
  const { run, offers, others } = palette.data;
  if (known.run !== run) Object.assign(known, { run, concepts: [], tags: [], others: null });
  for (const [address, take] of [
    [offers, ({ runs, concepts, tags, boards }) => Object.assign(known, { runs, concepts, tags, boards })],
    [others, ({ concepts }) => (known.others = concepts)],
  ]) {
    try {
      const answer = await fetch(address);
      if (!answer.ok || known.run !== run) continue;
      take(await answer.json());
      if (palette.dialog.open) search(palette);
    } catch {
      // the server is gone: Streamlit says so
    }
  }
}

// Visible buttons of the page that is open, by their names.
function onPage() {
  const main = document.querySelector("[data-testid=stMain]");
  const found = new Map();
  for (const element of main?.querySelectorAll(ON_PAGE) ?? []) {
    const gone = element.disabled || element.ariaDisabled === "true" || element.closest(NOT_ON_PAGE);
    const title = gone || !element.checkVisibility({ visibilityProperty: true }) ? "" : nameOf(element);
    if (title && !title.startsWith("Help for ") && !found.has(title)) found.set(title, { title, kind: "on this page", words: "", act: () => use(element) });
  }
  return [...found.values()];
}

function nameOf(element) {
  const copy = element.cloneNode(true);
  copy.querySelectorAll("[data-testid=stIconMaterial], [aria-hidden=true], kbd").forEach((each) => each.remove());
  return (element.ariaLabel || copy.textContent).trim().replace(/\s+/g, " ").slice(0, 80);
}

function use(element) {
  element.scrollIntoView({ block: "nearest" });
  element.focus({ preventScroll: true });
  if (!element.matches("input, textarea, [role=radio]")) element.click();
}

function everything(palette) {
  const { data } = palette;
  const page = ({ page, title }) => ({ title, kind: "page", words: page, act: () => go(palette, page, data.run ? { run: data.run } : {}) });
  const action = (each) => ({ title: each.title, kind: "action", words: each.words, act: () => perform(palette, each) });
  const own = [
    { title: "Undo the last change", kind: "action", words: "revert take back", act: () => change(palette, "undo") },
    { title: "Redo the last change", kind: "action", words: "repeat again", act: () => change(palette, "redo") },
    { title: "Keyboard shortcuts", kind: "action", words: "help keys ?", act: () => list(palette) },
    ...Object.entries(THEMES).map(([name, called]) => ({
      title: `Theme: ${called}`, kind: "reloads the page", words: "colours dark light night", act: () => theme(palette, name),
    })),
  ];
  const concept = (run, id, title, digest) => ({
    title, kind: run === data.run ? "concept" : `concept of ${run}`, words: "",
    picture: digest && data.pictures ? `${data.pictures}/${digest}.webp?side=64` : "",
    act: () => go(palette, "concept", { run, concept: id }),
  });
  return [
    ...data.actions.map(action), ...data.pages.map(page), ...palette.here, ...own,
    ...known.tags.map((tag) => ({ title: tag, kind: "tag", words: "", act: () => go(palette, "gallery", { run: data.run, tag }) })),
    ...known.boards.map((board) => ({ title: board, kind: "board", words: "", act: () => go(palette, "gallery", { run: data.run, board }) })),
    ...known.runs.map((run) => ({ title: run, kind: "run", words: "", act: () => go(palette, "tree", { run }) })),
    ...known.concepts.map(([id, name, digest]) => concept(data.run, id, name, digest)),
    ...(known.others ?? []).map(([run, id, name]) => concept(run, id, name, "")),
  ];
}

// Search --------------------------------------------------------------------------------------------------------------

// How well the letters of `wanted` occur in this order in `text`, -1 if they do not: whole words first, then parts.
function fit(wanted, text) {
  if (text === wanted) return 1000;
  const place = text.indexOf(wanted);
  if (place === 0) return 800 - text.length;
  if (place > 0) return (/[\s\-_:]/.test(text[place - 1]) ? 600 : 400) - text.length;
  let at = -1, score = 200 - text.length;
  for (const letter of wanted) {
    if (letter === " ") continue;
    const next = text.indexOf(letter, at + 1);
    if (next < 0) return -1;
    const starts = next === 0 || /[\s\-_:]/.test(text[next - 1]);
    score -= starts || next === at + 1 ? 0 : 12;
    at = next;
  }
  return Math.max(score, 0);
}

function search(palette) {
  const wanted = palette.input.value.trim().toLowerCase().replace(/\s+/g, " ");
  const all = everything(palette);
  let found = all;
  if (wanted) {
    const scored = all.map((each, place) => {
      const words = each.words ? fit(wanted, each.words) : -1;
      return [Math.max(fit(wanted, each.title.toLowerCase()), wanted.length > 2 && words >= 390 ? 300 : -1), place, each];
    });
    found = scored.filter(([score]) => score >= 0).sort((a, b) => b[0] - a[0] || a[1] - b[1]).map(([, , each]) => each);
  }
  const before = palette.options[palette.at];
  palette.options = found.slice(0, MOST);
  const same = wanted === palette.wanted && before ? palette.options.findIndex((each) => each.title === before.title && each.kind === before.kind) : 0;
  palette.wanted = wanted;
  palette.found.replaceChildren(...palette.options.map(shown));
  palette.none.hidden = found.length > 0;
  move(palette, Math.max(0, same));
}

function shown({ title, kind, picture }, place) {
  const option = document.createElement("li");
  option.id = `found-${place}`;
  option.setAttribute("role", "option");
  option.setAttribute("aria-selected", "false");
  if (picture) Object.assign(made("img", "", option), { src: picture, alt: "", loading: "lazy" });
  made("span", "title", option, title);
  made("span", "kind", option, kind);
  return option;
}

function move(palette, to) {
  const options = palette.found.children;
  options[palette.at]?.setAttribute("aria-selected", "false");
  palette.at = to;
  const now = options[to];
  if (!now) return palette.input.removeAttribute("aria-activedescendant");
  now.setAttribute("aria-selected", "true");
  now.scrollIntoView({ block: "nearest" });
  palette.input.setAttribute("aria-activedescendant", now.id);
}

function pressed(palette, event) {
  const last = palette.options.length - 1;
  const to = {
    ArrowDown: palette.at < last ? palette.at + 1 : 0, ArrowUp: palette.at > 0 ? palette.at - 1 : last,
    PageDown: Math.min(last, palette.at + 8), PageUp: Math.max(0, palette.at - 8),
  }[event.key];
  if (to !== undefined) move(palette, to);
  else if (event.key === "Enter" && !event.isComposing) choose(palette);
  else return;
  event.preventDefault();
}

function point(palette, event) {
  const option = event.target.closest("li");
  if (option) move(palette, [...palette.found.children].indexOf(option));
}

// Acts ----------------------------------------------------------------------------------------------------------------

function choose(palette) {
  const chosen = palette.options[palette.at];
  if (!chosen) return;
  palette.dialog.close();
  chosen.act();
}

function go(palette, page, query) {
  palette.go("go", { page, query });
}

function perform(palette, action) {
  if (action.do) return palette.go("do", action.do);
  const { concept } = action.query;
  const onPage = location.pathname.endsWith(`/${action.page}`) && (!concept || location.search.includes(concept));
  const here = onPage || (action.click && !concept && document.querySelector(action.click)); // the first page has a tree
  pending = action.click ? { ...action, here, until: Date.now() + PATIENCE } : null;
  if (!here) go(palette, action.page, action.query);
  if (pending) attend(palette);
}

// Click what an action is about as soon as its page has it.
function attend(palette) {
  clearTimeout(palette.waiting);
  if (!pending) return;
  const there = pending.here || location.pathname.endsWith(`/${pending.page}`);
  const element = there && document.querySelector(pending.click);
  if (element && !element.disabled && !element.closest("[data-stale=true]")) {
    pending = null;
    use(element);
  } else if (Date.now() > pending.until) {
    if (pending.absent) note(palette, pending.absent);
    pending = null;
  } else palette.waiting = setTimeout(() => attend(palette), 200);
}

function note(palette, text) {
  palette.said.textContent = text;
  setTimeout(() => (palette.said.textContent = ""), 6000);
}

// Streamlit reads the theme when a page is loaded, and keeps it for each address.
function theme(palette, name) {
  for (const page of [".", ...palette.data.pages.map((each) => each.page), "concept"]) {
    const key = `stActiveTheme-${new URL(page, document.baseURI).pathname}-v2`;
    if (name === "System") localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(name));
  }
  location.reload();
}

function list(palette) {
  palette.dialog.close();
  if (!palette.parts.firstChild) {
    for (const { title, keys } of palette.data.shortcuts) {
      const part = made("section", "part", palette.parts);
      made("h3", "", part, title);
      const pairs = made("dl", "", part);
      for (const [key, what] of keys) {
        made("kbd", "", made("dt", "", pairs), key);
        made("dd", "", pairs, what);
      }
    }
  }
  if (!palette.keys.open) palette.keys.showModal();
}
