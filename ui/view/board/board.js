// A map of cells, one stop of the Tab key: arrow keys go from cell to cell. Text of users is set as textContent only.
export default function ({ parentElement, data, setTriggerValue }) {
  const board = parentElement.querySelector(".board");
  const last = board.querySelector('.cell[tabindex="0"]')?.dataset.at;
  const held = board.contains(board.getRootNode().activeElement) ? last : null;
  board.style.setProperty("--columns", data.columns);
  board.style.setProperty("--rows", data.rows);
  const [across, up] = data.ends;
  const grid = make("div", "grid");
  grid.setAttribute("role", "group");
  grid.setAttribute("aria-label", data.label);
  const there = new Map(data.cells.map((cell) => [`${cell.column},${cell.row}`, cell]));
  for (let row = data.rows - 1; row >= 0; row -= 1) {
    for (let column = 0; column < data.columns; column += 1) grid.append(shown(there.get(`${column},${row}`)));
  }
  board.replaceChildren(axis("up", up), grid, axis("across", across));
  stopAt(grid.querySelector(`[data-at="${last}"]`) ?? grid.querySelector(".cell:not(.empty)") ?? grid.firstElementChild);
  if (held) board.querySelector(`[data-at="${held}"]`)?.focus();
  grid.addEventListener("focusin", (event) => stopAt(event.target.closest(".cell")));
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
      button.setAttribute("aria-label", `Empty, ${place}`);
      button.title = data.busy ? "" : "Breed children for this cell";
      button.setAttribute("aria-disabled", String(data.busy)); // arrow keys reach it
      button.append(make("span", "blank", data.busy ? "" : "+"));
    }
    button.addEventListener("click", () => {
      if (cell.id || !data.busy) setTriggerValue("pressed", { column: cell.column, row: cell.row, at: Date.now() });
    });
    return button;
  }

  function stopAt(cell) {
    for (const each of grid.children) each.tabIndex = each === cell ? 0 : -1;
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
