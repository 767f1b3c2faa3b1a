// The pictures of the page: those of the components are in shadow trees. A click on a picture opens it, unless a click
// means something else there; a card has a button for it (see cards.js).

const ROOMS = /^\/(pictures|looks|photos|mixtures)\//;
const REST = 450; // ms over a picture before its preview shows
const BIG = 230; // pixels; larger pictures need no preview

function pathOf(address) {
  try {
    const { origin, pathname } = new URL(address, document.baseURI);
    return origin === new URL(box.origin).origin && ROOMS.test(pathname) ? pathname : "";
  } catch {
    return "";
  }
}

function imagesOnPage() {
  const found = document.querySelectorAll('img, [data-testid="stBidiComponentIsolated"]');
  return [...found]
    .flatMap((each) => (each.shadowRoot ? [...each.shadowRoot.querySelectorAll("img")] : each))
    .filter((each) => each.tagName === "IMG" && pathOf(each.src) && !box.dialog.contains(each) && !box.preview.contains(each));
}

// The pictures to leaf through, each once and in the order of the page: of a card, those of its grid; else all.
function picturesOf(image) {
  const grid = image.closest(".grid"), found = new Map();
  for (const each of grid ? imagesOnPage().filter((other) => grid.contains(other)) : imagesOnPage()) {
    const path = pathOf(each.src), isSeen = each.checkVisibility?.() ?? true;
    if (!isSeen || found.has(path)) continue;
    const blind = Boolean(each.closest('[class*="st-key-blind"]'));
    found.set(path, { path, small: each.currentSrc || each.src, alt: each.alt, blind });
  }
  return [...found.values()];
}

function watchPage() {
  prepare();
  if (box.watching) return;
  box.watching = true;
  let timer = 0;
  new MutationObserver(() => (timer ||= setTimeout(() => ((timer = 0), prepare()), 200))).observe(document.body, {
    childList: true, subtree: true,
  });
  document.addEventListener("click", (event) => {
    const image = imageOf(event);
    if (image?.dataset.enlarges) enlarge(image);
  });
  document.addEventListener("conceptree-enlarge", (event) => pathOf(event.detail.src) && enlarge(event.detail));
  document.addEventListener("keydown", (event) => {
    const image = imageOf(event);
    if (!image?.dataset.enlarges || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    enlarge(image);
  });
  document.addEventListener("pointerover", (event) => restOn(imageOf(event)));
  for (const kind of ["pointerdown", "keydown", "wheel"]) document.addEventListener(kind, hidePreview, { capture: true, passive: true });
}

function imageOf(event) {
  const first = event.composedPath()[0];
  return first?.tagName === "IMG" ? first : null;
}

// Streamlit's own pictures: a click or Enter opens them. Those in links keep their meaning.
function prepare() {
  for (const image of document.querySelectorAll('[data-testid="stImage"] img')) {
    if (image.dataset.enlarges || !pathOf(image.src) || image.closest("a, button")) continue;
    image.dataset.enlarges = "true";
    image.tabIndex = 0;
    image.setAttribute("role", "button");
    image.setAttribute("aria-label", `Enlarge: ${image.alt}`);
    image.style.cursor = "zoom-in";
  }
}

// Larger under the pointer -------------------------------------------------------------------------------------------

function hovers() {
  return kept("hover") !== "off";
}

function restOn(image) {
  hidePreview();
  const still = matchMedia("(prefers-reduced-motion: reduce), (hover: none)").matches;
  if (!image || still || !hovers() || box.at >= 0 || image.clientWidth > BIG || !pathOf(image.src)) return;
  box.resting = setTimeout(() => image.isConnected && showPreview(image), REST);
}

function showPreview(image) {
  const { preview } = box, around = image.getBoundingClientRect(), large = preview.firstElementChild;
  large.src = box.origin + pathOf(image.src);
  preview.showPopover();
  const side = preview.offsetWidth, gap = 10;
  const right = around.right + gap + side <= innerWidth ? around.right + gap : around.left - gap - side;
  preview.style.left = `${Math.max(4, right)}px`;
  preview.style.top = `${Math.max(4, Math.min(around.top, innerHeight - side - 4))}px`;
}

function hidePreview() {
  clearTimeout(box.resting);
  if (box.preview?.matches(":popover-open")) box.preview.hidePopover();
}
