// The family tree: one instance for each mount. Python sends the nodes and their positions; selection, zoom and scroll
// are kept here across updates. Text of users goes to the canvas and to textContent only.

const trees = new WeakMap();
const PICTURE = 84;
const LABEL = 24; // below the picture
const NAME = 14, LEGIBLE = 12; // size of a name in the tree, and the least on the screen; both in pixels
const WIDEST_NAME = 26; // size of a name up to which it has room; zoomed out further, only names in focus are shown
const GUTTER = 92; // pixels at the left for the names of the generations
const BOW = 0.36; // the part of its height that an edge goes straight down before it turns
const FEWEST_PIXELS = 0.3; // smallest zoom for a whole tree: below, drawings cannot be told apart
const LARGEST = 1.5; // zoom for a whole tree of few
const MARGIN = 26; // pixels around a whole tree
const NEAR = 0.62; // zoom for a concept that was searched for

export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  let tree = trees.get(parentElement);
  if (!tree) {
    tree = mounted(parentElement);
    trees.set(parentElement, tree);
  }
  tree.say = setStateValue;
  tree.ask = setTriggerValue;
  update(tree, data);
  return () => {
    tree.resized.disconnect();
    clearTimeout(tree.watching);
    clearTimeout(tree.waiting);
    document.removeEventListener("keydown", tree.inPanel);
    tree.cy.destroy();
    tree.root.remove();
    trees.delete(parentElement);
  };
}

function made(tag, className, parent, attributes = {}) {
  const element = document.createElement(tag);
  element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}

function mounted(parentElement) {
  const root = made("div", "family", parentElement);
  const rows = made("div", "rows", root, { "aria-hidden": "true" });
  const canvas = made("div", "canvas", root, {
    tabindex: "0",
    role: "application",
    "aria-label":
      "Family tree. Arrow keys go to parents, children and neighbours, space selects, Enter opens, Escape clears. " +
      "The table below has the same selection.",
  });
  const names = made("div", "names", root, { "aria-hidden": "true" }); // names of the generations, in front of the drawings
  const bar = made("div", "bar", root);
  const search = made("input", "search", bar, { type: "search", placeholder: "Search by name", "aria-label": "Search by name" });
  const tree = {
    root, rows, names, canvas, search, cy: null, turn: null, told: "", cursor: null, quiet: false, sized: false, fitted: false,
    tip: made("div", "tip", root, { hidden: "" }),
    message: made("div", "message", root, { hidden: "", role: "status" }),
    heard: made("div", "heard", root, { "aria-live": "polite" }),
    legend: made("div", "legend", root),
    cards: new Map(), // questions, by the ids of their ghosts
    folded: foldedBefore(), // ids of the concepts whose descendants are folded
  };
  button(bar, "−", "Zoom out (-)", () => zoom(tree, 1 / 1.3));
  button(bar, "+", "Zoom in (+)", () => zoom(tree, 1.3));
  button(bar, "Fit", "Show all (0)", () => fit(tree, true));
  button(bar, "?", "Keys and mouse (?)", showKeys);

  tree.cy = cytoscape({
    container: canvas,
    elements: [],
    layout: { name: "preset" },
    minZoom: 0.04,
    maxZoom: 3,
    wheelSensitivity: 0.35,
    boxSelectionEnabled: true,
    selectionType: "single",
    autoungrabify: true,
    hideEdgesOnViewport: false,
    textureOnViewport: false,
    pixelRatio: Math.min(2, window.devicePixelRatio || 1),
  });
  tree.resized = new ResizeObserver(() => {
    tree.cy.resize();
    if (!tree.sized && canvas.clientWidth > 0 && tree.cy.nodes().length) {
      tree.sized = true;
      fit(tree, false);
    }
    placeRows(tree);
  });
  tree.resized.observe(canvas);
  listen(tree);
  acceptDrops(tree);
  document.addEventListener("keydown", (tree.inPanel = (event) => pressedInPanel(tree, event)));
  return tree;
}

const showKeys = () => window.dispatchEvent(new Event("conceptree-keys")); // see ui/view/palette

function button(bar, text, title, act) {
  const made_ = made("button", "", bar, { type: "button", title, "aria-label": title });
  made_.textContent = text;
  made_.addEventListener("click", act);
}

// Data from Python ----------------------------------------------------------------------------------------------------

function update(tree, data) {
  const { cy } = tree;
  tree.data = data;
  restyle(tree);
  const anchor = anchorOf(tree, data);
  const before = anchor && { ...anchor.renderedPosition() };
  tree.quiet = true;
  const found = new Set(), born = new Set(data.born);
  let changed = false;
  cy.batch(() => {
    for (const node of data.nodes) {
      found.add(node.id);
      const position = { x: node.x, y: node.y };
      const there = cy.getElementById(node.id);
      if (there.empty()) {
        changed = true;
        const classes = tree.turn !== null && born.has(node.id) ? "born" : "";
        cy.add({ group: "nodes", data: node, position, classes, selectable: !node.count && node.birth !== "ghost" });
      } else {
        // What is seen of a ghost comes by itself, see watch.
        if (node.birth !== "ghost" && JSON.stringify(there.data()) !== JSON.stringify(node)) {
          there.removeData();
          there.data(node);
        }
        there.position(position);
      }
    }
    for (const edge of data.edges) {
      found.add(edge.id);
      const bent = bend(edge, data.places);
      const there = cy.getElementById(edge.id);
      if (there.empty()) cy.add({ group: "edges", data: { ...edge, ...bent }, selectable: false });
      else there.data({ ...edge, ...bent });
    }
    const gone = cy.elements().filter((each) => !found.has(each.id()));
    changed ||= gone.nonempty();
    gone.remove();
  });
  fold(tree, data.turn !== tree.turn ? data.selected : []);
  if (tree.turn === null || data.turn !== tree.turn) {
    cy.nodes(":selected").unselect();
    for (const id of data.selected) cy.getElementById(id).select();
  }
  tree.quiet = false;
  tree.told = JSON.stringify(selectedIds(tree));
  if (tree.cursor && cy.getElementById(tree.cursor).empty()) tree.cursor = null;
  if (tree.sized && anchor && cy.getElementById(anchor.id()).nonempty()) {
    const now = anchor.renderedPosition();
    if (before.x !== now.x || before.y !== now.y) cy.panBy({ x: before.x - now.x, y: before.y - now.y });
  }
  if (tree.fitted && changed && (isBeyond(tree) || isSmall(tree))) fit(tree, false);
  if (!tree.sized && tree.canvas.clientWidth > 0 && data.nodes.length) {
    tree.sized = true;
    cy.resize();
    fit(tree, false);
  }
  if (tree.turn !== null && data.turn !== tree.turn && data.centre) centreOn(tree, data.centre);
  tree.message.hidden = !data.message;
  tree.message.textContent = data.message || "";
  fadeBorn(tree);
  tree.turn = data.turn;
  highlight(tree);
  explain(tree);
  layRows(tree);
  watch(tree);
}

// A node that keeps its place on the screen when the others move.
function anchorOf(tree, data) {
  const { cy } = tree;
  if (!tree.sized) return null;
  const stays = new Set(data.nodes.map((node) => node.id));
  const own = [tree.cursor, ...selectedIds(tree)].filter((id) => id && stays.has(id));
  if (own.length) return cy.getElementById(own[0]);
  const middle = { x: cy.width() / 2, y: cy.height() / 2 };
  let best = null, nearest = Infinity;
  cy.nodes().forEach((node) => {
    if (!stays.has(node.id())) return;
    const { x, y } = node.renderedPosition();
    const distance = (x - middle.x) ** 2 + (y - middle.y) ** 2;
    if (distance < nearest) [best, nearest] = [node, distance];
  });
  return best;
}

// Whether a node is out of view, or covers the names of the generations.
function isBeyond(tree) {
  const { cy } = tree, half = (cy.zoom() * PICTURE) / 2;
  return visible(tree).some((node) => {
    const { x, y } = node.renderedPosition();
    return x - half < GUTTER - 10 || x + half > cy.width() || y - half < 0 || y + half > cy.height();
  });
}

// Whether the tree could be much larger, such as when the founders that are not kept have gone.
function isSmall(tree) {
  return levelOf(tree) > 1.3 * tree.cy.zoom();
}

// A curve that leaves downwards, follows its lanes and arrives from above, as cytoscape's control points: along the
// straight line between the ends, and beside it.
function bend(edge, places) {
  const [sx, sy] = places[edge.source], [tx, ty] = places[edge.target];
  const start = [sx, sy + PICTURE / 2 + LABEL], end = [tx, ty - PICTURE / 2 - 4];
  const points = [start, ...edge.via, end];
  const dx = end[0] - start[0], dy = end[1] - start[1], length = Math.hypot(dx, dy) || 1;
  const weights = [], distances = [];
  for (let i = 0; i + 1 < points.length; i++) {
    const [ax, ay] = points[i], [bx, by] = points[i + 1], reach = BOW * (by - ay);
    for (const [x, y] of [[ax, ay + reach], [bx, by - reach]]) {
      const px = x - start[0], py = y - start[1];
      weights.push((px * dx + py * dy) / length ** 2);
      distances.push((-px * dy + py * dx) / length);
    }
  }
  return { weights, distances };
}

function fadeBorn(tree) {
  const born = tree.cy.nodes(".born");
  if (born.empty()) return;
  clearTimeout(tree.fading);
  tree.fading = setTimeout(() => tree.cy.destroyed() || tree.cy.nodes(".born").removeClass("born"), 12000);
}

// Style --------------------------------------------------------------------------------------------------------

function restyle(tree) {
  const themed = getComputedStyle(tree.root);
  const value = (name, otherwise) => themed.getPropertyValue(name).trim() || otherwise;
  const ink = value("--st-text-color", "#222222"), paper = value("--st-background-color", "#ffffff");
  const primary = value("--st-primary-color", "#3b6ea5"), font = value("--st-font", "sans-serif");
  const wanted = JSON.stringify([ink, paper, primary, font, tree.data.births]);
  if (tree.styled === wanted) return;
  tree.styled = wanted;
  const colours = Object.fromEntries(tree.data.births.map((each) => [each.birth, each.colour]));
  const colour = (birth) => colours[birth] || "#8f8f8f";
  tree.cy.style([
    {
      selector: "node",
      style: {
        shape: "round-rectangle", width: PICTURE, height: PICTURE, "corner-radius": 8,
        "background-color": paper, "border-width": 3, "border-color": (node) => colour(node.data("birth")),
        "background-image": (node) => images(node).map(([image]) => image),
        "background-width": (node) => images(node).map(([, size]) => size),
        "background-height": (node) => images(node).map(([, size]) => size),
        "background-position-x": (node) => images(node).map(([, , x]) => x),
        "background-position-y": (node) => images(node).map(([, , , y]) => y),
        "background-clip": (node) => images(node).map(([, , , , clip]) => clip),
        "background-image-containment": (node) => images(node).map(([, , , , clip]) => (clip === "none" ? "over" : "inside")),
        "background-fit": "none", "bounds-expansion": 10,
        label: "data(name)", color: ink, "font-family": font, "font-size": () => Math.min(nameSize(tree), WIDEST_NAME),
        "min-zoomed-font-size": LEGIBLE - 1, "text-valign": "bottom", "text-margin-y": 5, "text-wrap": "ellipsis",
        "text-max-width": 130,
        "text-background-color": paper, "text-background-opacity": 0.8, "text-background-padding": 1,
        "overlay-opacity": 0, "outline-width": 0, "box-selection": "overlap",
      },
    },
    { selector: "node[!picture]", style: { "background-color": ink, "background-opacity": 0.08 } },
    { selector: "node[?hidden]", style: { "background-image-opacity": 0.35, "border-style": "dashed" } },
    {
      selector: "node[birth = 'ghost']",
      style: { "border-style": "dashed", "border-color": primary, "background-image-opacity": 0.75, "font-style": "italic" },
    },
    { selector: "node[birth = 'ghost'][!picture]", style: { "background-image-opacity": 0.4 } }, // its parents' drawings
    { selector: "node[birth = 'ghost'][?found]", style: { label: "data(found)" } },
    { selector: "node[birth = 'photo']", style: { shape: "ellipse", "background-clip": "node" } },
    {
      selector: "node[?count]",
      style: {
        shape: "round-rectangle", width: 66, height: 34, "corner-radius": 17, "border-color": ink, "border-width": 1.5,
        "border-style": "dashed", "text-valign": "center", "text-margin-y": 0, "background-color": paper,
        "background-opacity": 1, "text-background-opacity": 0,
      },
    },
    {
      selector: "edge",
      style: {
        "curve-style": "unbundled-bezier", "edge-distances": "endpoints",
        "control-point-weights": "data(weights)", "control-point-distances": "data(distances)",
        "source-endpoint": `0 ${PICTURE / 2 + LABEL}`, "target-endpoint": `0 ${-PICTURE / 2 - 4}`,
        width: (edge) => 1.5 + 6.5 * edge.data("weight"), "line-color": (edge) => colour(edge.data("kind")),
        "line-opacity": 0.62, "line-cap": "round", "overlay-opacity": 0, events: "no", "box-selection": "none",
      },
    },
    {
      selector: "edge[kind = 'branch'], edge[kind = 'away'], edge[kind = 'take']",
      style: { "line-style": "dashed", width: 1.5, "line-color": ink, "line-opacity": 0.35 },
    },
    { selector: ".folded", style: { display: "none" } },
    { selector: ".dim", style: { opacity: 0.3 } },
    { selector: ".dim[?count]", style: { opacity: 0.6 } },
    { selector: "edge.kin", style: { "line-opacity": 0.95, "z-index": 5 } },
    {
      selector: "node:selected",
      style: { "underlay-color": primary, "underlay-opacity": 0.42, "underlay-padding": 9, "underlay-shape": "round-rectangle", "z-index": 10 },
    },
    { selector: "node.born", style: { "underlay-color": "#e0a100", "underlay-opacity": 0.55, "underlay-padding": 11, "font-weight": "bold" } },
    { selector: "node.match", style: { "underlay-color": ink, "underlay-opacity": 0.28, "underlay-padding": 7 } },
    {
      selector: "node:selected, node.cursor, node.under",
      style: { "font-size": () => nameSize(tree), "min-zoomed-font-size": 0, "text-max-width": () => 10 * nameSize(tree), "z-index": 11 },
    },
    { selector: "node.cursor", style: { "outline-width": 3, "outline-color": primary, "outline-offset": 5, "outline-opacity": 1, "z-index": 11 } },
  ]);
  tree.legend.replaceChildren();
  for (const each of tree.data.births) {
    const entry = made("span", "", tree.legend);
    made("i", "", entry).style.borderColor = each.colour;
    entry.append(each.label);
  }
}

// Size of a name that is legible at this zoom.
function nameSize(tree) {
  return Math.max(NAME, Math.ceil(LEGIBLE / tree.cy.zoom()));
}

// Names keep their size on the screen when the tree is zoomed out.
function sizeNames(tree) {
  const size = nameSize(tree);
  if (tree.nameSize === size) return;
  tree.nameSize = size;
  tree.cy.style().update();
}

// The drawing, and badges on its corners: [image, size, x, y, clip].
function images(node) {
  const { picture, parents = [], favourite, rating, fold } = node.data();
  const found = [];
  if (picture) found.push([picture, "100%", "50%", "50%", "node"]);
  else if (parents.length === 1) found.push([parents[0], "100%", "50%", "50%", "node"]);
  else parents.forEach((parent, place) => found.push([parent, "62%", `${place * 100}%`, `${place * 100}%`, "node"]));
  if (favourite) found.push([badge("♥", "#c2502a"), "26px", "118%", "-18%", "none"]);
  if (rating) found.push([badge(String(rating), "#2f6fa8"), "26px", "-18%", "-18%", "none"]);
  if (fold) found.push([badge(fold, "#4a4a4a"), "26px", "118%", "118%", "none"]);
  return found;
}

const badges = {};
function badge(text, colour) {
  badges[text] ??= "data:image/svg+xml;utf8," + encodeURIComponent(
    `<svg xmlns="http://www.w3.org/2000/svg" width="52" height="52" viewBox="0 0 26 26"><circle cx="13" cy="13" r="12" fill="${colour}" ` +
    `stroke="white" stroke-width="2"/><text x="13" y="18" font-size="${text.length < 3 ? 14 : 11}" font-family="sans-serif" font-weight="bold" ` +
    `text-anchor="middle" fill="white">${text}</text></svg>`);
  return badges[text];
}

// Generations: bands behind the canvas that follow its pan and zoom.
function layRows(tree) {
  const wanted = JSON.stringify(tree.data.rows);
  if (tree.laid !== wanted) {
    tree.laid = wanted;
    tree.rows.replaceChildren();
    tree.names.replaceChildren();
    tree.bands = tree.data.rows.map((row, number) => {
      const heading = made("div", "heading", tree.names);
      heading.textContent = row.heading;
      return [made("div", number % 2 ? "row" : "row even", tree.rows), heading, row];
    });
  }
  placeRows(tree);
}

function placeRows(tree) {
  if (!tree.bands) return;
  const zoomed = tree.cy.zoom(), { y } = tree.cy.pan();
  tree.bands.forEach(([band, heading, { top, bottom }]) => {
    const height = (bottom - top) * zoomed;
    band.style.transform = heading.style.transform = `translateY(${top * zoomed + y}px)`;
    band.style.height = `${height}px`;
    heading.classList.toggle("flat", height < 44);
    heading.hidden = height < 13;
  });
}

function selectedIds(tree) {
  return tree.cy.nodes(":selected").map((node) => node.id());
}

function highlight(tree) {
  const { cy } = tree, chosen = cy.nodes(":selected");
  cy.batch(() => {
    cy.elements(".dim, .kin").removeClass("dim kin");
    if (chosen.empty()) return;
    const kin = chosen.union(chosen.predecessors()).union(chosen.successors());
    if (kin.edges().empty()) return; // they have no relatives to find; the next parent is chosen among the others
    cy.elements().difference(kin).addClass("dim");
    kin.edges().addClass("kin");
  });
}

function explain(tree) {
  const ids = selectedIds(tree);
  tree.root.dataset.selected = ids.join(" ");
  tree.root.dataset.nodes = tree.cy.nodes().length;
  tree.cy.nodes(".cursor").removeClass("cursor");
  if (tree.cursor) tree.cy.getElementById(tree.cursor).addClass("cursor");
  tree.root.dataset.cursor = tree.cursor || "";
}

function zoom(tree, factor) {
  const { cy } = tree;
  tree.fitted = false;
  cy.zoom({ level: cy.zoom() * factor, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } });
}

// The zoom at which the whole tree is seen.
function levelOf(tree) {
  const box = tree.cy.elements().boundingBox(), { wide, high } = room(tree);
  return Math.min(LARGEST, wide / box.w, high / box.h);
}

function room({ cy }) {
  return { wide: cy.width() - GUTTER - MARGIN, high: cy.height() - 2 * MARGIN - 40 };
}

// The whole tree if its drawings stay visible, else the selection or the latest generation.
function fit(tree, whole) {
  const { cy } = tree, box = cy.elements().boundingBox(), { wide, high } = room(tree), level = levelOf(tree);
  tree.fitted = whole || level >= FEWEST_PIXELS;
  if (tree.fitted) {
    cy.zoom(level);
    cy.pan({
      x: GUTTER + wide / 2 - (level * (box.x1 + box.x2)) / 2,
      y: MARGIN + 20 + high / 2 - (level * (box.y1 + box.y2)) / 2,
    });
    return;
  }
  const chosen = cy.nodes(":selected");
  const lowest = Math.max(...cy.nodes().map((node) => node.position("y")));
  const last = cy.nodes().filter((node) => node.position("y") >= lowest - 400);
  cy.zoom(NEAR);
  cy.center(chosen.nonempty() ? chosen : last);
  if (chosen.empty()) cy.panBy({ x: 0, y: cy.height() * 0.24 });
}

function centreOn(tree, id) {
  const node = tree.cy.getElementById(id);
  if (node.empty()) return;
  tree.cursor = id;
  const { x, y } = node.renderedPosition();
  const isSeen = x > 60 && x < tree.cy.width() - 60 && y > 60 && y < tree.cy.height() - 60;
  if (isSeen && tree.fitted) return;
  tree.fitted = false;
  if (tree.cy.zoom() < NEAR) tree.cy.zoom(NEAR);
  tree.cy.center(node);
}

// Input --------------------------------------------------------------------------------------------------

function listen(tree) {
  const { cy, canvas, search } = tree;
  cy.on("select unselect", "node", () => {
    if (tree.quiet) return;
    clearTimeout(tree.telling);
    tree.telling = setTimeout(() => {
      highlight(tree);
      explain(tree);
      tellSelection(tree);
    }, 30);
  });
  cy.on("tap", "node", (event) => {
    tree.cursor = event.target.id();
    tree.tip.hidden = true;
    explain(tree);
    if (event.target.data("count")) tree.ask("unfold", event.target.data("of"));
    else if (isOnFold(event)) {
      const chosen = cy.nodes(":selected");
      toggleFold(tree, event.target);
      setTimeout(() => cy.destroyed() || restore(tree, chosen)); // the badge folds and does not select
    }
  });
  // The browser knows a double click even if this page was too busy to see both clicks in time; it has none for fingers.
  let tapped = null;
  cy.on("tap", (event) => (tapped = event.target === cy ? null : event.target));
  canvas.addEventListener("dblclick", () => {
    if (tapped?.isNode()) open(tree, tapped);
  });
  cy.on("dbltap", "node", (event) => {
    if (event.originalEvent?.type.startsWith("touch")) open(tree, event.target);
  });
  cy.on("viewport", () => {
    sizeNames(tree);
    placeRows(tree);
    placeCards(tree);
  });
  // Until the user moves it, the whole tree stays in view as nodes are added.
  cy.on("dragpan scrollzoom pinchzoom", () => (tree.fitted = false));
  cy.on("render", () => {
    if (tree.sized) tree.root.dataset.drawn ??= Math.round(performance.now()); // milliseconds after navigation
  });
  cy.on("mouseover", "node", (event) => {
    canvas.style.cursor = "pointer";
    if (event.originalEvent?.buttons) return;
    event.target.addClass("under");
    offerFold(tree, event.target);
    tree.tip.textContent = event.target.data("says");
    tree.tip.hidden = false;
    const { x, y } = event.target.renderedPosition(), away = (event.target.renderedHeight() / 2) + 10;
    tree.tip.style.left = `${Math.max(4, Math.min(x + away, cy.width() - tree.tip.offsetWidth - 8))}px`;
    tree.tip.style.top = `${Math.max(4, Math.min(y - away, cy.height() - tree.tip.offsetHeight - 8))}px`;
  });
  cy.on("mouseout", "node", (event) => {
    event.target.removeClass("under");
    offerFold(tree, null);
  });
  cy.on("mouseout drag pan zoom", () => {
    canvas.style.cursor = "";
    tree.tip.hidden = true;
  });
  // After pointerdown, at which cytoscape removes the focus.
  canvas.addEventListener("pointerup", () => canvas.focus({ preventScroll: true }));
  canvas.addEventListener("pointerleave", () => (tree.tip.hidden = true));
  canvas.addEventListener("keydown", (event) => pressed(tree, event));
  search.addEventListener("input", () => {
    tree.message.hidden = true;
    match(tree);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && search.value.trim()) seek(tree);
    else if (event.key === "Escape") {
      search.value = "";
      match(tree);
      canvas.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

function tellSelection(tree) {
  const ids = selectedIds(tree), now = JSON.stringify(ids);
  if (now === tree.told) return;
  tree.told = now;
  tree.say("selected", { ids, at: Date.now() });
}

function open(tree, node) {
  clearTimeout(tree.telling); // a selection that arrives later would keep Streamlit on this page
  if (node.data("count")) tree.ask("unfold", node.data("of"));
  else tree.ask("open", node.id());
}

function match(tree) {
  const text = tree.search.value.trim().toLowerCase();
  tree.cy.batch(() => {
    tree.cy.nodes(".match").removeClass("match");
    if (text) tree.cy.nodes().filter((node) => !node.data("count") && node.data("name").toLowerCase().includes(text)).addClass("match");
  });
}

// Select the concept with that name, else the first with that beginning; Python finds the folded ones.
function seek(tree) {
  const text = tree.search.value.trim().toLowerCase();
  const named = tree.cy.nodes().filter((node) => !node.data("count"));
  const name = (node) => node.data("name").toLowerCase();
  for (const fits of [(node) => name(node) === text, (node) => name(node).startsWith(text)]) {
    const found = named.filter(fits);
    if (found.nonempty()) {
      fold(tree, [found[0].id()]);
      choose(tree, found[0]);
      centreOn(tree, found[0].id());
      explain(tree);
      return;
    }
  }
  tree.ask("find", tree.search.value.trim());
}

function choose(tree, node, also = false) {
  if (!also) tree.cy.nodes(":selected").difference(node).unselect();
  node.select();
}

function restore(tree, chosen) {
  tree.cy.nodes(":selected").difference(chosen).unselect();
  chosen.intersection(visible(tree)).select();
}

function pressed(tree, event) {
  const { cy } = tree, here = tree.cursor ? cy.getElementById(tree.cursor) : cy.collection();
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const next = { ArrowUp: above, ArrowDown: below, ArrowLeft: left, ArrowRight: right }[event.key];
  if (next) {
    const to = here.empty() ? first(tree) : next(tree, here);
    if (to) {
      tree.cursor = to.id();
      if (event.shiftKey && !to.data("count")) choose(tree, to, true);
      reveal(tree, to);
      explain(tree);
      tree.heard.textContent = `${to.data("says")}${to.selected() ? ", selected" : ""}`;
    }
  } else if (event.key === " " && here.nonempty()) {
    if (here.data("count")) open(tree, here);
    else if (here.selected()) here.unselect();
    else here.select();
    tree.heard.textContent = `${here.data("name")} ${here.selected() ? "selected" : "not selected"}`;
  } else if (event.key === "Enter" && here.nonempty()) open(tree, here);
  else if (event.key === "Escape") cy.nodes(":selected").unselect();
  else if (event.key === "+" || event.key === "=") zoom(tree, 1.3);
  else if (event.key === "-") zoom(tree, 1 / 1.3);
  else if (event.key === "0") fit(tree, true);
  else if (event.key === "/") {
    tree.search.focus();
    tree.search.select(); // what is typed replaces the old search
  }
  else if (event.key === "?") showKeys();
  else if (event.key.toLowerCase() === "f" && here.nonempty()) toggleFold(tree, here);
  else if (event.key.toLowerCase() === "p") toPad(tree);
  else if (event.key.toLowerCase() === "b") breed(tree);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function first(tree) {
  const chosen = tree.cy.nodes(":selected");
  if (chosen.nonempty()) return chosen[0];
  const middle = { x: tree.cy.width() / 2, y: tree.cy.height() / 2 };
  return nearest(visible(tree), (node) => Math.hypot(node.renderedPosition("x") - middle.x, node.renderedPosition("y") - middle.y));
}

function nearest(nodes, distance) {
  let best = null, least = Infinity;
  nodes.forEach((node) => {
    const far = distance(node);
    if (far < least) [best, least] = [node, far];
  });
  return best;
}

// The parent with the largest weight, else the nearest node above.
function above(tree, node) {
  return heaviest(node.incomers("edge:visible"), "source") || across(tree, node, (y) => y < node.position("y"));
}

function below(tree, node) {
  return heaviest(node.outgoers("edge:visible"), "target") || across(tree, node, (y) => y > node.position("y"));
}

function heaviest(edges, end) {
  const edge = nearest(edges, (each) => -each.data("weight"));
  return edge && edge[end]();
}

function across(tree, node, fits) {
  const { x, y } = node.position();
  const nodes = visible(tree).filter((each) => fits(each.position("y")));
  return nearest(nodes, (each) => 1000 * Math.abs(each.position("y") - y) + Math.abs(each.position("x") - x));
}

function left(tree, node) {
  return beside(tree, node, -1);
}

function right(tree, node) {
  return beside(tree, node, 1);
}

function beside(tree, node, way) {
  const { x, y } = node.position();
  const row = visible(tree).filter((each) => each.position("y") === y && (each.position("x") - x) * way > 0);
  return nearest(row, (each) => Math.abs(each.position("x") - x));
}

// Pan as little as needed to show a node.
function reveal(tree, node) {
  const { cy } = tree, { x, y } = node.renderedPosition(), margin = 70 * Math.min(1.2, cy.zoom()) + 20;
  const by = (value, size) => (value < margin ? margin - value : value > size - margin ? size - margin - value : 0);
  const way = { x: by(x, cy.width()), y: by(y, cy.height()) };
  if (way.x || way.y) tree.fitted = false;
  cy.panBy(way);
}
