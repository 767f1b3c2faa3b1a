"""Photographs as parents of Eq. 5, by their image embeddings, with or without a plain background."""

from __future__ import annotations

import hashlib
import io
import logging
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageChops, ImageDraw, ImageFilter, ImageOps, ImageStat

from core.concept import Parent
from core.errors import ConceptreeError, FileError
from core.files import read_ordinary

LARGEST_MB = 100
LARGEST_MEGAPIXELS = 100  # a small file can unpack to gigabytes
LARGEST_WHOLE = 2**24  # pixels; larger pictures are reduced while they are read, far above what image encoders see
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF", "TGA", "ICO", "PCX")
PLAINEST = 2.0  # standard deviation of each channel, of 255, below which a picture shows nothing
CUTOUT_SIDE = 384  # pixels, longer side for finding the background; image encoders use fewer
TOLERANCE = 60  # largest distance of background pixels from its colour: sum of three differences, each of 255
PLAIN_EDGE = 0.75  # share of edge pixels that must have one colour
LEAST, MOST = 0.02, 0.98  # share of the picture in the foreground
MARGIN = 0.08  # white around the foreground, as a share of its longer side

logging.getLogger("PIL").addHandler(logging.NullHandler())  # else its words about a broken file go to the terminal


class PhotoError(ConceptreeError):
    """A photograph cannot be read, or shows nothing."""


@dataclass(frozen=True)
class Photograph:
    """A photograph as it was read. id: from the file's content, so that the same file is the same parent everywhere; it
    differs without the background.

    picture: upright and square, see `opened` and `cut_out`; label: name of the file. `Run.add_photo` keeps a small
    copy.
    """

    id: str
    picture: Image.Image
    label: str


def read_photo(file: str | Path, cutout: bool = False) -> Photograph:
    """A photograph from a file. cutout: without its background, see `cut_out`.

    Raises:
        PhotoError: the file is missing, too large, or not a picture; or the picture shows nothing, or has no plain
            background.
    """
    content = _content(Path(file))
    picture = cut_out(content, str(file)) if cutout else opened(content, str(file))
    if max(ImageStat.Stat(picture).stddev) < PLAINEST:
        raise PhotoError(f"the photograph {str(file)!r} is of one colour all over: choose one that shows something")
    digest = hashlib.sha256(content + b"cut out" if cutout else content).hexdigest()
    return Photograph(f"photo-{digest[:16]}", picture, Path(file).name)


def photo_parent(photo: str | Path | Photograph, weight: float, backbone: Any) -> Parent:
    """A parent of kind "image": the picture and its mirror image, as the stack's image encoder sees them.

    photo: as it was read, or the file, see `read_photo`.
    """
    if not isinstance(photo, Photograph):
        photo = read_photo(photo)
    import torch

    with torch.no_grad():
        embeds = backbone.encode_images([photo.picture, ImageOps.mirror(photo.picture)])
    return Parent(photo.id, weight, embeds.float().cpu().numpy(), "image")


def opened(content: bytes, name: str) -> Image.Image:
    """The picture upright, as RGB on white, and square: its middle, as CLIP's preprocessing takes it. Of an animation
    its first picture.
    """
    upright = _upright(content, name)
    flat = upright if upright.mode == "RGB" else _on_white(upright)
    side = min(flat.size)
    return ImageOps.fit(flat, (side, side))


def cut_out(content: bytes, name: str) -> Image.Image:
    """The thing before a plain background, upright, in the middle of a white square.

    In a picture with transparency, the opaque part is kept. In others, the background is the area connected to the edge
    with its colour, up to `TOLERANCE`; the same colour inside the thing stays.

    Raises:
        PhotoError: the edge has many colours, or the foreground is empty or the whole picture.
    """
    picture = _upright(content, name).convert("RGBA")
    picture.thumbnail((CUTOUT_SIDE, CUTOUT_SIDE))
    alpha = picture.getchannel("A")
    clear = bool(np.asarray(alpha).min() < 128)
    kept = alpha.point(lambda value: 255 * (value >= 128)) if clear else ImageChops.invert(background(picture, name))
    share = ImageStat.Stat(kept).mean[0] / 255
    if not LEAST <= share <= MOST:
        what = "nothing" if share < LEAST else "everything"
        raise PhotoError(f"the photograph {name!r} without its background shows {what}: keep the background")
    paper = Image.new("RGB", picture.size, "white")
    paper.paste(_on_white(picture), mask=kept)
    thing = paper.crop(kept.getbbox())
    side = round(max(thing.size) * (1 + 2 * MARGIN))
    square = Image.new("RGB", (side, side), "white")
    square.paste(thing, ((side - thing.width) // 2, (side - thing.height) // 2))
    return square


def background(picture: Image.Image, name: str) -> Image.Image:
    """[L] 255 where a picture shows its background: filled from a frame of the edge's colour around it.

    Raises:
        PhotoError: its edge has many colours.
    """
    pixels = np.asarray(picture.convert("RGB"), dtype=np.int16)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    colour = np.median(edge, axis=0).astype(np.int16)
    if np.mean(np.abs(edge - colour).sum(1) <= TOLERANCE) < PLAIN_EDGE:
        raise PhotoError(
            f"the photograph {name!r} has no plain background: its edge has many colours; keep the background, or"
            " photograph the thing before a wall or on a sheet"
        )
    near = np.abs(pixels - colour).sum(2) <= TOLERANCE
    framed = Image.fromarray(np.pad(np.where(near, 128, 0).astype(np.uint8), 1, constant_values=128)).copy()
    ImageDraw.floodfill(framed, (0, 0), 255)
    filled = ImageOps.crop(framed, 1).point(lambda value: 255 * (value == 255))
    return filled.filter(ImageFilter.MedianFilter(5))  # without the specks that a camera leaves


def _upright(content: bytes, name: str) -> Image.Image:
    """Upright, as RGB, or as RGBA if it has transparent parts; large pictures reduced, see `LARGEST_WHOLE`."""
    too_many = f"at most {LARGEST_MEGAPIXELS} million are read; make it smaller"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about its form: it is read, or refused in one line
            with Image.open(io.BytesIO(content)) as picture:
                if picture.width * picture.height > LARGEST_MEGAPIXELS * 1e6:
                    raise PhotoError(
                        f"the photograph {name!r} has {picture.width} × {picture.height} pixels: {too_many}"
                    )
                if picture.format not in FORMATS:
                    raise ValueError(f"the format {picture.format}")
                upright = _of_eight_bits(ImageOps.exif_transpose(_reduced(picture)))
            return upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except PhotoError:
        raise
    except Image.DecompressionBombError as error:
        raise PhotoError(f"the photograph {name!r} has too many pixels: {too_many}") from error
    except Exception as error:  # Pillow's decoders raise any exception for a broken file
        raise PhotoError(f"{name!r} is not a picture that can be read: give a PNG, JPEG or WebP file") from error


def _reduced(picture: Image.Image) -> Image.Image:
    """An opened picture with a whole part of its width and height, so that it has up to `LARGEST_WHOLE` pixels; smaller
    ones as they are.

    JPEG is decoded at an eighth, a quarter or half of its size at once.
    """
    if (factor := _factor(picture)) == 1:
        return picture
    orientation = picture.getexif().get(ExifTags.Base.Orientation)
    picture.draft(None, (picture.width // factor, picture.height // factor))
    whole = _of_eight_bits(picture)
    if whole.mode not in ("L", "LA", "RGB", "RGBA", "CMYK"):  # others cannot be averaged
        whole = whole.convert("RGBA" if whole.has_transparency_data else "RGB")
    small = whole.reduce(_factor(whole))
    if orientation:
        small.getexif()[ExifTags.Base.Orientation] = orientation
    return small


def _factor(picture: Image.Image) -> int:
    return math.ceil(math.sqrt(picture.width * picture.height / LARGEST_WHOLE))


def _of_eight_bits(picture: Image.Image) -> Image.Image:
    """Greys of 16 bits as greys of 8, which Pillow would else cut off at 255; others as they are."""
    if not picture.mode.startswith("I"):
        return picture
    greys = np.array(picture)
    np.clip(greys, 0, 65535, out=greys)
    return Image.fromarray(np.floor_divide(greys, 257, out=greys).astype(np.uint8))


def _on_white(picture: Image.Image) -> Image.Image:
    """An RGBA picture as RGB."""
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def _content(file: Path) -> bytes:
    try:
        return read_ordinary(file, int(LARGEST_MB * 1e6))
    except FileError as error:
        raise PhotoError(f"the photograph {str(file)!r} {error}") from error
