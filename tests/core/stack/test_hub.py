"""Names of stacks find their folders; what is missing, wrong or out of reach is told in one line. Without a network."""

from __future__ import annotations

import json
import logging
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils import logging as hub_logging

from core.errors import StackError
from core.stack import folders, hub
from core.stack.backbone import Backbone
from core.stack.hub import download_command, find_model, find_stack
from tests.stacks import cache_as_hub, save_stack

PAPER = hub.ALIASES["kandinsky-2.1"]
COMMIT, OTHER = "c0ffee" + "0" * 34, "decade" + "0" * 34


@pytest.fixture(scope="module")
def paper(tmp_path_factory) -> Path:
    """A stack with the structure of Kandinsky 2.1, as a folder."""
    return save_stack(tmp_path_factory.mktemp("paper"), family="2.1", length=77, published_eos=True)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache of the hub's, and a home where nothing is kept."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "hub"


@pytest.fixture
def cached(cache, paper) -> Path:
    """Kandinsky 2.1 in the cache."""
    cache_as_hub(cache, PAPER[0], paper / "prior", COMMIT)
    cache_as_hub(cache, PAPER[1], paper / "decoder", OTHER)
    return cache


def answering(monkeypatch, error=None, then=None):
    """The hub within reach: it answers with an error, or with what `then` puts into the cache."""
    asked = []
    real = huggingface_hub.snapshot_download

    def download(id_, *, local_files_only=False, **how):
        if local_files_only:
            return real(id_, local_files_only=True, **how)
        asked.append((id_, how["revision"]))
        assert hub_logging.get_verbosity() >= logging.ERROR, "each try without a network would be told"
        if error is not None:
            raise error
        then()
        return real(id_, local_files_only=True, **how)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return asked


def refused(kind):
    """An error of the hub's, without the response that it was made of."""
    error = kind.__new__(kind)
    Exception.__init__(error, "401 Client Error.\n\nRepository …")
    return error


def one_line(error) -> str:
    message = str(error.value)
    assert "\n" not in message and len(message) < 900
    return message


def test_an_alias_is_a_pair_of_repositories_pinned_to_what_was_found(cached, paper):
    stack = find_stack("kandinsky-2.1")
    assert stack.version == "kandinsky-2.1"
    assert stack.where == f"{PAPER[0]}@{COMMIT}+{PAPER[1]}@{OTHER}"
    assert stack.prior.name == COMMIT and stack.decoder.name == OTHER
    again = find_stack(stack.where)
    assert (again.prior, again.decoder, again.where) == (stack.prior, stack.decoder, stack.where)

    backbone, folder = Backbone.load("kandinsky-2.1", device="cpu"), Backbone.load(paper, device="cpu")
    backbone.check()
    assert (backbone.width, backbone.draws, backbone.multilingual) == (16, True, True)
    assert backbone.fingerprint == folder.fingerprint, "the cache names large files by their content"
    assert backbone.imagine("a dog", seeds=1).shape == (1, 16)
    assert len(backbone.draw(backbone.imagine("a dog", seeds=1), seeds=1, steps=2, size=16)) == 1


def test_an_alias_fetches_the_commits_that_are_known_to_be_whole(cache, paper, monkeypatch):
    def download():
        for id_, part in zip(PAPER, ("prior", "decoder"), strict=True):
            cache_as_hub(cache, id_, paper / part, hub.COMMITS[id_])

    asked = answering(monkeypatch, then=download)
    stack = find_stack("kandinsky-2.1")
    assert asked == [(PAPER[0], hub.COMMITS[PAPER[0]])], "the decoder came with it"
    assert stack.where == "+".join(f"{id_}@{hub.COMMITS[id_]}" for id_ in PAPER)


def test_a_cached_main_is_used_until_the_known_commit_is_there(cached, paper, monkeypatch):
    asked = answering(monkeypatch, AssertionError("the network was asked"))
    assert find_stack("kandinsky-2.1").prior.name == COMMIT
    cache_as_hub(cached, PAPER[0], paper / "prior", hub.COMMITS[PAPER[0]], ref="pinned")
    stack = find_stack("kandinsky-2.1")
    assert (stack.prior.name, stack.decoder.name) == (hub.COMMITS[PAPER[0]], OTHER) and not asked
    assert find_stack("kandinsky-2.1", revision="main").prior.name == COMMIT


def test_every_repository_of_an_alias_has_a_commit():
    assert set(hub.COMMITS) == {id_ for ids in hub.ALIASES.values() for id_ in ids}
    assert all(len(commit) == 40 and int(commit, 16) for commit in hub.COMMITS.values())


def test_a_later_commit_does_not_move_a_pinned_stack(cached, paper, tmp_path):
    first = find_stack("kandinsky-2.1")
    changed = shutil.copytree(paper / "prior", tmp_path / "changed")
    (changed / "README.json").write_text("{}")
    cache_as_hub(cached, PAPER[0], changed, OTHER)
    assert find_stack("kandinsky-2.1").prior.name == OTHER
    assert find_stack(first.where).prior.name == COMMIT


def test_a_revision_may_be_a_branch_a_tag_or_a_commit(cache, paper):
    cache_as_hub(cache, "some/prior", paper / "prior", COMMIT, ref="v1")
    for name in ("some/prior@v1", f"some/prior@{COMMIT}"):
        assert find_stack(name).where == f"some/prior@{COMMIT}"
    assert find_stack("some/prior", revision="v1").prior.name == COMMIT
    assert find_stack("some/prior@v1").version == "prior@v1"
    with pytest.raises(StackError, match="has no revision 'v1': leave it out"):
        find_stack(paper, revision="v1")


def test_prior_and_decoder_may_be_folders_or_repositories(cached, paper, tmp_path, monkeypatch):
    monkeypatch.chdir(paper)
    stack = find_stack(f"{PAPER[0]}+decoder")
    assert (stack.prior.name, stack.decoder) == (COMMIT, Path("decoder"))
    assert find_stack("prior+decoder").where == f"{paper / 'prior'}+{paper / 'decoder'}"
    assert Backbone.load("prior+decoder", device="cpu").draws and find_stack("prior").decoder is None


def test_a_repository_of_a_prior_alone_learns_and_does_not_draw(cached):
    backbone = Backbone.load(PAPER[0], device="cpu")
    assert backbone.imagine("a dog", seeds=1).shape == (1, 16) and not backbone.draws


def test_what_is_cached_asks_no_network(cached, monkeypatch):
    asked = answering(monkeypatch, AssertionError("the network was asked"))
    find_stack("kandinsky-2.1")
    assert not asked


def test_nothing_is_fetched_where_that_is_not_wanted(cache, monkeypatch):
    asked = answering(monkeypatch, AssertionError("the network was asked"))
    with pytest.raises(StackError) as error:
        Backbone.load("kandinsky-2.1", fetch=False)
    said = one_line(error)
    each = [
        f"{id_} at revision '{pin}' is not in the cache of the hub: {download_command(id_, pin)}"
        for id_, pin in ((id_, hub.COMMITS[id_]) for id_ in PAPER)
    ]
    assert said == "; and ".join(each) and not asked


def test_what_is_not_cached_is_fetched(cache, paper, monkeypatch):
    asked = answering(monkeypatch, then=lambda: cache_as_hub(cache, "some/prior", paper / "prior"))
    assert find_stack("some/prior").where == f"some/prior@{COMMIT}"
    assert asked == [("some/prior", None)]


def test_no_network_and_nothing_cached_gives_the_exact_command(cache):
    with pytest.raises(StackError) as error:
        Backbone.load("kandinsky-2.1")
    assert all(download_command(id_, hub.COMMITS[id_]) in one_line(error) for id_ in PAPER)
    assert "the network cannot be reached: with a network, run hf download kandinsky-community" in one_line(error)
    with pytest.raises(StackError) as error:
        Backbone.load("kandinsky-2.2", revision="v2")
    assert "kandinsky-2-2-prior at revision 'v2'" in one_line(error) and "--revision v2" in one_line(error)


def test_the_command_is_one_that_the_hub_s_client_understands():
    words = shlex.split(download_command("some/prior", "v1"))
    assert words[:5] == ["hf", "download", "some/prior", "--revision", "v1"]
    run = "import sys; from huggingface_hub.cli.hf import main; sys.argv = ['hf', 'download', '--help']; main()"
    told = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True).stdout
    for option in {word for word in words if word.startswith("--")}:
        assert option in told


@pytest.mark.parametrize(
    "kind, said",
    [
        (GatedRepoError, "the repository some/prior is gated: ask for access on its page, then hf auth login, then hf"),
        (RepositoryNotFoundError, "there is no folder 'some/prior', and no repository of that name that you may read"),
        (RevisionNotFoundError, "the repository some/prior has no revision 'v9': give a commit, a tag or a branch"),
        (OSError, "some/prior at revision 'v9' cannot be fetched (401 Client Error.): try again with hf download"),
    ],
)
def test_what_the_hub_refuses_is_said_in_one_line(cache, monkeypatch, kind, said):
    answering(monkeypatch, refused(kind))
    with pytest.raises(StackError) as error:
        find_stack("some/prior", revision="v9")
    assert one_line(error).startswith(said)


def test_a_download_that_was_broken_off_is_told_and_goes_on_with_a_network(cached, paper, monkeypatch):
    (weights,) = (cached / f"models--{PAPER[0].replace('/', '--')}").glob("snapshots/*/prior/*.safetensors")
    target = weights.resolve()
    weights.unlink()
    target.rename(target.with_suffix(".incomplete"))
    with pytest.raises(StackError) as error:
        find_stack("kandinsky-2.1")
    assert f"only a part of {PAPER[0]} is in the cache (prior/*.safetensors is missing)" in one_line(error)
    assert download_command(PAPER[0]) in one_line(error)
    asked = answering(monkeypatch, then=lambda: shutil.copyfile(next((paper / "prior/prior").glob("*.saf*")), weights))
    assert find_stack("kandinsky-2.1").prior.name == COMMIT and asked == [(PAPER[0], None)]


def test_a_truncated_file_of_the_cache_is_named_with_what_fetches_it_again(cached):
    (weights,) = (cached / f"models--{PAPER[1].replace('/', '--')}").glob("snapshots/*/unet/*.safetensors")
    weights.resolve().write_bytes(weights.read_bytes()[:-50])
    with pytest.raises(StackError) as error:
        Backbone.load("kandinsky-2.1", device="cpu").check()
    command = f"hf download {PAPER[1]} unet/{weights.name} --revision {OTHER} --force-download"
    assert one_line(error).endswith(f"fetch it again: {command}")


def test_a_missing_shard_is_named(tmp_path, paper):
    folder = shutil.copytree(paper / "prior", tmp_path / "prior")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "prior/model.safetensors.index.json").write_text(json.dumps(index))
    next((folder / "prior").glob("diffusion*")).rename(folder / "prior/model-00001-of-00002.safetensors")
    with pytest.raises(StackError, match=r"prior/model-00002-of-00002\.safetensors is missing"):
        find_model(str(folder), lacks=folders.is_whole_pipeline)


def test_pickled_weights_alone_are_not_taken(tmp_path, paper):
    folder = shutil.copytree(paper / "prior", tmp_path / "prior")
    weights = folder / "text_encoder/model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(StackError, match=r"pytorch_model\.bin is a pickle, which is never read"):
        find_model(str(folder), lacks=folders.is_whole_pipeline)
    with pytest.raises(StackError, match=r"pytorch_model\.bin is a pickle, which is never read"):
        Backbone.load(folder, device="cpu").check()


def test_the_same_weights_in_other_forms_beside_them_change_no_fingerprint(tmp_path, paper):
    folder = shutil.copytree(paper, tmp_path / "stack")
    for name in ("pytorch_model.bin", "model.fp16.safetensors"):
        (folder / "prior/text_encoder" / name).write_bytes(b"whatever")
    assert Backbone.load(folder, device="cpu").fingerprint == Backbone.load(paper, device="cpu").fingerprint
    Backbone.load(folder, device="cpu").check()


def test_a_decoder_without_its_prior_is_told_before_anything_is_fetched(cache, paper, monkeypatch):
    asked = answering(monkeypatch, AssertionError("the network was asked"))
    with pytest.raises(StackError, match=r"is a decoder without its prior: name kandinsky-2\.1, or kandinsky-comm"):
        find_stack(PAPER[1])
    assert not asked
    with pytest.raises(StackError, match=r"is a KandinskyPipeline without its prior: name both, as PRIOR\+DECODER"):
        find_stack(paper / "decoder")
    cache_as_hub(cache, "some/decoder", paper / "decoder")
    with pytest.raises(StackError, match="is a KandinskyPipeline without its prior"):
        find_stack("some/decoder")


@pytest.mark.parametrize("name", ["", "kandinsky-3", "no such stack", "a+b+c+d", "../nowhere", "a/b/c"])
def test_a_name_that_is_nothing_says_what_may_be_named(cache, name):
    with pytest.raises(StackError) as error:
        find_stack(name)
    assert "PRIOR+DECODER, or one of emoji, kandinsky-2.1, kandinsky-2.2" in one_line(error)


@pytest.mark.parametrize(
    ("name", "near"), [("Emoji", "emoji"), ("emojis", "emoji"), ("Kandinsky-2.2", "kandinsky-2.2")]
)
def test_a_name_that_is_nearly_right_is_suggested(cache, name, near):
    with pytest.raises(StackError) as error:
        find_stack(name)
    assert f"there is no stack {name!r}: did you mean {near}" in one_line(error)


def test_a_misspelt_folder_is_not_taken_for_a_repository_alone(cache):
    with pytest.raises(StackError, match="there is no folder 'models/nowhere', no models/nowhere in the hub's cache"):
        find_stack("models/nowhere")


def test_what_is_measured_on_a_repository_is_kept_outside_the_cache(cached, tmp_path):
    beside = find_stack("kandinsky-2.1").beside
    assert beside == tmp_path / "data/conceptree/stacks/kandinsky-community--kandinsky-2-1-prior"
    assert find_stack(f"{PAPER[0]}@{COMMIT}").beside == beside
