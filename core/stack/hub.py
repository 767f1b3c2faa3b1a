"""Finding models: the embedded one, a folder, or a hub's repository, in the cache or downloaded into it.

A stack is a prior's pipeline and, to draw, a decoder's. One line names both, and a run stores that line:

    emoji                               the embedded one
    kandinsky-2.1, kandinsky-2.2        the published pairs
    kandinsky-2.2-eclipse               Kandinsky 2.2 with the ECLIPSE prior
    karlo                               Karlo's prior alone
    FOLDER                              with prior/ and decoder/, or a prior's pipeline alone
    ORG/NAME[@REVISION]                 a prior's repository alone
    PRIOR+DECODER                       a folder or a repository for each
    TRANSFORMER+PRIOR+DECODER           the same with another transformer in the prior's pipeline, such as ECLIPSE's

Cached models are used without the network. A name without a revision gets the commit that was found, so that a run
keeps the weights it began with; the names above get the commits of `COMMITS`, unless only another is in the cache. Code
and pickles of a repository are never loaded.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from core.errors import StackError
from core.stack.folders import (
    IGNORED,
    PICKLES,
    is_whole_pipeline,
    lacks,
    lacks_file,
    lacks_of,
    parts_of,
    read_json,
)
from core.wording import did_you_mean

EMOJI = Path(__file__).parents[1] / "emoji" / "weights"
ALIASES: dict[str, tuple[str, ...]] = {
    "kandinsky-2.1": ("kandinsky-community/kandinsky-2-1-prior", "kandinsky-community/kandinsky-2-1"),
    "kandinsky-2.2": ("kandinsky-community/kandinsky-2-2-prior", "kandinsky-community/kandinsky-2-2-decoder"),
    "kandinsky-2.2-eclipse": (
        "ECLIPSE-Community/ECLIPSE_KandinskyV22_Prior",
        "kandinsky-community/kandinsky-2-2-prior",
        "kandinsky-community/kandinsky-2-2-decoder",
    ),
    "karlo": ("kakaobrain/karlo-v1-alpha",),
}
# Of the repositories above: revisions that hold all parts as safetensors.
COMMITS = {
    "kandinsky-community/kandinsky-2-1-prior": "03ca1250c686ddb02aad64e23daa98393e410e30",
    "kandinsky-community/kandinsky-2-1": "456ce7486f8af9d9e01e27833838a82b48a04620",
    "kandinsky-community/kandinsky-2-2-prior": "9fc51ad5732afc5d031724219d22e6c42179c5a8",
    "kandinsky-community/kandinsky-2-2-decoder": "9ae140d347fed8ce6e8bb3005dcc1f48543bb8e3",
    "ECLIPSE-Community/ECLIPSE_KandinskyV22_Prior": "ff0532b435874783c111444bf162d63edd76f943",
    "kakaobrain/karlo-v1-alpha": "5ee45298e0956749e621bcb30c799a0b599afa83",
}
BLIP2 = "Salesforce/blip2-flan-t5-xl"  # the VQA model that the authors asked
# The files that are read of a repository. Pickled weights are not read; half precision is converted on loading.
FILES = ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors")
_DOUBLE = ("*.fp16.*",)  # the largest and most frequent of these
TRANSFORMER = "prior"  # the part of a prior's pipeline that another may replace
# Parts of Karlo's pipeline (UnCLIPPipeline) that draw, beside its prior.
_DRAWING = ("decoder", "text_proj", "super_res_first", "super_res_last")
_UNREAD = {"kakaobrain/karlo-v1-alpha": _DRAWING}  # of a prior's repository
_FOREIGN = (*PICKLES, "*.onnx*", "*openvino*")  # not read in folders whose other files are
_FIRST = ("model_index.json", "config.json")  # one of them is in every repository
_ID = re.compile(r"(?P<id>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>[\w.][\w./-]*))?")
_Wanted = tuple[Callable[[Path], str], tuple[str, ...]]  # what a model's folder lacks, its parts that are not read


@dataclass(frozen=True)
class Stack:
    """The folders of a stack. where: finds the same stack again. beside: the folder of its vocabulary.json,
    calibration.json and stack.json. transformer: the folder of the prior's transformer, if another takes the place of
    the one in the pipeline.
    """

    where: str
    version: str
    prior: Path
    decoder: Path | None
    beside: Path
    transformer: Path | None = None


def find_stack(where: str | Path, revision: str | None = None, fetch: bool = True) -> Stack:
    """The folders of the stack that `where` names, downloaded from the hub if they are in no cache.

    revision: of repositories without one in their name. fetch: allow downloads.

    Raises:
        StackError: a part is missing, incomplete, or of another kind.
    """
    name = str(where)
    folder = EMOJI if name == "emoji" else Path(name).expanduser()
    if name and folder.is_dir():
        return _in_folder(name, folder, revision)
    if name == "emoji":
        raise StackError("there is no stack 'emoji': make train-emoji builds it")
    if name in ALIASES:
        repositories = ALIASES[name]
        pinned = [each if revision else f"{each}{_at(_pinned(each))}" for each in repositories]
        return _composed(name, pinned, revision, fetch)
    names = name.split("+")
    if len(names) in (2, 3) and all(names):
        return _composed(_brief(names[0]), names, revision, fetch)
    if not is_id(name):
        names = ["emoji", *ALIASES]
        near = f"{text} Or " if (text := did_you_mean(name, names)) else ""
        every = f"give a folder with prior/ and decoder/, PRIOR+DECODER, or one of {', '.join(names)}"
        raise StackError(f"there is no stack {name!r}: {near}{every}")
    _refuse_known_decoder(name)
    return _composed(_brief(name), [name], revision, fetch)


@dataclass(frozen=True)
class Place:
    """One model. where: its folder, or ORG/NAME@COMMIT."""

    where: str
    folder: Path


def find_model(
    where: str,
    revision: str | None = None,
    lacks: Callable[[Path], str] | None = None,
    fetch: bool = True,
    without: Sequence[str] = (),
    only: Sequence[str] = (),
) -> Place:
    """The folder of one model or pipeline, given as a folder or as ORG/NAME[@REVISION].

    lacks: returns the first missing file of a folder, or ""; an incomplete cached model is downloaded again. fetch:
    allow downloads. without: parts of a pipeline that are not downloaded. only: patterns of the files to download.

    Raises:
        StackError: it is missing, cannot be downloaded, or is incomplete.
    """
    folder = Path(where).expanduser()
    if folder.is_dir():
        if lacks and (missing := lacks(folder)):
            raise StackError(f"the folder {str(folder)!r} is not whole: {missing}")
        return Place(str(folder.resolve()), folder)
    matched = _ID.fullmatch(where)
    if not matched:
        raise StackError(f"there is no folder {where!r}: give one, or ORG/NAME of a repository")
    id_, revision = matched["id"], matched["revision"] or revision
    snapshot = _snapshot(id_, revision, lacks or (lambda folder: ""), fetch, _Files.of(without, only))
    return Place(f"{id_}@{snapshot.name}", snapshot)


def find_pipeline(where: str, kinds: Mapping[str, Sequence[str]], fetch: bool = True) -> tuple[Place, str]:
    """(folder, class) of a pipeline, named by its folder or ORG/NAME[@REVISION]. Only the parts that are read are
    downloaded. kinds: the classes that fit, each with these parts.

    Raises:
        StackError: it is missing, incomplete, or of another class.
    """
    where = f"{where}{_at(_pinned(where))}" if where in COMMITS else where
    index = "model_index.json"
    lists = {tuple(parts) for parts in kinds.values()}
    # What is read of any of them is known before its index: one download.
    only = (index, *_all_of(*lists)) if len(lists) == 1 else (index,)

    def missing(folder: Path) -> str:
        return lacks_file(folder, index) or (lacks_of(folder, *lists) if len(lists) == 1 else "")

    place = find_model(where, None, missing, fetch, only=only)
    kind = str(read_json(place.folder / index).get("_class_name"))
    if kind not in kinds:
        raise StackError(f"{where!r} is a {kind}: expected a {' or a '.join(kinds)}")
    parts = kinds[kind]
    only = (index, *_all_of(parts))
    return find_model(place.where, None, lambda folder: lacks_of(folder, parts), fetch, only=only), kind


def find_file(where: str, name: str, fetch: bool = True) -> Place:
    """The folder of a repository ORG/NAME[@REVISION], with one file of it."""
    return find_model(where, None, lambda folder: lacks_file(folder, name), fetch, only=(name,))


def is_id(where: str) -> bool:
    """Whether a text has the form of a repository's name."""
    return _ID.fullmatch(where) is not None


@dataclass(frozen=True)
class _Files:
    """Patterns of a repository's files. brief: those that are worth typing to exclude."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    brief: tuple[str, ...]

    @classmethod
    def of(cls, without: Sequence[str], only: Sequence[str]) -> _Files:
        """The files that are read of a repository, without some parts; or of some patterns only."""
        if only:
            parts = any("*" in each for each in only)
            return cls(tuple(only), (*IGNORED, *_FOREIGN), (*_DOUBLE, *_FOREIGN) if parts else ())
        unread = tuple(_all_of(without))
        return cls(FILES, (*IGNORED, *unread), (*_DOUBLE, *unread))


def download_command(
    id_: str, revision: str | None = None, without: Sequence[str] = (), only: Sequence[str] = ()
) -> str:
    """The command that downloads the files of a repository that are read here; see `find_model`."""
    return _command(id_, revision, _Files.of(without, only))


def _command(id_: str, revision: str | None, files: _Files) -> str:
    words = ["hf", "download", id_, *(["--revision", revision] if revision else [])]
    for option, patterns in (("--include", files.include), ("--exclude", files.brief)):
        words += [word for pattern in patterns for word in (option, pattern)]
    return shlex.join(words)


def kept_for(where: str) -> Path:
    """The folder for a repository's calibration: not in the hub's cache, which may be emptied at any time."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "conceptree" / "stacks" / re.sub(r"[^\w.-]+", "--", where.split("@")[0])


def _at(revision: str | None) -> str:
    return f"@{revision}" if revision else ""


def _pinned(id_: str) -> str | None:
    """The commit of a repository that is named by an alias; None if the cache holds its main branch alone."""
    from huggingface_hub import try_to_load_from_cache

    commit = COMMITS[id_]
    if Path(id_).is_dir():
        return None
    for revision in (commit, None):
        if any(isinstance(try_to_load_from_cache(id_, file, revision=revision), str) for file in _FIRST):
            return revision
    return commit


def _all_of(parts: Sequence[str]) -> list[str]:
    return [f"{part}/*" for part in parts]


def _in_folder(name: str, folder: Path, revision: str | None) -> Stack:
    if revision:
        raise StackError(f"{name!r} is a folder, which has no revision {revision!r}: leave it out")
    place = Place(name, folder / "prior" if (folder / "prior" / "model_index.json").is_file() else folder)
    decoder = folder / "decoder"
    prior = _checked_prior(place, folder)
    return Stack(name, folder.resolve().name, prior, decoder if decoder.is_dir() else None, folder)


def _composed(version: str, names: Sequence[str], revision: str | None, fetch: bool) -> Stack:
    """The stack of a prior's pipeline; of that and a decoder's; or of a transformer, a prior's and a decoder's."""
    replaced = (TRANSFORMER,) if len(names) == 3 else ()
    id_ = names[len(replaced)].split("@")[0]
    whole = partial(is_whole_pipeline, without=(*replaced, *_DRAWING))
    prior: _Wanted = (whole, (*replaced, *_UNREAD.get(id_, ())))
    wanted = list(zip(names, [*[(lacks, ())] * len(replaced), prior, (is_whole_pipeline, ())], strict=False))
    places: list[Place] = []
    for number, (each, (missing, without)) in enumerate(wanted):
        try:
            places.append(find_model(each, revision, missing, fetch, without))
        except StackError as error:
            others = [_not_here(other, revision, of) for other, of in wanted[number + 1 :]]
            raise StackError("; and ".join([str(error), *filter(None, others)])) from error
    first, *_ = places
    beside = first.folder if Path(first.where).is_dir() else kept_for(first.where)
    return Stack(
        "+".join(each.where for each in places),
        version,
        _checked_prior(places[len(replaced)]),
        places[-1].folder if len(places) > 1 else None,
        beside,
        _checked_transformer(first) if replaced else None,
    )


def _not_here(name: str, revision: str | None, wanted: _Wanted) -> str:
    """Why a model cannot be read without a download, for people who have to download it elsewhere; or ""."""
    try:
        find_model(name, revision, wanted[0], False, wanted[1])
    except StackError as error:
        return str(error)
    return ""


def _checked_transformer(place: Place) -> Path:
    """The folder; StackError if it holds no prior's transformer."""
    kind = read_json(place.folder / "config.json").get("_class_name")
    if kind != "PriorTransformer":
        raise StackError(
            f"{place.where!r} is a {kind}: expected a PriorTransformer as the first of TRANSFORMER+PRIOR+DECODER"
        )
    return place.folder


def _checked_prior(place: Place, asked: Path | None = None) -> Path:
    """The folder; StackError if no prior's pipeline is in it."""
    index = place.folder / "model_index.json"
    if not index.is_file():
        raise StackError(
            f"the stack {str(asked or place.where)!r} has no prior/ pipeline: no model_index.json is in it"
        )
    if "prior" not in parts_of(place.folder):
        kind = read_json(index).get("_class_name")
        raise StackError(f"{place.where!r} is a {kind} without its prior: name both, as PRIOR+DECODER")
    return place.folder


def _refuse_known_decoder(name: str) -> None:
    """Raise StackError for a decoder alone, before gigabytes are downloaded."""
    for alias, names in ALIASES.items():
        if len(names) > 1 and name.split("@")[0] == names[-1]:
            raise StackError(f"{name!r} is a decoder without its prior: name {alias}, or {names[-2]}+{name}")


@contextmanager
def _no_retries_told() -> Iterator[None]:
    """Switch off the hub's warnings, such as one for each try without a network: the error says it once."""
    from huggingface_hub.utils import logging as hub_logging

    before = hub_logging.get_verbosity()
    hub_logging.set_verbosity(max(logging.ERROR, before))
    try:
        yield
    finally:
        hub_logging.set_verbosity(before)


def _snapshot(id_: str, revision: str | None, lacks: Callable[[Path], str], fetch: bool, files: _Files) -> Path:
    """A repository's folder in the hub's cache, at one commit."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        IncompleteSnapshotError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    how: Mapping[str, Any] = {
        "revision": revision,
        "allow_patterns": list(files.include),
        "ignore_patterns": list(files.exclude),
    }
    at = f" at revision {revision!r}" if revision else ""
    command = _command(id_, revision, files)
    missing = ""
    try:
        folder = Path(snapshot_download(id_, local_files_only=True, **how))
        if not (missing := lacks(folder)):
            return folder
    except IncompleteSnapshotError:
        missing = "files are missing"
    except LocalEntryNotFoundError:
        pass
    except HFValidationError as error:
        raise StackError(f"{id_!r} is not a folder, and not a valid name of a repository") from error
    half = f"only a part of {id_}{at} is in the cache ({missing})"
    if not fetch:
        raise StackError(f"{half if missing else f'{id_}{at} is not in the cache of the hub'}: {command}")
    try:
        with _no_retries_told():
            folder = Path(snapshot_download(id_, **how))
    except GatedRepoError as error:
        raise StackError(
            f"the repository {id_} is gated: ask for access on its page, then hf auth login, then {command}"
        ) from error
    except RevisionNotFoundError as error:
        raise StackError(
            f"the repository {id_} has no revision {revision!r}: give a commit, a tag or a branch"
        ) from error
    except RepositoryNotFoundError as error:
        raise StackError(
            f"there is no folder {id_!r}, and no repository of that name that you may read: check its spelling, and"
            " hf auth login if it is private"
        ) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        what = f"{half}, and the network cannot be reached" if missing else _nowhere(id_, at)
        raise StackError(f"{what}: with a network, run {command}") from error
    except OSError as error:  # a full disk, a lost connection, an error of the hub
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise StackError(f"{id_}{at} cannot be fetched ({reason}): try again with {command}") from error
    if missing and lacks(folder):  # without a network, the hub returns the cached files
        raise StackError(f"{half}, and no more can be fetched: with a network, run {command}")
    if missing := lacks(folder):
        raise StackError(f"the repository {id_}{at} does not fit: {missing}")
    return folder


def _nowhere(id_: str, at: str) -> str:
    return f"there is no folder {id_!r}, no {id_}{at} in the hub's cache, and the network cannot be reached"


def _brief(where: str) -> str:
    """A stack's name: the last part of its id or folder, with the first eight letters of a revision."""
    matched = None if Path(where).expanduser().is_dir() else _ID.fullmatch(where)
    if not matched:
        return Path(where).expanduser().resolve().name
    name = matched["id"].split("/")[1]
    return f"{name}@{matched['revision'][:8]}" if matched["revision"] else name
