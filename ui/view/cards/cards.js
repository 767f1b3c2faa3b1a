// A grid of cards, a list box for screen readers. Text of users is set as textContent only.
// The state of each grid by its Streamlit key, since Streamlit may mount a grid again.
const grids = (globalThis.__conceptreeCards ??= new Map());

const SIZES = { S: [0.7, "Small"], M: [1, "Medium"], L: [1.75, "Large"] }; // times the width that the page asks for
const FILLING = "max(340px, calc(100vh - var(--cards-top, 360px) - 48px))"; // as in theme.py
const KEYBOARD_PAUSE = 120; // ms: arrow keys select many cards quickly; only the last selection is sent

export default function (component) {
  const { parentElement, data, key, setStateValue, setTriggerValue } = component;
  const frame = parentElement.querySelector(".frame");
  const grid = parentElement.querySelector(".grid");
  let state = grids.get(key);
  const fresh = !state || state.grid !== grid;
  if (fresh) {
    const before = state;
    state = { grid, cards: new Map(), order: [], selected: new Set(), at: null, anchor: null, asked: null, timer: 0 };
    if (before && before.asked === data.asked) {
      state.asked = before.asked;
      state.selected = before.selected;
    }
    grids.set(key, state);
  }
  state.data = data;
  state.tell = setStateValue;
  state.open = (id) => data.opens && setTriggerValue("opened", id);
  frame.style.maxHeight = data.fills ? FILLING : data.height ? `${data.height}px` : "";
  size(state, parentElement.querySelector(".sizes"));
  if (data.fills) fillWindow(state, frame);
  grid.setAttribute("aria-label", data.label);
  grid.setAttribute("aria-multiselectable", String(data.several));
  const chosen = state.asked !== data.asked;
  if (chosen) {
    state.asked = data.asked;
    state.selected = new Set(data.selected);
  }
  fill(state);
  if (fresh) listen(state);
  fade(state, frame);
  // Send back what Python selected: else the next message would restore the earlier selection.
  if ((chosen && data.asked) || (fresh && !same([...state.selected], data.selected))) tell(state, 0);
  return () => {
    flush(state);
    state.stop?.();
    state.faded?.disconnect();
  };
}

// Fade the lower edge as long as there is more below.
function fade(state, frame) {
  state.faded?.disconnect();
  const look = () => frame.classList.toggle("more", frame.scrollTop + frame.clientHeight < frame.scrollHeight - 4);
  frame.onscroll = look;
  state.faded = new ResizeObserver(look);
  for (const each of [frame, state.grid]) state.faded.observe(each);
  look();
}

// Tell the page where the grid begins, so that it ends with the window (--cards-top, see theme.py). What is above the
// grid changes its height, such as when buttons wrap.
function fillWindow(state, frame) {
  state.stop?.();
  const main = document.querySelector("[data-testid=stMain]"), block = document.querySelector(".stMainBlockContainer");
  if (!main || !block) return;
  const measure = () => {
    const top = Math.round(frame.getBoundingClientRect().top - main.getBoundingClientRect().top + main.scrollTop);
    main.style.setProperty("--cards-top", `${top}px`);
  };
  const observer = new ResizeObserver(measure);
  for (const each of [main, block, ...block.querySelectorAll(".st-key-gallery-actions, .st-key-gallery-above")]) observer.observe(each);
  state.stop = () => observer.disconnect();
  measure();
}

// Small, medium or large pictures, as the person chose last in this browser.
function size(state, bar) {
  let chosen = null;
  try {
    chosen = state.data.sizes ? localStorage.getItem("conceptree.size") : null;
  } catch {} // not allowed
  if (!(chosen in SIZES)) chosen = state.size ?? "M";
  state.size = chosen;
  state.grid.style.setProperty("--side", `${Math.round(state.data.side * SIZES[chosen][0])}px`);
  bar.hidden = !state.data.sizes;
  bar.replaceChildren(...Object.entries(SIZES).map(([name, [, called]]) => {
    const button = make("button", "", name);
    button.type = "button";
    button.title = `${called} pictures`;
    button.setAttribute("aria-label", button.title);
    button.setAttribute("aria-pressed", String(name === chosen));
    button.addEventListener("click", () => {
      state.size = name;
      try {
        localStorage.setItem("conceptree.size", name);
      } catch {} // then for this page only
      size(state, bar);
      bar.querySelector('[aria-pressed="true"]').focus();
    });
    return button;
  }));
}

function fill(state) {
  const { grid, data, cards } = state;
  const there = new Set(data.items.map((item) => item.id));
  for (const [id, card] of cards) {
    if (!there.has(id)) {
      card.remove();
      cards.delete(id);
    }
  }
  state.order = data.items.map((item) => item.id);
  if (!there.has(state.at)) state.at = state.order.find((id) => state.selected.has(id)) ?? state.order[0] ?? null;
  let place = grid.firstElementChild;
  for (const item of data.items) {
    let card = cards.get(item.id);
    if (!card) {
      card = document.createElement("div");
      card.className = "card";
      card.setAttribute("role", "option");
      card.dataset.id = item.id;
      cards.set(item.id, card);
    }
    const said = JSON.stringify(item);
    if (card.said !== said) {
      card.said = said;
      dress(card, item, data);
    }
    if (card === place) place = place.nextElementSibling;
    else grid.insertBefore(card, place);
  }
  let none = grid.querySelector(".none");
  if (none) none.remove();
  if (!data.items.length && data.empty) {
    none = make("div", "none", data.empty);
    grid.append(none);
  }
  mark(state);
}

function dress(card, item, { opens, enlarges }) {
  card.classList.toggle("hidden", Boolean(item.hidden));
  const picture = make("div", "picture");
  if (item.image) {
    const image = document.createElement("img");
    image.loading = "lazy";
    image.decoding = "async";
    image.draggable = false;
    image.alt = item.alt ?? "";
    image.onerror = () => picture.replaceChildren(make("div", "missing", "picture is missing"));
    image.src = item.image;
    picture.append(image);
    if (enlarges) {
      const larger = make("span", "larger");
      larger.title = "Enlarge (Z)";
      larger.setAttribute("aria-hidden", "true"); // Z on the card does the same
      picture.append(larger);
    }
  } else if (item.draft) {
    const image = make("img", "draft");
    image.alt = "";
    image.draggable = false;
    image.onerror = () => picture.replaceChildren(make("div", "missing", "not drawn yet"));
    image.src = item.draft;
    picture.append(image);
  } else {
    picture.append(make("div", "missing", "not drawn yet"));
  }
  const badges = make("div", "badges");
  if (item.draft && !item.image) badges.append(make("span", "badge", "draft"));
  if (item.favourite) badges.append(make("span", "badge heart", "♥"));
  if (item.rating) badges.append(make("span", "badge star", `★ ${item.rating}`));
  if (item.generation !== undefined) badges.append(make("span", "badge", `gen ${item.generation}`));
  if (item.hidden) badges.append(make("span", "badge", "hidden"));
  const said = make("div", "said");
  const title = make("div", "title", item.title ?? "");
  title.title = [item.title, item.line].filter(Boolean).join("\n");
  said.append(title);
  if (item.line) said.append(make("div", "line", item.line));
  const parts = [picture, badges, said];
  if (opens) {
    const open = make("span", "open", "↗"); // for the mouse: an option can hold no button
    open.title = "Open";
    open.setAttribute("aria-hidden", "true"); // Enter on the card does the same
    parts.push(open);
  }
  card.replaceChildren(...parts);
  card.setAttribute("aria-label", spoken(item));
}

function spoken(item) {
  return [
    item.title,
    item.line,
    item.alt,
    item.generation !== undefined && `generation ${item.generation}`,
    item.rating && `rated ${item.rating} of 5`,
    item.favourite && "favourite",
    item.hidden && "hidden",
    !item.image && "not drawn yet",
  ]
    .filter(Boolean)
    .join(", ");
}

function mark(state) {
  for (const [id, card] of state.cards) {
    card.setAttribute("aria-selected", String(state.selected.has(id)));
    card.tabIndex = id === state.at ? 0 : -1;
  }
}

function listen(state) {
  const { grid } = state;
  const id_of = (event) => event.target.closest?.(".card")?.dataset.id;
  grid.addEventListener("click", (event) => {
    const id = id_of(event);
    if (!id) return;
    if (event.target.closest(".open")) return state.open(id);
    if (event.target.closest(".larger")) return enlarge(state, id);
    if (event.shiftKey && state.anchor) range(state, id, event.ctrlKey || event.metaKey);
    else if ((event.ctrlKey || event.metaKey || state.data.taps) && state.data.several) toggle(state, id);
    else only(state, id);
    go(state, id);
    tell(state, 0);
  });
  grid.addEventListener("dblclick", (event) => {
    const id = id_of(event);
    if (!id || event.target.closest(".open, .larger")) return;
    if (state.data.opens) state.open(id);
    else if (state.data.enlarges) enlarge(state, id);
  });
  grid.addEventListener("focusout", () => flush(state));
  grid.addEventListener("keydown", (event) => pressed(state, event));
}

function pressed(state, event) {
  const { order } = state;
  if (!order.length || event.altKey) return;
  const command = event.ctrlKey || event.metaKey;
  const from = Math.max(0, order.indexOf(state.at));
  const columns = getComputedStyle(state.grid).gridTemplateColumns.split(" ").length;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const ends = { Home: 0, End: order.length - 1 };
  if (event.key in steps || event.key in ends) {
    const to = event.key in ends ? ends[event.key] : from + steps[event.key];
    if (to >= 0 && to < order.length) {
      if (event.shiftKey && state.data.several) {
        state.anchor ??= order[from];
        range(state, order[to], false);
        tell(state, KEYBOARD_PAUSE);
      } else if (!state.data.several) {
        only(state, order[to]);
        tell(state, KEYBOARD_PAUSE);
      }
      go(state, order[to]);
    }
  } else if (event.key === " ") {
    if (state.data.several) toggle(state, order[from]);
    else only(state, order[from]);
    mark(state);
    tell(state, KEYBOARD_PAUSE);
  } else if (event.key === "Enter") {
    flush(state);
    if (!state.data.opens) return; // it may be the shortcut of a button
    state.open(order[from]);
  } else if (event.key.toLowerCase() === "z" && !command && state.data.enlarges) {
    enlarge(state, order[from]);
  } else if (event.key.toLowerCase() === "a" && command && state.data.several) {
    state.selected = new Set(order);
    mark(state);
    tell(state, KEYBOARD_PAUSE);
  } else if (event.key === "Escape" && state.selected.size) {
    state.selected = new Set();
    state.anchor = null;
    mark(state);
    tell(state, KEYBOARD_PAUSE);
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

// The lightbox of the page does it.
function enlarge(state, id) {
  const image = state.cards.get(id).querySelector("img:not(.draft)");
  if (image) image.dispatchEvent(new CustomEvent("conceptree-enlarge", { bubbles: true, composed: true, detail: image }));
}

function only(state, id) {
  state.selected = new Set([id]);
  state.anchor = id;
}

function toggle(state, id) {
  if (!state.selected.delete(id)) state.selected.add(id);
  state.anchor = id;
}

function range(state, id, also) {
  if (!state.data.several) return only(state, id);
  const ends = [state.order.indexOf(state.anchor), state.order.indexOf(id)].sort((a, b) => a - b);
  if (ends[0] < 0) return only(state, id);
  state.selected = new Set([...(also ? state.selected : []), ...state.order.slice(ends[0], ends[1] + 1)]);
}

function go(state, id) {
  state.at = id;
  mark(state);
  const card = state.cards.get(id);
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}

function tell(state, pause) {
  clearTimeout(state.timer);
  const send = () => {
    state.timer = 0;
    state.tell("selected", state.order.filter((id) => state.selected.has(id)));
  };
  if (pause) state.timer = setTimeout(send, pause);
  else send();
  state.send = send;
}

function flush(state) {
  if (!state.timer) return;
  clearTimeout(state.timer);
  state.send();
}

function same(one, other) {
  return one.length === other.length && one.every((each) => other.includes(each));
}

function make(tag, name, text) {
  const element = document.createElement(tag);
  element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}
