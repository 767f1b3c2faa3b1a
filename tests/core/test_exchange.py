"""Embeddings come back bit for bit from every form, as other tools read them, and no stranger's file does harm."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tempfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.loaders import TextualInversionLoaderMixin
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from core.errors import ConceptreeError
from core.exchange import (
    CLIP_G,
    CLIP_L,
    FORMS,
    LARGEST_FILE,
    LARGEST_PROVENANCE,
    Embedding,
    ExchangeError,
    read_embedding,
    read_sidecar,
    readers,
    suffix,
    write_embedding,
    write_sidecar,
)
from tests.stacks import text_parts

RNG = np.random.default_rng(0)
ABOUT = {"category": "pet", "parents": [{"id": "abc", "weight": 0.7}], "licence": "Größe <b>", "seed": 2**53}


def embedding(k=2, width=16, token="<moku>", about=ABOUT) -> Embedding:
    return Embedding(token, RNG.normal(size=(k, width)), about)


def written(folder: Path, each: Embedding, form: str) -> Path:
    return write_embedding(folder / f"moku{suffix(form, each.width)}", each, form)


def refused(path: Path) -> str:
    """The one line that is said of a file."""
    with pytest.raises(ExchangeError) as error:
        read_embedding(path)
    assert str(error.value).isprintable() and repr(str(path)) in str(error.value)
    return str(error.value)


# There and back


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("width", [16, CLIP_L, CLIP_G])
def test_every_form_gives_back_the_vectors_bit_for_bit(tmp_path, form, k, width):
    given = embedding(k, width)
    found = read_embedding(written(tmp_path, given, form))
    assert found.vectors.tobytes() == given.vectors.tobytes() and found.vectors.shape == (k, width)
    assert found.vectors.dtype == np.float32 and not found.vectors.flags.writeable
    assert found.digest == given.digest and found.notes == ()
    assert found.token == "<moku>"
    assert found.provenance == (ABOUT if form in ("safetensors", "npz") else {})


# Any text but for lone surrogates, which no file can hold.
TOKENS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
SHAPES = st.tuples(st.integers(1, 32), st.integers(1, 40))


def any_numbers(shape, seed: int) -> np.ndarray:
    """Finite float32 of any bit pattern: the largest, the subnormal, minus zero."""
    bits = np.random.default_rng(seed).integers(0, 2**32, shape, dtype=np.uint32).view(np.float32)
    return np.where(np.isfinite(bits), bits, np.float32(-1e-45))


@settings(max_examples=60)
@given(TOKENS, SHAPES, st.integers(0, 2**32), st.sampled_from(FORMS))
def test_any_token_and_any_numbers_come_back(token, shape, seed, form):
    vectors = any_numbers(shape, seed)
    try:
        given = Embedding(token, vectors)
    except ExchangeError as error:
        assert "choose another" in str(error)  # one of the few that mean something to the forms themselves
        return
    with tempfile.TemporaryDirectory() as folder:
        found = read_embedding(written(Path(folder), given, form))
        assert os.listdir(folder) == [f"moku{suffix(form, given.width)}"], "a token is text, and never a path"
    assert found.token == token and found.vectors.tobytes() == given.vectors.tobytes()


@settings(max_examples=30)
@given(
    st.sampled_from([torch.float16, torch.bfloat16, torch.float64, torch.float32]),
    st.sampled_from([".safetensors", ".pt", ".bin"]),
    st.one_of(st.tuples(st.integers(1, 40)), SHAPES),
    TOKENS,
)
def test_other_floats_and_shapes_are_cast_and_it_is_said(dtype, ending, shape, token):
    tensor = (torch.rand(shape) + 0.5).to(dtype)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"x{ending}")
        token = f"<{token}>"
        if ending == ".safetensors":
            save_file({token: tensor}, path)
        else:
            torch.save({token: tensor}, path)
        found = read_embedding(path)
    assert torch.equal(torch.tensor(found.vectors), tensor.float().reshape(-1, shape[-1])) and found.token == token
    name = str(dtype).removeprefix("torch.")
    assert found.notes == (() if dtype == torch.float32 else (f"its numbers were {name}, and are float32 now",))


def test_float16_in_npz_and_the_other_byte_order(tmp_path):
    for dtype in ("<f2", ">f4", ">f8"):
        np.savez_compressed(tmp_path / "x.npz", **{"<cat>": np.array([[1.5, -2.0]], dtype)})
        found = read_embedding(tmp_path / "x.npz")
        assert found.token == "<cat>" and found.vectors.tolist() == [[1.5, -2.0]]
        assert bool(found.notes) == (dtype != ">f4")


def test_what_was_there_is_kept_when_the_disk_is_full(tmp_path, monkeypatch):
    path = written(tmp_path, embedding(), "safetensors")
    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ConceptreeError, match="No space left"):
        written(tmp_path, embedding(), "safetensors")
    assert path.read_bytes() == before and os.listdir(tmp_path) == [path.name]


def test_a_form_has_its_ending(tmp_path):
    with pytest.raises(ExchangeError, match=r"choose a name that ends with \.bin"):
        write_embedding(tmp_path / "moku.pt", embedding(), "diffusers")
    with pytest.raises(ExchangeError, match="unknown form 'onnx': choose safetensors, diffusers"):
        write_embedding(tmp_path / "moku.pt", embedding(), "onnx")


@pytest.mark.parametrize(
    ("token", "vectors", "said"),
    [
        ("", np.ones((1, 4)), "a token that is not text"),
        ("x" * 201, np.ones((1, 4)), "a token of 201 characters"),
        ("\ud800", np.ones((1, 4)), "not valid UTF-8"),
        ("clip_g", np.ones((1, 4)), "means something else"),
        ("__metadata__", np.ones((1, 4)), "means something else"),
        ("<a>", np.ones(4), r"has shape \[4\]"),
        ("<a>", np.ones((33, 4)), "33 vectors: a token has at most 32"),
        ("<a>", np.ones((0, 4)), r"has shape \[0, 4\]"),
        ("<a>", np.ones((1, 20000)), "is 20000 wide"),
        ("<a>", np.array([[1.0, np.inf]]), "NaN or infinity in vector 1 of 1"),
        ("<a>", np.array([[1.0], [0.0]]), "nothing but zeros in vector 2 of 2"),
    ],
)
def test_an_embedding_is_checked_before_it_is_written(token, vectors, said):
    with pytest.raises(ExchangeError, match=said):
        Embedding(token, vectors)


# As other tools read them


class Pipeline(TextualInversionLoaderMixin):
    """The parts of a pipeline that diffusers' reader needs."""

    hf_device_map = None

    def __init__(self, tokenizer, text_encoder):
        self.tokenizer, self.text_encoder = tokenizer, text_encoder
        self.components = {}


@pytest.mark.parametrize("form", ["safetensors", "diffusers", "a1111"])
@pytest.mark.parametrize("k", [1, 2])
def test_diffusers_own_reader_takes_them(tmp_path, form, k):
    given = embedding(k, 16)
    pipeline = Pipeline(*text_parts(16))
    pipeline.load_textual_inversion(str(written(tmp_path, given, form)))
    names = ["<moku>", "<moku>_1"][:k]
    ids = pipeline.tokenizer.convert_tokens_to_ids(names)
    weight = pipeline.text_encoder.get_input_embeddings().weight
    assert torch.equal(weight[ids].detach(), torch.tensor(given.vectors))


def test_the_default_has_exactly_one_key_and_says_where_it_comes_from(tmp_path):
    given = embedding()
    with safe_open(written(tmp_path, given, "safetensors"), "pt") as file:
        assert list(file.keys()) == ["<moku>"] and file.metadata()["format"] == "pt"
        assert json.loads(file.metadata()["conceptree"]) == {"conceptree": 1, "sha256": given.digest, **ABOUT}


def test_nested_forms_are_as_their_readers_take_them(tmp_path):
    one, two = embedding(1), embedding(2)
    a1111 = torch.load(written(tmp_path, two, "a1111"), weights_only=True)
    assert torch.equal(a1111["string_to_param"]["*"], torch.tensor(two.vectors)) and len(a1111["string_to_param"]) == 1
    assert a1111["name"] == "<moku>"
    conceptlab = torch.load(written(tmp_path, one, "conceptlab"), weights_only=True)
    assert list(conceptlab) == ["t2"] and torch.equal(conceptlab["t2"]["<moku>"], torch.tensor(one.vectors[0]))
    published = torch.load(written(tmp_path, one, "diffusers"), weights_only=True)
    assert list(published) == ["<moku>"] and published["<moku>"].shape == (16,)


def test_sdxl_has_both_text_encoders_and_nothing_else(tmp_path):
    given = embedding(2, CLIP_G)
    path = written(tmp_path, given, "a1111")
    content = load_file(path)
    assert path.suffix == ".safetensors" and set(content) == {"clip_g", "clip_l"}
    assert torch.equal(content["clip_g"], torch.tensor(given.vectors))
    assert content["clip_l"].shape == (2, CLIP_L) and not content["clip_l"].any()


@pytest.mark.parametrize(
    ("form", "k", "width", "said"),
    [
        ("safetensors", 1, CLIP_L, "read it for Stable Diffusion 1"),
        ("a1111", 2, CLIP_L, "read it for Stable Diffusion 1"),
        ("safetensors", 1, CLIP_G, "A1111 and InvokeAI need the form a1111"),
        ("a1111", 1, CLIP_G, "clip_l, which Kandinsky 2.2 does not have, is zeros"),
        ("conceptlab", 1, CLIP_L, "ConceptLab's scripts read it"),
        ("conceptlab", 2, CLIP_L, "only Conceptree reads it"),
        ("conceptlab", 1, 192, "this has 1, 192 wide"),
        ("diffusers", 1, 192, "only Conceptree can use it"),
        ("npz", 1, CLIP_L, "numpy"),
    ],
)
def test_one_line_says_who_can_use_it(form, k, width, said):
    line = readers(form, np.ones((k, width), np.float32))
    assert said in line and "\n" not in line


# What strangers write


def test_published_layouts(tmp_path):
    one = torch.rand(CLIP_L) + 0.1
    layouts = {
        "learned_embeds.bin": {"<cat-toy>": one},
        "nested.pt": {"string_to_token": {"*": torch.tensor(265)}, "string_to_param": {"*": one[None]}, "name": "cat"},
        "parameter.pt": OrderedDict({"<cat-toy>": torch.nn.Parameter(one)}),
        "easynegative.safetensors": {"emb_params": one[None]},
        "sdxl.safetensors": {"clip_g": torch.rand(1, CLIP_G), "clip_l": one[None]},
        "clip_l.safetensors": {"clip_l": one[None]},
        "nameless.pt": {"string_to_param": {"*": one}, "name": None},
    }
    found = {}
    for name, content in layouts.items():
        if name.endswith(".safetensors"):
            save_file(content, tmp_path / name)
        else:
            torch.save(content, tmp_path / name)
        found[name] = read_embedding(tmp_path / name)
    assert [each.token for each in found.values()] == [
        "<cat-toy>", "cat", "<cat-toy>", "<easynegative>", "<sdxl>", "<clip_l>", "<nameless>"
    ]  # fmt: skip
    assert found["sdxl.safetensors"].width == CLIP_G
    assert found["sdxl.safetensors"].notes == ("clip_l, the vectors for SDXL's other text encoder, is left out",)
    for name in set(layouts) - {"sdxl.safetensors"}:
        assert torch.equal(torch.tensor(found[name].vectors), one[None]) and found[name].notes == ()


GOOD = torch.ones(1, 8)
WRONG = {
    "NaN or infinity in vector 2 of 2": {"<a>": torch.tensor([[1.0, 2.0], [1.0, float("nan")]])},
    "NaN or infinity in vector 1 of 1": {"<a>": torch.tensor([1e300], dtype=torch.float64)},
    "nothing but zeros in vector 1 of 1": {"<a>": torch.zeros(4)},
    "has shape [2, 0]": {"<a>": torch.ones(2, 0)},
    "has shape [0, 4]": {"<a>": torch.ones(0, 4)},
    "has shape []": {"<a>": torch.tensor(1.0)},
    "has shape [1, 1, 8]": {"<a>": GOOD[None]},
    "has 33 vectors": {"<a>": torch.ones(33, 2)},
    "is 16385 wide": {"<a>": torch.ones(1, 16385)},
    "numbers of type": {"<a>": torch.ones(1, 8, dtype=torch.int64)},
    "has 2 keys ('<a>', '<b>'): expected one token": {"<a>": GOOD, "<b>": GOOD.clone()},
    "entries, but an embedding has one token": {f"<{n}>": GOOD.clone() for n in range(65)},
    "has an unknown key 'clip_h' beside clip_g, clip_l": {key: GOOD.clone() for key in ("clip_g", "clip_l", "clip_h")},
    "has a token of 201 characters": {"x" * 201: GOOD},
    "has 0 keys": {},
}
WRONG_PICKLES = {
    "has an unknown key 'optimizer' beside string_to_param": {"string_to_param": {"*": GOOD}, "optimizer": 1},
    "has 2 keys under string_to_param": {"string_to_param": {"*": GOOD, "+": GOOD}},
    "has 0 keys under t2": {"t2": {}},
    "has an unknown key 't1' beside t2": {"t2": {"<a>": GOOD}, "t1": {"<a>": GOOD}},
    "holds a list, not tensors by name": [GOOD],
    "holds a Tensor, not tensors by name": GOOD,
    "holds a dict, not tensors by name": {1: GOOD},
    "holds a str for its token": {"<a>": "vector"},
    "holds a dict for its token": {"<a>": {"<b>": GOOD}},
    "has a token that is not text": {"string_to_param": {"*": GOOD}, "name": 7},
    "has a token that is not valid UTF-8": {"\ud800": GOOD},
    "numbers of type bool": {"<a>": torch.ones(1, 8, dtype=torch.bool)},
}


@pytest.mark.parametrize("said", WRONG)
def test_what_is_no_embedding_is_said_in_one_line(tmp_path, said):
    save_file(WRONG[said], tmp_path / "x.safetensors")
    torch.save(WRONG[said], tmp_path / "x.bin")
    assert said in refused(tmp_path / "x.safetensors")
    assert said in refused(tmp_path / "x.bin")


@pytest.mark.parametrize("said", WRONG_PICKLES)
def test_what_is_no_embedding_in_a_pickle(tmp_path, said):
    torch.save(WRONG_PICKLES[said], tmp_path / "x.pt")
    assert said in refused(tmp_path / "x.pt")


@pytest.mark.parametrize("form", FORMS)
def test_a_torn_file_at_any_place(tmp_path, form):
    path = written(tmp_path, embedding(), form)
    whole = path.read_bytes()
    for kept in (0, 1, 7, 8, 20, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:kept])
        assert "fetch it again" in refused(path)


@settings(max_examples=150)
@given(st.data())
def test_a_bit_that_flipped_is_never_more_than_a_line(data):
    """Safetensors has no checksum: there a flipped bit may go unseen, but it never breaks anything."""
    form = data.draw(st.sampled_from(FORMS))
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), Embedding("<moku>", np.ones((1, 4))), form)
        content = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        try:
            read_embedding(path)
        except ExchangeError as error:
            assert str(error).isprintable()


def test_files_that_are_none(tmp_path):
    assert "does not exist" in refused(tmp_path / "nothing.pt")
    (tmp_path / "folder.safetensors").mkdir()
    assert "is a folder: name a file in it" in refused(tmp_path / "folder.safetensors")
    assert "does not exist" in refused(tmp_path / "x.txt" / "y.pt")
    for name in ("x.safetensors", "x.pt", "x.bin", "x.npz"):
        (tmp_path / name).write_text("these are words, and no numbers at all\n" * 9)
        assert "fetch it again" in refused(tmp_path / name)
        (tmp_path / name).write_bytes(b"")
        assert "is empty (0 bytes)" in refused(tmp_path / name)
    (tmp_path / "x.onnx").write_text("x")
    assert "expected a name that ends with .safetensors, .npz, .pt, .bin" in refused(tmp_path / "x.onnx")
    os.mkfifo(tmp_path / "pipe.pt")
    assert "is not an ordinary file" in refused(tmp_path / "pipe.pt")


@pytest.mark.parametrize("ending", [".safetensors", ".npz", ".pt", ".bin"])
def test_a_large_file_is_not_even_opened(tmp_path, monkeypatch, ending):
    path = tmp_path / f"model{ending}"
    with path.open("wb") as file:
        file.truncate(2**31)
    monkeypatch.setattr("builtins.open", lambda *_: pytest.fail("opened"))
    assert f"has 2147483648 bytes, but at most {LARGEST_FILE} are read" in refused(path)


def header(tensors: dict, data: bytes = b"") -> bytes:
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    "content",
    [
        header({"<a>": {"dtype": "F32", "shape": [1, 2**29], "data_offsets": [0, 2**31]}}, bytes(64)),
        header({"<a>": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 64]}}, bytes(64)),
        header({"<a>": {"dtype": "F32", "shape": [1, 16], "data_offsets": [64, 0]}}, bytes(64)),
        header({"<a>": {"dtype": "F32", "shape": [1, 16]}}, bytes(64)),
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 2) + b"[]",
    ],
)
def test_a_header_that_lies(tmp_path, content):
    (tmp_path / "x.safetensors").write_bytes(content)
    assert "is damaged or not a .safetensors file" in refused(tmp_path / "x.safetensors")


# Pickles


class Harmful:
    def __reduce__(self):
        return os.system, ("touch harmed",)


def torch_zip(path: Path, pickled: bytes, compression: int = zipfile.ZIP_STORED, **more: bytes) -> Path:
    """A file as torch.save writes it, with another pickle inside."""
    original = io.BytesIO()
    torch.save({"<a>": GOOD}, original)
    with zipfile.ZipFile(original) as source, zipfile.ZipFile(path, "w", compression) as target:
        for entry in source.infolist():
            own = entry.filename.endswith("data.pkl")
            target.writestr(entry.filename, pickled if own else source.read(entry))
        for name, content in more.items():
            target.writestr(f"archive/{name}", content)
    return path


def plain_pickle() -> bytes:
    file = io.BytesIO()
    torch.save({"<a>": GOOD}, file)
    with zipfile.ZipFile(file) as archive:
        return archive.read("archive/data.pkl")


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_would_run_something_is_not_opened(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    path = torch_zip(tmp_path / "x.pt", pickle.dumps({"<a>": Harmful()}, protocol))
    said = {
        2: "holds more than tensors and texts ('posix.system'), so it is not opened",
        4: "is pickled with protocol 4",
    }
    assert said[protocol] in refused(path)
    (tmp_path / "y.pt").write_bytes(pickle.dumps({"<a>": Harmful()}, protocol))
    assert "is damaged, or older than PyTorch 1.6" in refused(tmp_path / "y.pt")
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize(
    "value", [bytearray(8), {1, 2}, torch.nn.ParameterDict({"*": GOOD}), torch.ones(2, 2).to_sparse(), np.ones(3)]
)
def test_what_torch_would_allow_is_no_embedding_either(tmp_path, value):
    torch.save({"string_to_param": {"*": GOOD}, "name": value}, tmp_path / "x.pt")
    assert "holds more than tensors and texts" in refused(tmp_path / "x.pt")


def test_torch_load_is_never_called_without_weights_only(tmp_path, monkeypatch):
    asked = []
    load = torch.load
    monkeypatch.setattr(torch, "load", lambda *args, **how: asked.append(how["weights_only"]) or load(*args, **how))
    read_embedding(written(tmp_path, embedding(), "a1111"))
    assert asked == [True]


def test_a_tensor_that_claims_more_than_there_is(tmp_path):
    plain = plain_pickle()
    for more in (b"M\xff\xff", b"J\xff\xff\xff\x7f"):
        path = torch_zip(tmp_path / "x.pt", plain.replace(b"K\x08", more))
        assert "x.pt" in refused(path)
    endless = plain.replace(b"K\x01K\x08\x86", b"J\xff\xff\xff\x7fK\x08\x86").replace(
        b"K\x08K\x01\x86", b"K\x00K\x01\x86"
    )
    assert "2147483647 vectors" in refused(torch_zip(tmp_path / "x.pt", endless))


def test_zips_that_torch_does_not_write(tmp_path):
    plain = plain_pickle()
    read_embedding(torch_zip(tmp_path / "x.pt", plain))
    said = "is not an embedding as torch.save writes it"
    assert said in refused(torch_zip(tmp_path / "x.pt", plain, zipfile.ZIP_DEFLATED))
    assert said in refused(torch_zip(tmp_path / "x.pt", plain, **{"DATA.PKL": pickle.dumps(Harmful())}))
    assert said in refused(torch_zip(tmp_path / "x.pt", plain, **{"more/data.pkl": plain}))
    assert said in refused(torch_zip(tmp_path / "x.pt", plain[:-1] + b"0" * 70000 + b"."))
    many = {f"data/{n}": b"x" for n in range(1, 100)}
    assert "entries, but an embedding has one token" in refused(torch_zip(tmp_path / "x.pt", plain, **many))
    bomb = torch_zip(tmp_path / "x.pt", plain, zipfile.ZIP_DEFLATED, bomb=bytes(2 * LARGEST_FILE))
    assert bomb.stat().st_size < LARGEST_FILE / 10 and "unpacks to" in refused(bomb)


# npz


def test_npz_of_strangers(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, **{"<a>": np.array([{"a": 1}], dtype=object)})
    assert "holds Python objects" in refused(path)
    np.savez(path, **{"<a>": np.array(["a"])})
    assert "expected a tensor of numbers" in refused(path)
    np.savez(path, a=np.ones(3), b=np.ones(3))
    assert "has 2 keys" in refused(path)
    np.savez(path, vectors=np.ones(3), token="moku", about="{}")
    assert "fetch it again" in refused(path)
    np.savez_compressed(path, **{"<a>": np.ones(2 * LARGEST_FILE, np.uint8)})
    assert "unpacks to" in refused(path)


def test_npz_that_claims_more_than_there_is(tmp_path):
    array = io.BytesIO()
    np.lib.format.write_array_header_1_0(array, {"descr": "<f4", "fortran_order": False, "shape": (1, 2**40)})
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("<a>.npy", array.getvalue() + bytes(64))
    assert "is damaged or not a .npz file" in refused(tmp_path / "x.npz")


def test_names_inside_an_archive_are_no_paths(tmp_path):
    np.savez(tmp_path / "x.npz", **{"../../outside": np.ones((1, 4), np.float32)})
    assert read_embedding(tmp_path / "x.npz").token == "../../outside"
    assert os.listdir(tmp_path) == ["x.npz"]


# Provenance


def test_a_sidecar_comes_back(tmp_path):
    given = embedding(3)
    path = write_sidecar(tmp_path / "moku.json", given, form="a1111", category="not this one")
    facts = {"token": "<moku>", "vectors": 3, "width": 16, "sha256": given.digest, "form": "a1111"}
    assert read_sidecar(path) == ABOUT | facts
    assert json.loads(path.read_text())["conceptree"] == 1 and "Größe" in path.read_text()
    strange = embedding(about={"name": "a\ud800\x1b"})
    assert read_sidecar(write_sidecar(path, strange))["name"] == "a\ud800\x1b"


def test_sidecars_that_are_none(tmp_path):
    path = tmp_path / "moku.json"
    for strange in ("[]", "7", '{"model": "sd"}'):
        path.write_text(strange)
        assert read_sidecar(path) == {}
    for content, said in (
        (b'{"conceptree": 1, "cat', "has provenance that is not JSON"),
        (b"\xff\xfe", "has provenance that is not JSON"),
        (b"[" * 100000, "has provenance that is not JSON"),
        (b'{"conceptree": 1, "scores": {"margin": NaN}}', "has provenance that is not JSON"),
        (b'{"conceptree": 1, "seed": 1e999}', "has provenance that is not JSON"),
        (b"", "is empty"),
        (b'{"conceptree": 2}', "has provenance of schema '2': this version reads 1"),
        (b" " * (LARGEST_PROVENANCE + 1), f"at most {LARGEST_PROVENANCE} are read"),
    ):
        path.write_bytes(content)
        with pytest.raises(ExchangeError) as error:
            read_sidecar(path)
        assert said in str(error.value) and "move it away" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("form", FORMS)
def test_numbers_that_changed_in_the_file_are_noticed_where_the_form_can(tmp_path, form):
    given = Embedding("<moku>", np.full((1, 8), 1.5), ABOUT)
    path = written(tmp_path, given, form)
    number = struct.pack("<f", 1.5)
    assert path.read_bytes().count(number) == 8
    path.write_bytes(path.read_bytes().replace(number, struct.pack("<f", 1.25), 1))
    assert "fetch it again" in refused(path)


def test_numbers_that_were_halved_on_the_way_are_no_damage(tmp_path):
    with safe_open(written(tmp_path, embedding(), "safetensors"), "pt") as file:
        halved = {"<moku>": file.get_tensor("<moku>").half()}
        save_file(halved, tmp_path / "half.safetensors", file.metadata())
    found = read_embedding(tmp_path / "half.safetensors")
    assert found.provenance == ABOUT and found.notes == ("its numbers were float16, and are float32 now",)


def test_metadata_that_is_torn_or_newer_is_said(tmp_path):
    for about, said in (("{", "not JSON"), ('{"conceptree": 9}', "schema '9'")):
        save_file({"<a>": GOOD}, tmp_path / "x.safetensors", {"conceptree": about})
        assert said in refused(tmp_path / "x.safetensors")
    save_file({"<a>": GOOD}, tmp_path / "x.safetensors", {"conceptree": "[]", "author": "me"})
    assert read_embedding(tmp_path / "x.safetensors").provenance == {}


def test_provenance_that_is_too_long_or_no_json_is_not_written(tmp_path):
    with pytest.raises(ExchangeError, match="are read"):
        written(tmp_path, embedding(about={"a": "x" * LARGEST_PROVENANCE}), "npz")
    assert os.listdir(tmp_path) == []


def test_a_number_that_was_changed_since_is_noticed(tmp_path):
    path = write_embedding(tmp_path / "moku.safetensors", Embedding("<moku>", np.ones((1, 4), np.float32), {}))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # a bit of the last float32
    path.write_bytes(content)
    with pytest.raises(ExchangeError, match="has other numbers than were written, by their SHA-256"):
        read_embedding(path)


def test_advice_of_torch_and_warnings_of_numpy_reach_no_person(tmp_path, recwarn):
    """torch advises to load with `weights_only=False`."""
    path = tmp_path / "it.pt"
    torch.save({"<moku>": torch.zeros(2, 4)}, path)
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    [(name, content)] = [each for each in files.items() if each[0].endswith("data.pkl")]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)  # and no storage
    said = refused(path)
    assert "ask for .safetensors" in said and "weights_only" not in said
    assert not recwarn.list


def test_a_zip_of_many_entries_is_not_listed(tmp_path, monkeypatch):
    for ending in ("npz", "pt"):
        with zipfile.ZipFile(tmp_path / f"it.{ending}", "w") as archive:
            for number in range(100):
                archive.writestr(str(number), b"")
    monkeypatch.setattr(zipfile.ZipFile, "infolist", lambda archive: pytest.fail("it was listed"))
    for ending in ("npz", "pt"):
        assert "has more than 64 entries" in refused(tmp_path / f"it.{ending}")
