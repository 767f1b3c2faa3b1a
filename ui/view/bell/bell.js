// One watch for the whole tab: it stays while pages come and go. Permission for notifications is asked at a click on
// the bell and never otherwise.

const OFTEN = 2000, SELDOM = 6000; // ms between two looks, while a job runs and while none does
const KEPT = "conceptree.notify"; // in the browser: "on" after a click on the bell
const MARK = /^(?:● waits for you|▸ .*?) · /;
const BELL =
  '<svg viewBox="0 0 24 24" aria-hidden="true"><path class="body" d="M6 16v-5a6 6 0 0 1 12 0v5l1.5 2h-15z"/>' +
  '<path class="clapper" d="M10 20.5a2 2 0 0 0 4 0"/><path class="off" d="M4 4l16 16"/></svg>';
const watch = (window.conceptreeWatch ??= { jobs: new Map(), bells: new Set(), begun: false, timer: 0 });

export default function ({ parentElement, data, setTriggerValue }) {
  watch.address = data.address;
  watch.go = setTriggerValue;
  const bell = parentElement.querySelector("button");
  if (!bell.firstChild) {
    bell.innerHTML = BELL;
    bell.addEventListener("click", () => clicked(parentElement));
  }
  watch.bells.add(parentElement);
  watch.bells.forEach(paint);
  if (!watch.begun) begin();
  return () => watch.bells.delete(parentElement);
}

// The bell -----------------------------------------------------------------------------------------------------------

const possible = () => "Notification" in window && window.isSecureContext;
const wanted = () => possible() && Notification.permission === "granted" && localStorage.getItem(KEPT) === "on";

function paint(parent) {
  const bell = parent.querySelector("button");
  bell.hidden = !possible();
  if (bell.hidden) return;
  const blocked = Notification.permission === "denied";
  const title = blocked
    ? "Notifications are blocked: allow them for this address in the browser's settings"
    : "Notify me when a job ends or asks";
  bell.setAttribute("aria-pressed", String(wanted()));
  bell.setAttribute("aria-disabled", String(blocked));
  bell.setAttribute("aria-label", title);
  bell.title = title;
}

async function clicked(parent) {
  if (Notification.permission === "default") {
    await Notification.requestPermission();
    if (Notification.permission === "granted") localStorage.setItem(KEPT, "on");
  } else if (Notification.permission === "granted") localStorage.setItem(KEPT, wanted() ? "off" : "on");
  watch.bells.forEach(paint);
  const on = wanted() ? "Notifications are on" : "Notifications are off";
  parent.querySelector(".heard").textContent = Notification.permission === "denied" ? "Notifications are blocked" : on;
}

// The watch ----------------------------------------------------------------------------------------------------------

function begin() {
  watch.begun = true;
  // Streamlit sets the title at each page; the mark comes back.
  new MutationObserver(retitle).observe(document.head, { childList: true, subtree: true, characterData: true });
  document.addEventListener("visibilitychange", () => document.hidden || look());
  look();
}

async function look() {
  clearTimeout(watch.timer);
  const known = [...watch.jobs.keys()].map((job) => `job=${encodeURIComponent(job)}`).join("&");
  try {
    const answer = await fetch(`${watch.address}?${known}`);
    if (answer.ok) tell(await answer.json());
  } catch {
    // the server is gone: Streamlit says so
  }
  clearTimeout(watch.timer);
  watch.timer = setTimeout(look, watch.jobs.size ? OFTEN : SELDOM);
}

function tell(told) {
  for (const each of told) {
    const before = watch.jobs.get(each.job);
    if (each.works) watch.jobs.set(each.job, each);
    else watch.jobs.delete(each.job);
    if (before && (!each.works || (each.asks && !before.asks))) notify(each);
  }
  const there = new Set(told.map((each) => each.job));
  for (const job of watch.jobs.keys()) if (!there.has(job)) watch.jobs.delete(job);
  retitle();
}

// `▸ 40 % · Conceptree`: the mean of all running jobs; `● waits for you` if one asks.
function mark() {
  const jobs = [...watch.jobs.values()];
  if (jobs.some((each) => each.asks)) return "● waits for you";
  const parts = jobs.map((each) => each.percent).filter((each) => each !== null);
  if (parts.length) return `▸ ${Math.round(parts.reduce((a, b) => a + b) / parts.length)} %`;
  return jobs.length ? "▸ starting" : "";
}

function retitle() {
  const bare = document.title.replace(MARK, ""), now = mark();
  const title = now ? `${now} · ${bare}` : bare;
  if (document.title !== title) document.title = title;
}

function notify({ job, run, name, what, state }) {
  if (!wanted() || (!document.hidden && document.hasFocus())) return;
  const note = new Notification(what, { body: state, tag: job, renotify: true });
  note.onclick = () => {
    window.focus();
    note.close();
    watch.go("go", { run, job: name });
  };
}
