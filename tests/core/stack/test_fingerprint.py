"""A hash of a model's files: what tells it, and what plays no part."""

from __future__ import annotations

import hashlib
import json

import pytest

from core.errors import StackError
from core.stack.fingerprint import content_hash


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "prior"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"width": 4, "_diffusers_version": "1"}))
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_neither_place_nor_library_plays_a_part(folder, tmp_path):
    before = content_hash({"prior": folder})
    assert len(before) == 12 and int(before, 16) >= 0
    (folder / "config.json").write_text(json.dumps({"_diffusers_version": "2", "width": 4}, indent=4))
    assert content_hash({"prior": folder.rename(tmp_path / "elsewhere")}) == before


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.fp16.safetensors", "flax_model.msgpack"])
def test_the_same_weights_in_another_form_play_no_part(folder, name):
    before = content_hash({"prior": folder})
    (folder / name).write_bytes(b"other")
    assert content_hash({"prior": folder}) == before


def test_content_names_parts_and_what_is_said_besides_tell_it(folder):
    found = {content_hash({"prior": folder}), content_hash({"judge": folder}), content_hash({"prior": folder}, "9")}
    (folder / "model.safetensors").write_bytes(b"Weights")
    found.add(content_hash({"prior": folder}))
    (folder / "config.json").write_text(json.dumps({"width": 5}))
    found.add(content_hash({"prior": folder}))
    (folder / "model.safetensors").rename(folder / "weights.safetensors")
    assert len(found | {content_hash({"prior": folder})}) == 6


def test_a_large_file_in_the_hubs_cache_is_told_by_its_name_without_being_read(folder, tmp_path):
    before = content_hash({"prior": folder})
    blob = tmp_path / "blobs" / hashlib.sha256(b"weights").hexdigest()
    blob.parent.mkdir()
    blob.write_bytes(b"gigabytes that are never read")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(blob)
    assert content_hash({"prior": folder}) == before


def test_what_is_missing_or_no_json_is_told(folder, tmp_path):
    with pytest.raises(StackError, match=r"a folder of the model is missing: .*nowhere"):
        content_hash({"prior": tmp_path / "nowhere"})
    (folder / "config.json").write_text("{")
    with pytest.raises(StackError, match=r"config\.json is missing or is not JSON"):
        content_hash({"prior": folder})
