// The shown picture: its facts, its zoom.

const SMALLEST = 0.25, LARGEST = 16; // zoom, in times of the size that fits
const STEP = 1.0015; // of the zoom, for a pixel of the wheel

function show() {
  const picture = now(), large = part("large"), gone = part("gone");
  large.alt = picture.alt;
  gone.hidden = true;
  large.hidden = false;
  large.onerror = () => {
    large.hidden = true;
    gone.hidden = false;
    gone.textContent = "This picture is missing.";
  };
  large.src = picture.small; // there already
  complain("");
  look(box.look, false);
  part("before").disabled = box.at === 0;
  part("play").hidden = box.pictures.length < 2;
  part("after").disabled = box.at === box.pictures.length - 1;
  fit();
  tell();
  hear("");
}

// The facts of the shown picture and, in advance, of its neighbours. isNew: no other facts of it are shown.
function tell(isNew = true) {
  const picture = now(), known = box.facts.get(picture.path);
  if (isNew) dress(known ?? { name: picture.alt, lines: [] });
  for (const each of [picture, box.pictures[box.at + 1], box.pictures[box.at - 1]]) {
    if (each) factsOf(each).then((facts) => facts && each === now() && box.facts.get(each.path) === facts && dress(facts));
  }
}

// What the server knows of a picture, with the marks that it does not know yet; null if that is nothing.
function factsOf(picture) {
  const { asked, facts } = box, { path } = picture;
  if (picture.blind || !/^\/(pictures|looks|photos)\//.test(path)) return Promise.resolve(null);
  if (!asked.has(path)) {
    asked.set(path, fetch(`${box.origin}/about${path.replace(/\.webp$/, "")}`)
      .then((answer) => (answer.ok ? answer.json() : null))
      .then((told) => {
        for (const mark of box.marks) {
          if (told && mark.number > box.seen && mark.run === told.run && mark.concept === told.concept) told[mark.field] = mark.value;
        }
        if (told) facts.set(path, told);
        return told;
      })
      .catch(() => null)); // the server is gone: Streamlit says so
  }
  return asked.get(path);
}

function dress(facts) {
  const { dialog } = box, picture = now(), isOf = Boolean(facts.concept);
  dialog.querySelector("#name").textContent = facts.name;
  const place = box.pictures.length > 1 ? [`${box.at + 1} of ${box.pictures.length}`] : [];
  // A line breaks between facts, and within one only if it is longer than the line.
  const lines = [...facts.lines, ...place].filter(Boolean);
  dialog.querySelector("#facts").replaceChildren(...lines.flatMap((line, at) => [made("span", at ? `· ${line}` : line), " "]));
  part("marked").hidden = !facts.hidden;
  for (const name of ["stars", "favourite", "hide"]) part(name).hidden = !isOf;
  [...part("stars").children].forEach((star, place) => {
    star.classList.toggle("on", place < (facts.rating ?? 0));
    star.setAttribute("aria-pressed", String(facts.rating === place + 1));
  });
  part("favourite").setAttribute("aria-pressed", String(Boolean(facts.favourite)));
  part("favourite").textContent = facts.favourite ? "♥" : "♡";
  part("favourite").setAttribute("aria-label", "Favourite");
  part("hide").setAttribute("aria-pressed", String(Boolean(facts.hidden)));
  part("files").hidden = part("sharp").hidden = !facts.file;
}

function fit() {
  [box.level, box.x, box.y] = [1, 0, 0];
  measure();
}

// Zoom about a point of the stage, by default its middle.
function zoomBy(factor, x = 0, y = 0) {
  const level = Math.min(LARGEST, Math.max(SMALLEST, box.level * factor));
  box.x = x - (x - box.x) * (level / box.level);
  box.y = y - (y - box.y) * (level / box.level);
  box.level = level;
  measure();
}

function measure() {
  const large = part("large");
  large.style.transform = `translate(${box.x}px, ${box.y}px) scale(${box.level})`;
  part("zoom").textContent = `${Math.round(100 * box.level)} %`;
}

// Show its pixels, or sharp edges (see core/upscaling.py), or else smooth. toggles: the same again is smooth.
function look(name, toggles = true) {
  const picture = now(), large = part("large"), gone = part("gone");
  box.look = toggles && box.look === name ? "smooth" : name;
  if (toggles) keep("look", box.look);
  const { look } = box, whole = new Image();
  large.classList.toggle("pixels", look === "pixels");
  part("crisp").setAttribute("aria-pressed", String(look === "pixels"));
  part("sharp").setAttribute("aria-pressed", String(look === "sharp"));
  whole.onload = () => {
    if (now() !== picture || box.look !== look) return;
    large.src = whole.src;
    large.hidden = false;
    gone.hidden = true;
    measure();
  };
  const plain = box.origin + picture.path, canBeSharp = /^\/(pictures|looks|photos)\//.test(picture.path) && !picture.blind;
  whole.onerror = () => whole.src !== plain && (whole.src = plain); // large already
  whole.src = look === "sharp" && canBeSharp ? savedOf(picture, "upscale=4") : plain;
}

function listenToStage(stage) {
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { left, top, width, height } = stage.getBoundingClientRect();
    zoomBy(STEP ** -event.deltaY, event.clientX - left - width / 2, event.clientY - top - height / 2);
  }, { passive: false });
  let from = null, moved = false;
  stage.addEventListener("pointerdown", (event) => {
    from = { x: event.clientX - box.x, y: event.clientY - box.y };
    moved = false;
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    if (!from) return;
    const to = { x: event.clientX - from.x, y: event.clientY - from.y };
    moved ||= Math.hypot(to.x - box.x, to.y - box.y) > 3;
    if (!moved) return;
    [box.x, box.y] = [to.x, to.y];
    measure();
  });
  for (const kind of ["pointerup", "pointercancel"]) stage.addEventListener(kind, () => (from = null));
  stage.addEventListener("click", (event) => {
    // Beside the picture closes; the pointer was captured, so the event is always the stage's.
    const { left, right, top, bottom } = part("large").getBoundingClientRect();
    const isOn = event.clientX >= left && event.clientX <= right && event.clientY >= top && event.clientY <= bottom;
    if (!moved && !isOn) box.dialog.close();
  });
}
