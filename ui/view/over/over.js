// Two pictures in one place. Names of users go to textContent and attributes only.

export default function ({ parentElement, data }) {
  const one = (selector) => parentElement.querySelector(selector);
  const slider = one("input"), [first, second] = data.names;
  const place = () => {
    const at = Number(slider.value);
    one("figure").style.setProperty("--at", `${at}%`);
    slider.setAttribute("aria-valuetext", `${at} % ${first}, ${100 - at} % ${second}`);
  };
  slider.setAttribute("aria-label", `Between ${first} and ${second}`);
  one("figure").style.setProperty("--side", `${data.side}px`);
  [one(".first"), one(".second")].forEach((image, place) => {
    if (image.getAttribute("src") !== data.images[place]) image.src = data.images[place];
    image.alt = data.alts[place];
  });
  parentElement.querySelectorAll(".name").forEach((name, place) => (name.textContent = data.names[place]));
  slider.oninput = place;
  place();
}
