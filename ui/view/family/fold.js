// Folding: a person hides what descends from a concept; a badge at its corner tells how many. Kept for the session of the
// browser, by run. One module with family.js.

const FOLDED = "conceptree.folded:";
const runNow = () => new URLSearchParams(location.search).get("run") ?? "";

function foldedBefore() {
  try {
    return new Set(JSON.parse(sessionStorage.getItem(FOLDED + runNow()) ?? "[]"));
  } catch {
    return new Set();
  }
}

const visible = (tree) => tree.cy.nodes().filter((node) => !node.hasClass("folded"));
const foldable = (node) => node.successors("node").filter((each) => each.data("birth") !== "ghost");

// Show and hide by `tree.folded`. shown: ids that must be visible, so what hides them is unfolded.
function fold(tree, shown = []) {
  const { cy, folded } = tree;
  for (const id of shown) {
    cy.getElementById(id).predecessors("node").forEach((each) => folded.delete(each.id()));
  }
  const roots = cy.nodes().filter((node) => folded.has(node.id()) && foldable(node).nonempty());
  const hides = roots.map((node) => foldable(node)).reduce((all, some) => all.union(some), cy.collection());
  cy.batch(() => {
    cy.elements(".folded").difference(hides).removeClass("folded");
    hides.addClass("folded");
    hides.connectedEdges().addClass("folded");
    hides.filter(":selected").unselect();
    cy.nodes("[fold]").difference(roots).removeData("fold");
    roots.forEach((node) => node.data("fold", `+${sum(foldable(node))}`));
  });
  try {
    sessionStorage.setItem(FOLDED + runNow(), JSON.stringify([...folded]));
  } catch {} // not allowed: then until the page is loaded again
}

// Concepts, with those in branches that Python has folded.
const sum = (nodes) => nodes.reduce((all, node) => all + (node.data("count") || 1), 0);

function toggleFold(tree, node) {
  const id = node.id(), there = foldable(node);
  if (there.empty()) return say(tree, `${node.data("name")} has no descendants`);
  if (!tree.folded.delete(id)) tree.folded.add(id);
  fold(tree);
  placeRows(tree);
  say(tree, tree.folded.has(id) ? `${sum(there)} descendants of ${node.data("name")} folded` : `${node.data("name")} unfolded`);
}

function say(tree, text) {
  tree.heard.textContent = text;
}

// The badge of the concept under the pointer, unless it tells a number already.
function offerFold(tree, node) {
  const { cy } = tree;
  cy.nodes("[fold = '−']").removeData("fold");
  if (node && !node.data("fold") && !node.data("count") && foldable(node).nonempty()) node.data("fold", "−");
}

// Whether a click is on the badge: the lower right corner.
function isOnFold(event) {
  const node = event.target, { x, y } = node.position(), half = PICTURE / 2;
  return Boolean(node.data("fold")) && event.position.x > x + half - 20 && event.position.y > y + half - 20;
}
