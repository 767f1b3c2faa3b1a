// A map of cells, a grid for screen readers. Text of users is set as textContent only.
export default function ({ parentElement, data, setTriggerValue }) {
  const board = parentElement.querySelector(".board");
  const held = board.contains(board.getRootNode().activeElement) ? board.getRootNode().activeElement.dataset.at : null;
  board.style.setProperty("--columns", data.columns);
  const [across, up] = data.ends;
  const grid = make("div", "grid");
  grid.setAttribute("role", "group");
  grid.setAttribute("aria-label", data.label);
  const there = new Map(data.cells.map((cell) => [`${cell.column},${cell.row}`, cell]));
  for (let row = data.rows - 1; row >= 0; row -= 1) {
    for (let column = 0; column < data.columns; column += 1) grid.append(shown(there.get(`${column},${row}`)));
  }
  board.replaceChildren(axis("up", up), grid, axis("across", across));
  if (held) board.querySelector(`[data-at="${held}"]`)?.focus();
  board.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -data.columns, ArrowDown: data.columns }[event.key];
    const at = [...grid.children].indexOf(board.getRootNode().activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    grid.children[at + step]?.focus();
  };

  function shown(cell) {
    const button = make("button", cell.id ? "cell" : "cell empty");
    button.type = "button";
    button.dataset.at = `${cell.column},${cell.row}`;
    const place = `column ${cell.column + 1}, row ${cell.row + 1}`;
    if (cell.id) {
      button.setAttribute("aria-label", `Open ${cell.name}, ${place}, quality ${cell.quality.toFixed(2)}`);
      button.title = `${cell.name}: quality ${cell.quality.toFixed(2)}`;
      if (cell.image) {
        const image = make("img", "");
        image.src = cell.image;
        image.alt = cell.alt;
        image.loading = "lazy";
        button.append(image);
      } else button.append(make("span", "blank"));
      const bar = make("span", "bar");
      bar.style.setProperty("--quality", `${Math.round(cell.quality * 100)}%`);
      button.append(bar, make("span", "name", cell.name));
    } else {
      button.setAttribute("aria-label", `Breed for the empty cell, ${place}`);
      button.disabled = data.busy;
      button.append(make("span", "blank", data.busy ? "" : "breed here"));
    }
    button.addEventListener("click", () => setTriggerValue("pressed", { column: cell.column, row: cell.row, at: Date.now() }));
    return button;
  }
}

function axis(way, [low, high]) {
  const line = make("div", `axis ${way}`);
  line.append(make("span", "", low), make("span", "line"), make("span", "", high));
  return line;
}

function make(tag, name, text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  return element;
}
