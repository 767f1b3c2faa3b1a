"""A stranger's model is refused in one line, before a model of the sizes that it claims is built."""

from __future__ import annotations

import json
import shutil

import pytest

from core.errors import StackError
from core.stack import folders
from core.stack.backbone import Backbone
from core.stack.sizes import check_sizes
from tests.stacks import save_blip2, save_clip

CLAIMS = [
    ("prior/text_encoder", {"num_hidden_layers": 1_000_000}, "num_hidden_layers = 1000000, but the weights hold"),
    ("prior/text_encoder", {"vocab_size": 10**12}, "vocab_size = 1000000000000, but the weights hold"),
    ("prior/text_encoder", {"intermediate_size": 10**9}, "intermediate_size = 1000000000"),
    ("prior/prior", {"num_layers": 10**7}, "num_layers = 10000000"),
    ("prior/prior", {"num_attention_heads": 10**7}, "num_attention_heads x attention_head_dim = 120000000"),
    ("prior/image_encoder", {"num_hidden_layers": 10**6}, "num_hidden_layers"),
    ("decoder/unet", {"layers_per_block": 10**6}, "layers_per_block"),
    ("decoder/unet", {"block_out_channels": [16, 10**8]}, "block_out_channels = 100000000"),
    ("decoder/movq", {"num_vq_embeddings": 10**10}, "num_vq_embeddings"),
]


def claiming(folder, part, claim):
    file = folder / part / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | claim))
    return folder


@pytest.fixture
def folder(stack_folder, tmp_path):
    return shutil.copytree(stack_folder, tmp_path / "stack")


@pytest.mark.parametrize(("part", "claim", "line"), CLAIMS)
def test_a_configuration_that_asks_for_more_than_its_weights_is_refused(folder, part, claim, line):
    claiming(folder, part, claim)
    stack = Backbone.load(folder, device="cpu")
    with pytest.raises(StackError, match=line):
        stack.check()
    with pytest.raises(StackError, match=line):
        stack.decoder if part.startswith("decoder") else getattr(stack, part.split("/")[1])


@pytest.mark.parametrize("claim", [{"num_hidden_layers": 3}, {"intermediate_size": 48}, {"num_attention_heads": "two"}])
def test_a_configuration_that_does_not_fit_is_one_line(folder, claim):
    stack = Backbone.load(claiming(folder, "prior/text_encoder", claim), device="cpu")
    with pytest.raises(StackError, match=r"the text_encoder in .* (does not load|lacks \d+ tensors)"):
        stack.encode_text("a cat")


@pytest.mark.parametrize("shard", ["../../secret.safetensors", "/etc/passwd", "pickle.bin", ""])
def test_an_index_names_only_files_beside_it(folder, shard):
    index = folder / "prior" / "prior" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": shard} if shard else ["a"]}))
    with pytest.raises(StackError, match="expected files"):
        folders.lacks(index.parent)
    with pytest.raises(StackError, match="expected files"):
        Backbone.load(folder, device="cpu").check()


def test_models_of_all_kinds_pass(stack_folder, tmp_path):
    for model in (save_clip(tmp_path / "clip"), save_blip2(tmp_path / "blip2")):
        check_sizes(model)
    Backbone.load(stack_folder, device="cpu").check()
