"""All keyboard shortcuts and gestures, by the part of the workbench that knows them; `?` lists them."""

from __future__ import annotations

SHORTCUTS: dict[str, tuple[tuple[str, str], ...]] = {
    "Everywhere": (
        ("Ctrl K", "find pages, runs, concepts, tags, boards and actions; on a Mac Cmd K"),
        ("Ctrl Z, Ctrl Shift Z", "undo and redo the last change, such as a rating or hiding"),
        ("?", "this list; Esc closes it"),
    ),
    "Family tree": (
        ("↑ ↓ ← →", "go to parents, children, neighbours"),
        ("Shift ↑ ↓ ← →", "go there and select it too"),
        ("Space", "select or deselect"),
        ("Enter", "open the concept, or unfold a branch"),
        ("P", "go to the mixing pad of the selected concepts"),
        ("B", "breed the selected concepts"),
        ("F", "fold what descends from the concept, or unfold it"),
        ("/", "search by name"),
        ("+ − 0", "zoom, show all"),
        ("Esc", "clear the selection"),
        ("click, Shift click", "select one, add or remove one"),
        ("Shift drag", "select all in a box"),
        ("double click", "open the concept"),
        ("wheel, drag", "zoom, move"),
        ("drop a picture", "a photograph becomes a parent, a drawing finds its concept"),
    ),
    "Mixing pad": (
        ("↑ ↓ ← →", "go to another mixture; with Shift in half steps"),
        ("Enter", "choose it"),
        ("1 to 4", "go to a parent"),
        ("Esc", "go back to the choice"),
        ("← → Page Up Page Down", "on a parent's slider: 1 % or 10 %"),
        ("B", "breed"),
    ),
    "Gallery": (
        ("↑ ↓ ← → Home End", "go to another concept; with Shift select the way"),
        ("Space", "select or deselect"),
        ("Ctrl A", "select all"),
        ("Enter", "open the concept"),
        ("Z", "show the picture large"),
        ("M", "more like this: learn variations of the selected concept; also on the concept's page"),
        ("Esc", "clear the selection"),
    ),
    "Large pictures": (
        ("← → Home End", "go to another picture"),
        ("1 to 5", "rate"),
        ("F H", "favourite, hide"),
        ("+ − 0", "zoom"),
        ("P S", "show the pixels, or sharp edges; again: smooth"),
        ("D C", "save as PNG; without its background"),
        ("Esc", "close"),
    ),
    "Map": (
        ("↑ ↓ ← →", "go to another cell"),
        ("Enter", "open its concept, or breed for an empty cell"),
    ),
    "Compare": (("← →", "move the slider between two pictures"),),
    "Rate": (
        ("1 to 5", "stars"),
        ("A B", "choose the one or the other"),
        ("Enter", "What do you like: answer the six, and go on"),
    ),
}
