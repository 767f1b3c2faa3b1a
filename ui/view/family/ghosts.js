// Ghosts, which are being learned, show their latest drafts, and the question of their job. The browser asks for them
// itself, so that nothing else on the page changes. One module with family.js.

const WATCH = 1500; // ms between two looks at the ghosts
const ANSWERS = 8; // that are sent again

function watch(tree) {
  clearTimeout(tree.watching);
  for (const [id, card] of tree.cards) {
    if (tree.cy.getElementById(id).empty()) {
      card.remove();
      tree.cards.delete(id);
    }
  }
  if (!tree.data.ghosts || tree.cy.destroyed()) return;
  const again = () => (tree.watching = setTimeout(() => watch(tree), WATCH));
  if (document.hidden) return again();
  fetch(tree.data.ghosts)
    .then((answer) => (answer.ok ? answer.json() : []))
    .then((told) => !tree.cy.destroyed() && told.forEach((each) => haunt(tree, each)))
    .catch(() => {}) // the server is gone: Streamlit says so
    .finally(() => !tree.cy.destroyed() && again());
}

function haunt(tree, { id, picture, says, word, asks }) {
  const ghost = tree.cy.getElementById(id);
  if (ghost.empty()) return;
  if (ghost.data("says") !== says || (picture && ghost.data("picture") !== picture)) {
    // The drawing of a question that is answered stays until the next one.
    ghost.data({ picture: picture || ghost.data("picture"), says, found: word && `avoids ${word}` });
  }
  let card = tree.cards.get(id);
  if (card && card.dataset.token !== asks?.token) {
    card.remove();
    tree.cards.delete(id);
    card = null;
  }
  if (asks && !card) tree.cards.set(id, asking(tree, ghost, asks));
  placeCards(tree);
}

// The question of a job, on the ghost that it is about.
function asking(tree, ghost, { token, words, step, back }) {
  const name = ghost.data("name"), proposed = words.join(", ") || "nothing";
  const card = made("div", "ask", tree.root, { role: "group", "aria-label": `${name} waits for you at step ${step}` });
  card.dataset.token = token;
  const asked = made("div", "asked", card);
  asked.textContent = `Avoid ${proposed}?`;
  asked.title = `${name} at step ${step}: make ${proposed} a negative?`;
  const buttons = made("div", "answers", card);
  const answers = [["accept", "✓", `Accept ${proposed} for ${name}`], ["refuse", "✗", `Refuse ${proposed} for ${name}`]];
  if (back !== null) answers.push(["back", "↶", `Put ${name} back to step ${back}`]);
  for (const [answer, sign, title] of answers) {
    button(buttons, sign, title, () => {
      buttons.replaceChildren();
      asked.textContent = "Answer sent";
      tree.canvas.focus({ preventScroll: true });
      tree.answers = [...(tree.answers ?? []), { id: ghost.id(), token, answer }].slice(-ANSWERS);
      tree.ask("steer", tree.answers); // earlier ones again: of events that wait only the last one is kept
    });
  }
  return card;
}

// Below their drawings, over the names.
function placeCards(tree) {
  for (const [id, card] of tree.cards) {
    const ghost = tree.cy.getElementById(id);
    if (ghost.empty()) continue;
    const { x, y } = ghost.renderedPosition();
    card.style.left = `${x}px`;
    card.style.top = `${y + ghost.renderedHeight() / 2 - 14}px`;
  }
}
