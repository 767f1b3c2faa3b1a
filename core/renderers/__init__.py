"""Renderers: other decoders that draw what a prior imagines (core/renderers/protocols.py has the interface).

    sdxl            SDXL with an IP-Adapter       OpenCLIP ViT-bigG/14, 1280: Kandinsky 2.2
    karlo           Karlo's decoder               CLIP ViT-L/14, 768: Kandinsky 2.1, Karlo
    unclip-small    small Stable unCLIP           CLIP ViT-L/14, 768
    flux            FLUX.1-dev with an IP-Adapter CLIP ViT-L/14, 768

Each is one file. core/renderers/opening.py finds one by its name, or by the class in a folder's model_index.json.
Importing this package imports neither torch nor numpy.
"""

from core.renderers.protocols import NAMES, PROMPT, Look, Rendered, Renderer, RenderError, complete

__all__ = ["NAMES", "PROMPT", "Look", "RenderError", "Rendered", "Renderer", "complete"]
