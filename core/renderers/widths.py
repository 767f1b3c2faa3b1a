"""What the published renderers read."""

from core.exchange.embedding import CLIP_G, CLIP_L
from core.renderers.protocols import NAMES

WIDTHS = dict(zip(NAMES, (CLIP_G, CLIP_L, CLIP_L, CLIP_L), strict=True))  # of image embeddings, by the renderer's name
