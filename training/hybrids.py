"""Changed drawings: two joined at a cut, recoloured, patterned, with added parts or other proportions.

Every function takes premultiplied pictures ``[n, 4, s, s]`` (red, green, blue, coverage; 0 … 1) and works on whole
batches on the pictures' device. Randomness is a `torch.Generator` of that device.
"""

from __future__ import annotations

import math
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

# The colours that captions name, as sRGB.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 48, 49), "orange": (245, 140, 40), "yellow": (250, 215, 70), "green": (80, 175, 90),
    "blue": (65, 130, 225), "purple": (140, 85, 200), "pink": (245, 150, 190), "brown": (130, 85, 55),
    "gray": (150, 150, 155), "black": (40, 40, 45), "white": (240, 240, 240),
}  # fmt: skip
PATTERNS = ("striped", "spotted")
PARTS = ("crown", "top hat", "wings", "horns")
PROPORTIONS = ("tall", "wide")

_LUMA = (0.299, 0.587, 0.114)
_SEAM = 0.05  # of the side: the width of a softened seam
_LEAST = 0.25  # the share that each of two joined things has at least
IMPOSSIBLE = 99.0  # cost of a seam that does not hold two things together


def uniform(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=generator, device=generator.device)


def straight(rgba: Tensor) -> Tensor:
    """Colours ``[n, 3, s, s]`` without their coverage; black where nothing is drawn."""
    return rgba[:, :3] / rgba[:, 3:].clamp_min(1e-3)


def _covered(rgba: Tensor, colours: Tensor) -> Tensor:
    return torch.cat([colours.clamp(0, 1) * rgba[:, 3:], rgba[:, 3:]], 1)


def join(first: Tensor, second: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Cut both pictures of each pair at one row or column and put them together there.

    The second is stretched along the cut so that the outlines meet, and the seam is softened.

    Returns:
        the hybrids ``[n, 4, s, s]``, the share of the first ``[n]``, and whether it succeeded ``[n]`` (bool): both are
        covered at the cut, with similar widths, and each has at least a quarter.
    """
    n, side = len(first), first.shape[-1]
    upright = uniform(generator, n) < 0.6
    keeps_start = uniform(generator, n) < 0.5  # the first gives the top (or left) half
    turn = upright.view(n, 1, 1, 1)
    a, b = (torch.where(turn, x, x.transpose(2, 3)) for x in (first, second))
    places = torch.arange(side, device=a.device)
    wide = []
    for picture in (a, b):
        left, right, _ = _outlines(picture[:, 3])
        wide.append((right - left + 1).clamp_min(0))
    ratio = wide[1] / wide[0].clamp_min(1)
    possible = (ratio > 0.6) & (ratio < 1.6) & (places > 0.3 * side) & (places < 0.72 * side)
    for width in wide:
        possible &= width > 0.3 * width.amax(1, keepdim=True)
    scores = uniform(generator, n, side).masked_fill(~possible, -1.0)
    joined, share = cut_at(a, b, scores.argmax(1), keeps_start)
    joined = torch.where(turn, joined, joined.transpose(2, 3))
    return joined, share, (scores.amax(1) >= 0) & (share > _LEAST) & (share < 1 - _LEAST)


def _outlines(cover: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """First and last covered column of each row, and the number of covered ones, ``[n, rows]`` each, of ``[n, s, s]``.

    A row without any has its first column at ``s`` and its last at -1.
    """
    side = cover.shape[-1]
    columns = torch.arange(side, device=cover.device)
    covered = cover > 0.5
    first = torch.where(covered, columns, side).amin(2).float()
    last = torch.where(covered, columns, -1).amax(2).float()
    return first, last, covered.sum(2).float()


def seam_costs(above: Tensor, below: Tensor) -> Tensor:
    """The cost of a seam at each row if both pictures were cut there: ``[n, rows]``, 0 for an invisible seam.

    The cost is higher the more the outlines differ in width, place and direction, the more gaps there are in the row,
    and the more the colours differ along it. `IMPOSSIBLE` where one of them is hardly covered, near the upper and
    lower end, and where one of both would be less than a quarter.
    """
    side = above.shape[-1]
    rows = torch.arange(side, device=above.device)
    (left, right, covered), (others_left, others_right, others_covered) = (_outlines(x[:, 3]) for x in (above, below))
    width, others_width = (right - left + 1).clamp_min(0), (others_right - others_left + 1).clamp_min(0)
    possible = ((rows > 0.3 * side) & (rows < 0.72 * side)).expand_as(width)
    for each in (width, others_width):
        possible = possible & (each > 0.3 * each.amax(1, keepdim=True))
    upper = covered.cumsum(1)
    lower = (others_covered.flip(1).cumsum(1).flip(1) - others_covered) * width / others_width.clamp_min(1)
    share = upper / (upper + lower).clamp_min(1)
    possible = possible & (share > _LEAST) & (share < 1 - _LEAST)

    def direction(edge: Tensor) -> Tensor:
        """Columns that an outline moves by in a row, over an eighth of the side."""
        reach = max(1, side // 16)
        moved = torch.zeros_like(edge)
        moved[:, reach:-reach] = (edge[:, 2 * reach :] - edge[:, : -2 * reach]) / (2 * reach)
        return moved.clamp(-3, 3)

    def along(picture: Tensor, start: Tensor, length: Tensor) -> Tensor:
        """Colours ``[n, 3, rows, 24]`` at 24 places of each row, from one outline to the other."""
        places = (torch.arange(24, device=start.device) + 0.5) / 24
        x = start[..., None] + places * length[..., None]
        y = rows.view(1, -1, 1).expand_as(x)
        grid = torch.stack([(2 * x + 1) / side - 1, (2 * y + 1) / side - 1], 3)
        return F.grid_sample(picture[:, :3], grid, align_corners=False)

    ratio = (others_width.clamp_min(1) / width.clamp_min(1)).log().abs()
    apart = ((left + right) - (others_left + others_right)).abs() / (2 * side)
    gaps = 2 - covered / width.clamp_min(1) - others_covered / others_width.clamp_min(1)
    bend = (direction(left) - direction(others_left)).abs() + (direction(right) - direction(others_right)).abs()
    colours = (along(above, left, width) - along(below, others_left, others_width)).abs().mean((1, 3))
    return (2 * (ratio + apart + gaps) + 0.5 * bend + 4 * colours).masked_fill(~possible, IMPOSSIBLE)


def cut_at(first: Tensor, second: Tensor, row: Tensor, first_above: Tensor | bool = True) -> tuple[Tensor, Tensor]:
    """Put pictures ``[n, 4, s, s]`` together at a row ``[n]``: the joined pictures, and the share of the first ``[n]``.

    The second is stretched along the row so that the outlines meet, and the seam is softened.
    """
    n, side = len(first), first.shape[-1]
    places, each = torch.arange(side, device=first.device), torch.arange(n, device=first.device)
    ends = [edge[each, row].view(n, 1) for picture in (first, second) for edge in _outlines(picture[:, 3])[:2]]
    left, right, others_left, others_right = ends
    columns = others_left + (places - left) * (others_right - others_left) / (right - left).clamp_min(1)
    grid = torch.stack(
        [
            ((2 * columns + 1) / side - 1)[:, None, :].expand(n, side, side),
            ((2 * places + 1) / side - 1).view(1, side, 1).expand(n, side, side),
        ],
        3,
    )
    second = F.grid_sample(second, grid, align_corners=False)
    weight = ((places - row.view(n, 1)) / (_SEAM * side) + 0.5).clamp(0, 1)
    above = torch.as_tensor(first_above, device=first.device).view(-1, 1)
    weight = torch.where(above, weight, 1 - weight).view(n, 1, side, 1)
    own, others = first[:, 3:] * (1 - weight), second[:, 3:] * weight
    share = own.sum((1, 2, 3)) / (own + others).sum((1, 2, 3)).clamp_min(1)
    return first * (1 - weight) + second * weight, share


_SIDEWAYS = 0.15  # cost of a cut from top to bottom: half a face beside another's half shows more than a head on a body


def match(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Put each pair together where it shows least: at the row or column, in the order, and mirrored or not, that cost
    least by `seam_costs`.

    Returns:
        the hybrids ``[n, 4, s, s]``, the share of the first ``[n]``, and the cost ``[n]``; `IMPOSSIBLE` or more if
        nothing fits, or if one of both has less than a quarter.
    """
    n, half = len(first), [F.avg_pool2d(x, 2) for x in (first, second)]

    def arranged(pair: list[Tensor], turned: bool, swapped: bool, mirrored: bool) -> tuple[Tensor, Tensor]:
        above, below = reversed(pair) if swapped else pair
        below = below.flip(3) if mirrored else below
        return (above.transpose(2, 3), below.transpose(2, 3)) if turned else (above, below)

    ways = list(product((False, True), repeat=3))
    costs, rows = [], []
    for way in ways:  # at half the size, which is four times as fast
        cost, row = seam_costs(*arranged(half, *way)).min(1)
        costs.append(cost + _SIDEWAYS * way[0])
        rows.append(2 * row + 1)
    cost, best = torch.stack(costs).min(0)
    joined, share = torch.zeros_like(first), torch.zeros(n, device=first.device)
    for place, way in enumerate(ways):
        chosen = (best == place).nonzero().flatten()
        if not len(chosen):
            continue
        turned, swapped, _ = way
        picture, upper = cut_at(*arranged([first[chosen], second[chosen]], *way), rows[place][chosen])
        joined[chosen] = picture.transpose(2, 3) if turned else picture
        share[chosen] = 1 - upper if swapped else upper
    return joined, share, cost.masked_fill((share < _LEAST) | (share > 1 - _LEAST), IMPOSSIBLE)


def _moments(rgba: Tensor) -> tuple[Tensor, Tensor]:
    """Mean ``[n, 3]`` and covariance ``[n, 3, 3]`` of the colours within the outline."""
    colours, cover = straight(rgba).flatten(2), rgba[:, 3:].flatten(2)
    total = cover.sum(2).clamp_min(1)
    mean = (colours * cover).sum(2) / total
    centred = (colours - mean[..., None]) * cover.sqrt()
    spread = centred @ centred.mT / total[..., None]
    return mean, spread + 1e-4 * torch.eye(3, device=rgba.device)


def _root(matrices: Tensor, power: float) -> Tensor:
    values, vectors = torch.linalg.eigh(matrices.float())
    return (vectors * values.clamp_min(1e-5).pow(power)[:, None]) @ vectors.mT


def recolour(rgba: Tensor, palette: Tensor) -> Tensor:
    """Give each picture the mean and covariance of the colours of ``palette`` ``[n, 4, s, s]``."""
    mean, spread = _moments(rgba)
    wanted_mean, wanted_spread = _moments(palette)
    change = _root(wanted_spread, 0.5) @ _root(spread, -0.5)
    colours = change @ (straight(rgba).flatten(2) - mean[..., None]) + wanted_mean[..., None]
    return _covered(rgba, colours.view_as(rgba[:, :3]))


def tint(rgba: Tensor, colour: Tensor) -> Tensor:
    """Paint each picture in one colour ``[n, 3]``, keeping its lights, darks and white or black details."""
    colours = straight(rgba)
    luma = torch.tensor(_LUMA, device=rgba.device).view(1, 3, 1, 1)
    gray = (colours * luma).sum(1, keepdim=True)
    cover = rgba[:, 3:]
    mean = (gray * cover).sum((2, 3), keepdim=True) / cover.sum((2, 3), keepdim=True).clamp_min(1)
    # Much darker or lighter parts than the body, such as eyes, stay unchanged.
    body = 1 - ((gray - mean).abs() / 0.45).clamp(0, 1).pow(4)
    level = (gray - mean + 0.5).clamp(0, 1)
    colour = colour.view(-1, 3, 1, 1)
    painted = torch.where(level < 0.5, colour * (0.35 + 1.3 * level), colour + (1 - colour) * (2 * level - 1) * 0.8)
    return _covered(rgba, body * painted + (1 - body) * colours)


def pattern(rgba: Tensor, kind: Tensor, generator: torch.Generator) -> Tensor:
    """Put stripes (kind 0) or spots (kind 1) ``[n]`` on the body: where colours are near the mean, off the outline."""
    n, side = len(rgba), rgba.shape[-1]
    axis = torch.arange(side, device=rgba.device) / side
    y, x = axis.view(1, side, 1), axis.view(1, 1, side)

    def number(least: float, most: float) -> Tensor:
        return least + (most - least) * uniform(generator, n).view(n, 1, 1)

    angle, waves, phase = number(0, math.pi), number(5, 9), number(0, 2 * math.pi)
    bent = 0.02 * torch.sin(2 * math.pi * (3 * y + 2 * x) + phase)
    along = x * angle.cos() + y * angle.sin() + bent
    stripes = torch.sigmoid(14 * (torch.sin(2 * math.pi * waves * along + phase) - 0.25))
    count, radius = number(5, 8), number(0.22, 0.34)
    turned = (x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin())
    offset = 0.5 * (torch.floor(turned[1] * count) % 2)  # every second row of spots stands between those of the first
    cells = [(turned[0] * count + offset) % 1 - 0.5, (turned[1] * count) % 1 - 0.5]
    spots = torch.sigmoid(24 * (radius - (cells[0].square() + cells[1].square()).sqrt()))
    mask = torch.where(kind.view(n, 1, 1) == 0, stripes, spots)[:, None]
    colours, cover = straight(rgba), rgba[:, 3:]
    mean = _moments(rgba)[0].view(n, 3, 1, 1)
    near = torch.exp(-((colours - mean).square().sum(1, keepdim=True) / 0.12))
    inner = -F.max_pool2d(-cover, 2 * (side // 48) + 1, 1, side // 48)
    dark = (mean.mean(1, keepdim=True) > 0.35).float()
    ink = dark * mean * 0.35 + (1 - dark) * (mean + (1 - mean) * 0.7)
    light = uniform(generator, n).view(n, 1, 1, 1) < 0.25
    ink = torch.where(light & (dark > 0), mean + (1 - mean) * 0.75, ink)
    mask = mask * near * inner
    return _covered(rgba, colours * (1 - mask) + ink * mask)


def stretch(rgba: Tensor, taller: Tensor, amount: Tensor) -> Tensor:
    """Make each picture narrower (``taller`` true) or lower by ``amount`` ``[n]`` (0.6 leaves 60 %)."""
    x, y = torch.where(taller, amount, 1.0), torch.where(taller, 1.0, amount)
    zero = torch.zeros_like(x)
    theta = torch.stack([torch.stack([1 / x, zero, zero], 1), torch.stack([zero, 1 / y, zero], 1)], 1)
    return F.grid_sample(rgba, F.affine_grid(theta, list(rgba.shape), align_corners=False), align_corners=False)


def over(top: Tensor, bottom: Tensor) -> Tensor:
    return top + bottom * (1 - top[:, 3:])


def place(rgba: Tensor, centre: Tensor, size: Tensor, mirror: Tensor) -> Tensor:
    """Draw each picture ``size`` ``[n]`` times as large (of the side) around ``centre`` ``[n, 2]`` (x, y in 0 … 1)."""
    flip = torch.where(mirror, -1.0, 1.0)
    x, y = (2 * centre - 1).unbind(1)
    zero = torch.zeros_like(size)
    theta = torch.stack(
        [torch.stack([flip / size, zero, -x * flip / size], 1), torch.stack([zero, 1 / size, -y / size], 1)], 1
    )
    return F.grid_sample(rgba, F.affine_grid(theta, list(rgba.shape), align_corners=False), align_corners=False)


def _crop_extent(rgba: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Left, right, top and bottom of the covered part, as shares of the side ``[n]`` each."""
    side = rgba.shape[-1]
    places = torch.arange(side, device=rgba.device)
    covered = rgba[:, 3] > 0.5
    columns, rows = covered.any(1), covered.any(2)
    ends = [
        torch.where(columns, places, side).amin(1), torch.where(columns, places, -1).amax(1) + 1,
        torch.where(rows, places, side).amin(1), torch.where(rows, places, -1).amax(1) + 1,
    ]  # fmt: skip
    left, right, top, bottom = (x.float() / side for x in ends)
    return left, right, top, bottom


def _head(rgba: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Place of a hat: the top row, and centre and width of the covered part a little below it; ``[n]`` each."""
    side = rgba.shape[-1]
    _, _, top, _ = _crop_extent(rgba)
    places = torch.arange(side, device=rgba.device)
    below = (places >= top.view(-1, 1) * side) & (places < (top.view(-1, 1) + 0.14) * side)
    covered = ((rgba[:, 3] > 0.5) & below[:, :, None]).any(1)
    left = torch.where(covered, places, side).amin(1).float() / side
    right = (torch.where(covered, places, -1).amax(1) + 1).float() / side
    return top, (left + right) / 2, (right - left).clamp(0.05, 1)


def _horns(side: int, colour: Tensor) -> Tensor:
    """Two ivory horns ``[1, 4, side, side]``, drawn as crescents of two circles each."""
    axis = (torch.arange(side, device=colour.device) + 0.5) / side
    y, x = axis.view(-1, 1), axis.view(1, -1)
    from_middle = (x - 0.5).abs()
    outer = 0.42 - ((from_middle - 0.02).square() + (y - 0.42).square()).sqrt()
    inner = 0.34 - ((from_middle - 0.0).square() + (y - 0.30).square()).sqrt()
    cover = torch.sigmoid(side * 0.5 * torch.minimum(torch.minimum(outer, -inner), y - 0.25)) * (from_middle > 0.12)
    shade = 0.8 + 0.2 * (1 - y)
    return torch.cat([(colour.view(3, 1, 1) * shade * cover), cover[None]])[None]


def add_part(rgba: Tensor, part: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """Add a part of `PARTS` ``[n]`` to each picture: a drawn hat, wings behind the body, horns behind the head.

    Args:
        drawn: ``[n, 4, s, s]`` the drawing that gives the hat or the wing; horns have none.

    Returns:
        the pictures, and whether there was a place for it ``[n]`` (bool).
    """
    n, side = len(rgba), rgba.shape[-1]
    hat, wings, horns = part < 2, part == PARTS.index("wings"), part == PARTS.index("horns")
    # Room above the head or beside the body.
    size = torch.where(wings, 0.72, torch.where(hat, 0.78, 0.86))
    centre = torch.stack([torch.full_like(size, 0.5), torch.where(wings, 0.55, 1 - size / 2)], 1)
    no = torch.zeros(n, dtype=torch.bool, device=rgba.device)
    body = place(rgba, centre, size, no)
    top, middle, width = _head(body)
    horn = _horns(side, torch.tensor([0.96, 0.9, 0.74], device=rgba.device)).expand(n, -1, -1, -1)
    worn = torch.where(horns.view(n, 1, 1, 1), horn, drawn)
    worn_size = torch.where(hat, (1.15 * width).clamp(0.24, 0.42), (1.1 * width).clamp(0.26, 0.5))
    _, _, worn_top, worn_bottom = _crop_extent(worn)
    sits = torch.where(hat, top + 0.035, top + 0.06) - (worn_bottom - 0.5) * worn_size
    head_centre = torch.stack([middle, sits], 1)
    placed = place(worn, head_centre, worn_size, no)
    with_hat, with_horns = over(placed, body), over(body, placed)
    left, right, up, down = _crop_extent(body)
    level = up + 0.42 * (down - up)
    both = [
        place(drawn, torch.stack([x, level], 1), torch.full_like(size, 0.5), no if x is not left else ~no)
        for x in (right, left)
    ]
    with_wings = over(body, both[0] + both[1] * (1 - both[0][:, 3:]))
    result = torch.where(wings.view(n, 1, 1, 1), with_wings, torch.where(hat.view(n, 1, 1, 1), with_hat, with_horns))
    fits = wings | (sits - 0.5 * worn_size * (worn_bottom - worn_top) > 0.0) & (width > 0.12) & (width < 0.7)
    return result, fits


def main_colour(rgba: Tensor) -> Tensor:
    """The main colour of each picture ``[n]`` in `COLOURS`, or -1 if none covers half of it."""
    small = F.avg_pool2d(rgba, max(1, rgba.shape[-1] // 32))
    colours, cover = straight(small).flatten(2).mT, small[:, 3].flatten(1)  # [n, pixels, 3]
    table = torch.tensor(list(COLOURS.values()), device=rgba.device) / 255
    # Hue counts more than lightness: dark green is green.
    luma = torch.tensor(_LUMA, device=rgba.device)

    def opponent(rgb: Tensor) -> Tensor:
        gray = (rgb * luma).sum(-1, keepdim=True)
        chroma = rgb - gray
        strength = chroma.norm(dim=-1, keepdim=True)
        return torch.cat([0.8 * gray, 1.6 * chroma / (strength + 0.12).clamp_min(0.25).sqrt() * 0.6], -1)

    nearest = (opponent(colours)[:, :, None] - opponent(table)).square().sum(-1).argmin(2)
    votes = torch.zeros(len(rgba), len(COLOURS), device=rgba.device).scatter_add_(1, nearest, cover)
    share = votes / cover.sum(1, keepdim=True).clamp_min(1)
    return torch.where(share.amax(1) > 0.5, share.argmax(1), -1)
