// Pictures dropped on the tree: Python finds the concept of one of our drawings, and any other becomes a parent. One
// module with family.js.

const HEAVIEST = 20e6, MOST_AT_ONCE = 4; // bytes of all pictures that are dropped at once; pictures

function acceptDrops(tree) {
  const { root } = tree, has = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const hint = made("div", "drop", root, { hidden: "", "aria-hidden": "true" });
  hint.textContent = "Drop a photograph to breed with it, or a drawing to find its concept";
  let inside = 0; // elements entered and not left again
  root.addEventListener("dragenter", (event) => {
    if (!has(event)) return;
    inside += 1;
    hint.hidden = false;
    event.preventDefault();
  });
  root.addEventListener("dragleave", (event) => {
    if (has(event) && --inside <= 0) hint.hidden = true;
  });
  root.addEventListener("dragover", (event) => {
    if (!has(event)) return;
    event.dataTransfer.dropEffect = "copy";
    event.preventDefault();
  });
  root.addEventListener("drop", async (event) => {
    if (!has(event)) return;
    event.preventDefault();
    inside = 0;
    hint.hidden = true;
    const files = [...event.dataTransfer.files].slice(0, MOST_AT_ONCE);
    if (files.reduce((sum, file) => sum + file.size, 0) > HEAVIEST) {
      return warn(tree, `These files are too large: drop up to ${HEAVIEST / 1e6} MB at once.`);
    }
    try {
      tree.ask("drop", { files: await Promise.all(files.map(read)), at: Date.now() });
    } catch {
      warn(tree, "What you dropped cannot be read: drop a file.");
    }
  });
}

async function read(file) {
  const address = await new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(file);
  });
  return { name: file.name, content: address.slice(address.indexOf(",") + 1) };
}

function warn(tree, text) {
  tree.message.textContent = text;
  tree.message.hidden = false;
}
