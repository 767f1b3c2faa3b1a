"""Colours and fonts of the workbench: a light and a dark theme, with green for actions."""

from __future__ import annotations

import json

from PIL import Image, ImageDraw

LIGHT = {
    "primaryColor": "#2b6a57",
    "backgroundColor": "#fbfaf7",
    "secondaryBackgroundColor": "#f0ede6",
    "textColor": "#22262a",
    "borderColor": "#d9d4c8",
    "linkColor": "#1d5c8f",
    "codeTextColor": "#22262a",
    "codeBackgroundColor": "#f0ede6",
}
DARK = {
    "primaryColor": "#2f8069",
    "backgroundColor": "#17191c",
    "secondaryBackgroundColor": "#22262a",
    "textColor": "#e8e5de",
    "borderColor": "#3b4046",
    "linkColor": "#8fc3ea",
    "codeTextColor": "#e8e5de",
    "codeBackgroundColor": "#22262a",
}
# Okabe and Ito's colours of lines, ordered so that neighbours differ most, for colour-blind people too.
COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8a7f00", "#7f7f7f"]
BOTH = {
    "baseFontSize": 15,
    "baseRadius": "6px",
    "headingFontSizes": ["1.5rem", "1.2rem", "1.05rem", "1rem", "0.9rem", "0.8rem"],
    "headingFontWeights": [600, 600, 600, 600, 600, 600],
    "metricValueFontSize": "1.3rem",
    "paddingTop": "0.75rem",
    "paddingBottom": "2rem",
    "showWidgetBorder": True,
    "chartCategoricalColors": COLOURS,
}
# Options of `streamlit run`, which takes lists as JSON.
OPTIONS = {
    **{f"theme.{name}": json.dumps(value) if isinstance(value, list) else value for name, value in BOTH.items()},
    **{f"theme.light.{name}": value for name, value in LIGHT.items()},
    **{f"theme.dark.{name}": value for name, value in DARK.items()},
}

# Style that no option covers.
STYLE = """<style>
.stMainBlockContainer { padding-inline: clamp(1rem, 3vw, 3rem); max-width: 1680px; }
[data-testid="stCaptionContainer"] { color: inherit; opacity: 0.82; }
[data-testid="stPageLink"] p { margin: 0; }
/* Pages with and without a scrollbar are equally wide. */
[data-testid="stMain"] { scrollbar-gutter: stable; }
/* Choices that do not fit into one line go on in the next. */
[data-testid="stButtonGroup"] > [role="radiogroup"] { flex-wrap: wrap; row-gap: 4px; }
/* The key that presses a button is as easy to read as its label. */
[data-testid="stButton"] kbd { color: inherit !important; opacity: 1 !important; }
/* A chosen item has its own background; coloured text on it would be hard to read. */
:is([data-variant="segmented_control"], [data-variant="pills"])[data-selected="true"],
[data-testid="stTab"][aria-selected="true"], [data-testid="stSliderThumbValue"] { color: inherit !important; }
/* The last change and its buttons stay on one line; a long change is cut short. */
.st-key-undo-bar { flex: 0 1 auto; flex-wrap: nowrap; width: auto; min-width: 0; max-width: 100%; margin-left: auto; }
.st-key-undo-bar > * { flex-shrink: 0; }
.st-key-undo-bar > :has([data-testid="stCaptionContainer"]) { flex-shrink: 1; min-width: 0; overflow: hidden; }
.st-key-undo-bar [data-testid="stCaptionContainer"] p {
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis;
}
/* Buttons with an icon alone have a name for screen readers. */
[class*="st-key-icon-"] [data-testid="stMarkdownContainer"] {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
/* The heart of a favourite is full and red, as on the cards; the font of icons has no full one. */
.st-key-tree-filled button { color: #c2502a; border-color: currentColor; }
.st-key-tree-filled [data-testid="stIconMaterial"] { font-size: 0; }
.st-key-tree-filled [data-testid="stIconMaterial"]::after { content: "♥"; font: 1.2rem/1 sans-serif; }
/* The main button of a form stays in sight. */
.st-key-evolve-start, .st-key-seed-start { position: sticky; bottom: 8px; z-index: 5; }
@media (max-width: 1400px) {
  :is(.st-key-gallery-favourite, .st-key-gallery-hide) [data-testid="stMarkdownContainer"] {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
  }
}
/* The gallery ends with the window, so that the actions above it stay in sight. */
.st-key-gallery-grid > div, .st-key-gallery-grid [data-testid="stBidiComponentIsolated"] {
  flex: 0 0 auto !important; height: max(340px, calc(100vh - var(--cards-top, 360px) - 48px)) !important;
}
/* On a narrow card of a run, the line of a job goes on in a second line. */
[class*="st-key-home-card-"] [data-testid="stPageLink"] :is(span, div, p) {
  white-space: normal; overflow: visible; line-height: 1.25;
}
[class*="st-key-home-card-"] [data-testid="stPageLink-NavLink"] { height: auto; padding-block: 3px; }
/* Room for a line, also without a job: pages do not jump when one starts. */
.st-key-header { min-height: 42px; }
/* The line of a job has all the room, and goes on in a second line. */
.st-key-header > [data-testid="stLayoutWrapper"] { flex: 1000 1 150px; }
.st-key-header [data-testid="stPageLink"] :is(span, div, p) {
  white-space: normal; overflow: visible; line-height: 1.25;
}
.st-key-header [data-testid="stPageLink-NavLink"] { height: auto; padding-block: 3px; }
/* Its buttons stay beside it. */
.st-key-header-job, .st-key-header-stopped { flex-wrap: nowrap; }
:is(.st-key-header-job, .st-key-header-stopped) > :first-child { flex: 0 1 auto; min-width: 0; }
@media (max-width: 1000px) {
  .st-key-header { gap: 0.75rem; }
  /* The sign alone, so that there is room for the line; screen readers still read the word. */
  .st-key-header-job button p { font-size: 0; }
  .st-key-header-job button [data-testid="stIconMaterial"] { font-size: 1.25rem; }
}
/* Parts that refresh by themselves do not fade in between. */
:is(.st-key-header, .st-key-progress-top, .st-key-progress-course,
     [class*="st-key-home-card-"], [class*="st-key-breed-job-"]) [data-stale] {
  opacity: 1 !important; transition: none !important;
}
</style>"""


def icon() -> Image.Image:
    """Two parents and a child, for the browser's tab. An icon by name would be fetched from another server."""
    side = 64
    picture = Image.new("RGBA", (4 * side, 4 * side))
    draw = ImageDraw.Draw(picture)
    parents, child = ((56, 64), (200, 64)), (128, 196)
    for parent in parents:
        draw.line((parent, child), fill=LIGHT["primaryColor"], width=18)
    for (x, y), colour in zip((*parents, child), ("#2b6a57", "#2b6a57", "#e69f00"), strict=True):
        draw.ellipse((x - 44, y - 44, x + 44, y + 44), fill=colour)
    return picture.resize((side, side), Image.Resampling.LANCZOS)
