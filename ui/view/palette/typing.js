// Letters that a person types beside a field, where a letter alone would start work. One module with palette.js.

const FIELDS = "input:not([type=checkbox], [type=radio], [type=range], [type=file]), textarea, select, [contenteditable=true]";
const OVERLAYS = "[role=dialog]"; // popovers and dialogs of Streamlit
const HELP = "[data-testid=stTooltipIcon]"; // the question mark beside a field's label

// Whether a person types: the keys belong to the field then.
function types(event) {
  return Boolean(event.composedPath()[0].matches?.(FIELDS));
}

// Whether a letter or digit is meant for a field that lost the focus, or never had it. A large picture and other
// dialogs of our own have keys of their own, which they get if the focus is in them.
function strays(event) {
  if (!/^[\p{L}\p{N}]$/u.test(event.key) || event.ctrlKey || event.metaKey || event.altKey || types(event)) return false;
  const path = event.composedPath().filter((each) => each.matches);
  if (path.some((each) => each.matches("dialog[open]"))) return false;
  return path.some((each) => each.matches(HELP)) || Boolean(document.querySelector(OVERLAYS)) || ownDialog();
}

function ownDialog() {
  const parts = [...document.querySelectorAll("[data-testid=stBidiComponentIsolated]")];
  return parts.some((each) => each.shadowRoot?.querySelector("dialog[open]"));
}

// No shortcut of the page gets such a letter. At the window and before all others.
function keepLetters(event) {
  if (strays(event)) event.stopImmediatePropagation();
}

// The first field of each popover that opens has the focus once it is there, unless a person is at something else there.
function focusFields() {
  const done = new WeakSet();
  const look = () => {
    for (const body of document.querySelectorAll("[data-testid=stPopoverBody]")) {
      const field = !done.has(body) && body.querySelector(FIELDS);
      if (!field || field.disabled) continue;
      done.add(body);
      if (document.activeElement === body || !body.contains(document.activeElement)) field.focus({ preventScroll: true });
    }
  };
  const opened = new MutationObserver(look);
  opened.observe(document.body, { childList: true, subtree: true });
  return opened;
}
