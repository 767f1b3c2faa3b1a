// Breeding from the keyboard. The Breed panel is a part of the page that Python draws. One module with family.js.

const PATIENCE = 60_000; // ms in which the panel must show two or more selected concepts: the model may have to load
const RESTS = 400; // ms without work of the page, since a key may still be on its way to it
const TEXT = "input:not([type=range], [type=checkbox], [type=radio]), textarea, select, [contenteditable=true]";

// B in the panel, outside fields, breeds too.
function pressedInPanel(tree, event) {
  const path = event.composedPath(), target = path[0];
  if (event.key.toLowerCase() !== "b" || event.ctrlKey || event.metaKey || event.altKey || target.matches?.(TEXT)) return;
  if (!path.some((each) => each.classList?.contains("st-key-tree-panel"))) return;
  event.preventDefault();
  breed(tree);
}

function breed(tree) {
  tree.heard.textContent = "Breeding";
  whenShown(tree, () => document.querySelector(".st-key-breed-start button"), (button) => {
    if (!button.disabled) return button.click();
    warn(tree, document.querySelector(".st-key-breed-wrong p")?.textContent ?? "Breed is not possible now.");
  });
}

function toPad(tree) {
  const pads = () => [...document.querySelectorAll(".st-key-tree-panel *")].map((each) => each.shadowRoot?.querySelector(".surface"));
  whenShown(tree, () => pads().find((surface) => surface && !surface.hidden), (surface) => {
    surface.scrollIntoView({ block: "nearest" });
    surface.focus();
  });
}

// Act on a part of the panel once the panel shows the selection, and the page is at rest.
function whenShown(tree, find, act) {
  clearTimeout(tree.waiting);
  const until = performance.now() + PATIENCE;
  let rested = performance.now();
  const look = () => {
    const now = performance.now();
    const works = document.querySelector("[data-testid=stApp]")?.dataset.testScriptState !== "notRunning";
    if (works || sorted(tree.data.selected) !== sorted(selectedIds(tree))) rested = now;
    const found = now - rested >= RESTS && find();
    if (found) return act(found);
    const comes = selectedIds(tree).length > 1 || now - rested < 3 * RESTS;
    if (comes && now < until) return (tree.waiting = setTimeout(look, 60));
    const busy = selectedIds(tree).length > 1;
    warn(tree, busy ? "The page is still at work: press the key again." : "Select two or more concepts to breed them.");
  };
  look();
}

const sorted = (ids) => JSON.stringify([...ids].sort());
