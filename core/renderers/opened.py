"""What all renderers share: the folder of a pipeline, its parts on a device, and the weights of an IP-Adapter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, ClassVar

import torch
from PIL.Image import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor

from core.errors import StackError
from core.renderers.protocols import Look
from core.stack import folders
from core.stack.loading import load_failure, load_model, load_part, quietly
from core.stack.offload import Turns

# In weights of IP-Adapters: the names that h94 and XLabs give the two groups of tensors, and single tensors.
_IMAGE_PROJ = ("image_proj.", "ip_adapter_proj_model.")
_LAYERS = ("ip_adapter.", "double_blocks.")
_RENAMED = {
    "processor.ip_adapter_double_stream_k_proj": "to_k_ip",
    "processor.ip_adapter_double_stream_v_proj": "to_v_ip",
}
_PROJECTION = "proj.weight"


@dataclass(frozen=True)
class Source:
    """Where a renderer is read from, and where it runs. kind: the class of its pipeline. adapter: a file, and its name
    for people.
    """

    where: str
    folder: Path
    kind: str
    device: torch.device
    dtype: torch.dtype
    offload: bool = False
    adapter: Path | None = None
    adapter_where: str = ""


class Opened(ABC):
    """A pipeline of diffusers whose parts are loaded when they are first used, those that read text apart from those
    that draw. `turns` is None unless these two take turns on the device.
    """

    name: ClassVar[str]
    reads: ClassVar[str]
    default: ClassVar[str]
    """The repository that the name stands for."""
    adapter: ClassVar[tuple[str, str] | None] = None
    """Repository and file of the IP-Adapter that it needs."""
    kinds: ClassVar[Mapping[str, Sequence[str]]]
    """The pipelines that it draws with, and the parts that are read of each."""
    least_steps: ClassVar[int] = 1
    grain: ClassVar[int] = 8
    """Pixels that a side is a multiple of."""
    usual: Look

    def __init__(self, source: Source) -> None:
        self.source = source
        self.where, self.adapter_where = source.where, source.adapter_where
        self.device, self.dtype = source.device, source.dtype
        self.turns = Turns(source.device) if source.offload else None
        self.loading = RLock()
        self._texts: dict[object, Any] = {}

    @property
    @abstractmethod
    def width(self) -> int: ...

    @abstractmethod
    def draw(self, image_embed: Tensor, seed: int, look: Look) -> Image: ...

    def rest(self) -> None:
        """Free the device, if parts take turns on it."""
        if self.turns is not None:
            self.turns.clear()

    def config(self, part: str) -> dict[str, Any]:
        """The configuration of a part."""
        return folders.read_json(self.source.folder / part / "config.json")

    def part(self, name: str) -> Any:
        """A part of the pipeline, frozen if it has weights."""
        folder = self.source.folder / name
        library, kind = folders.parts_of(self.source.folder).get(name, (None, ""))
        if library is None or not folder.is_dir():
            raise StackError(f"the decoder {self.where!r} has no {name}: expected a folder {folder}")
        if folders.has_weights(name):
            return load_model(name, folder, library, kind, self.dtype)
        return load_part(name, folder, library, kind)

    def assembled(self, kind: type[Any], parts: Sequence[str]) -> Any:
        """A pipeline with some of its parts, and None for the others."""
        loaded = {name: self.part(name) for name in parts}
        others = {name: None for name in folders.parts_of(self.source.folder) if name not in loaded}
        try:
            with quietly():
                pipeline = kind.from_pretrained(self.source.folder, **loaded, **others)
        except Exception as error:  # a stranger's configuration may fail anywhere in a library
            folder = self.source.folder
            raise StackError(f"the decoder in {folder} does not load: {load_failure(error, folder)}") from error
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def read_once(self, key: object, encode: Callable[[], Any]) -> Any:
        """The encoding of a text, kept, so that the models that read it have one turn for all pictures."""
        if key not in self._texts:
            with torch.no_grad():
                self._texts[key] = encode()
        return self._texts[key]

    @property
    def adapter_file(self) -> Path:
        assert self.source.adapter is not None, "a renderer with an adapter is opened with one"
        return self.source.adapter

    def generator(self, seed: int) -> torch.Generator:
        """On the processor, so that a seed gives the same noise on every device."""
        return torch.Generator().manual_seed(seed)


def pixels_of(unet: Mapping[str, Any], vae: Mapping[str, Any]) -> int:
    """The side of the pictures that a latent model was trained with, by the configurations of UNet and VAE."""
    return int(unet.get("sample_size", 64)) * 2 ** (len(vae.get("block_out_channels", [0] * 4)) - 1)


def adapter_width(file: Path) -> int:
    """The width of the image embeddings that an IP-Adapter reads, from the header of its file.

    Raises:
        StackError: it is damaged, or an adapter that reads something else.
    """
    try:
        with safe_open(file, "pt") as opened:
            for key in opened.keys():  # noqa: SIM118 – not a dict
                if _named(key, _IMAGE_PROJ) == _PROJECTION:
                    return int(opened.get_slice(key).get_shape()[-1])
            some = sorted(opened.keys())[:1]
    except (SafetensorError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise StackError(f"the IP-Adapter {str(file)!r} cannot be read ({reason}): fetch it again") from error
    raise StackError(
        f"{str(file)!r} is no IP-Adapter of image embeddings (it holds {some[0] if some else 'nothing'}): 'plus' and"
        " FaceID adapters read something else; choose another with --adapter"
    )


def read_adapter(file: Path, dtype: torch.dtype) -> dict[str, dict[str, Tensor]]:
    """An IP-Adapter's weights as diffusers' loaders take them: {"image_proj": …, "ip_adapter": …}."""
    found: dict[str, dict[str, Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    with safe_open(file, "pt") as opened:
        for key in opened.keys():  # noqa: SIM118 – not a dict
            for group, prefixes in (("image_proj", _IMAGE_PROJ), ("ip_adapter", _LAYERS)):
                if name := _named(key, prefixes):
                    found[group][name] = opened.get_tensor(key).to(dtype)
    return found


def add_adapter(model: Any, file: Path, dtype: torch.dtype) -> None:
    """Put an IP-Adapter's weights into a UNet or a transformer.

    Raises:
        StackError: it belongs to another model.
    """
    try:
        with quietly():
            model._load_ip_adapter_weights([read_adapter(file, dtype)])
    except Exception as error:  # missing keys and other shapes fail anywhere in diffusers
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise StackError(f"the IP-Adapter {str(file)!r} does not fit the decoder ({reason}): name another") from error
    model.eval().requires_grad_(False)


def _named(key: str, prefixes: Sequence[str]) -> str:
    """The name of a tensor in its group; "" if it belongs to another."""
    for prefix in prefixes:
        if key.startswith(prefix):
            name = key.removeprefix(prefix)
            for theirs, ours in _RENAMED.items():
                name = name.replace(theirs, ours)
            return name
    return ""
