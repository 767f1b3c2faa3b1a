"""Create .venv and install Conceptree into it, unless that has been done already.

make runs this with the system's Python before every target that needs the environment. It therefore uses only the
standard library and the syntax of Python 3.7: a Python that is too old must reach the error that says so.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "installed.json")
LOG = os.path.join(VENV, "install.log")
OLDEST = (3, 11)
NEEDED_GB, NEEDED_GB_WITH_CUDA = 3.0, 10.0  # PyTorch's build for CUDA brings its libraries


class CannotInstall(Exception):
    """One line: what is missing, and what to do."""


def main() -> int:
    arguments = parse()
    constraints = os.path.join(ROOT, arguments.constraints) if arguments.constraints else ""
    try:
        with open(os.path.join(ROOT, "pyproject.toml"), "rb") as project:
            fcntl.flock(project, fcntl.LOCK_EX)  # two makes at once: the second waits, then finds everything done
            stamp = read_stamp()
            wanted = {
                "key": fingerprint(constraints),
                "extras": sorted({"test", *arguments.extra, *stamp.get("extras", [])}),
                "torch": stamp.get("torch", "auto") if arguments.torch == "auto" else arguments.torch,
                "index": arguments.torch_index or stamp.get("index", ""),
            }
            if wanted != stamp or not os.path.exists(os.path.join(VENV, "bin", "conceptree")):
                install(wanted, constraints)
    except CannotInstall as reason:
        print(reason, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The next make continues.", file=sys.stderr)
        return 130
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--extra", action="append", default=[], help="an extra of pyproject.toml beside 'test'")
    parser.add_argument("--torch", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--torch-index", default="", help="address of the package index that PyTorch comes from")
    parser.add_argument("--constraints", default="constraints.txt", help="'' for the newest of everything")
    return parser.parse_args()


def fingerprint(constraints: str) -> str:
    """A hash of the requirements and the folder; the folder counts because a venv's scripts contain its path."""
    digest = hashlib.sha256(ROOT.encode())
    for path in filter(None, [os.path.join(ROOT, "pyproject.toml"), constraints]):
        try:
            with open(path, "rb") as file:
                digest.update(file.read())
        except OSError as error:
            raise CannotInstall(f"cannot read {path}: {error.strerror}") from error
    return digest.hexdigest()[:16]


def read_stamp() -> dict:
    try:
        with open(STAMP, encoding="utf-8") as file:
            stamp = json.load(file)
        return stamp if isinstance(stamp, dict) else {}
    except (OSError, ValueError):
        return {}


def install(wanted: dict, constraints: str) -> None:
    start = time.monotonic()
    if os.path.islink(VENV):  # `venv --clear` would empty the other folder's environment
        raise CannotInstall(f".venv is a link to {os.readlink(VENV)}: remove the link, and make creates an environment")
    if os.path.exists(STAMP):
        os.remove(STAMP)  # a half-done installation must not look like a finished one
    if not (usable_venv() and scripts_fit()):
        create_venv()
    if wanted["torch"] == "cuda":
        check_room(NEEDED_GB_WITH_CUDA)
    common = ["--constraint", constraints] if constraints else []
    if wanted["torch"] != "auto" or wanted["index"]:
        pip("PyTorch", torch_arguments(wanted, constraints) + common, start)
    pip("Conceptree and its requirements", ["--editable", f"{ROOT}[{','.join(wanted['extras'])}]", *common], start)
    if wanted["torch"] == "cuda":
        check_cuda()
    with open(STAMP, "w", encoding="utf-8") as file:
        json.dump(wanted, file, indent=1)
    print(f"Installed into .venv in {time.monotonic() - start:.0f} s.")


def usable_venv() -> bool:
    """Whether .venv holds a Python that runs, is new enough and has pip."""
    python = os.path.join(VENV, "bin", "python")
    try:
        found = subprocess.run(
            [python, "-c", "import sys, pip; print(*sys.version_info[:2])"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return False
    return tuple(map(int, found.stdout.split())) >= OLDEST


def scripts_fit() -> bool:
    """Whether pip's script contains this folder's path; a moved venv is created again."""
    try:
        with open(os.path.join(VENV, "bin", "pip"), "rb") as file:
            return os.fsencode(VENV) in file.read(4096)
    except OSError:
        return False


def check_room(needed_gb: float) -> None:
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < needed_gb:
        raise CannotInstall(f"only {free:.1f} GB free in {ROOT}: the environment needs about {needed_gb:.0f} GB")


def create_venv() -> None:
    if sys.version_info < OLDEST:
        raise CannotInstall(
            f"Conceptree needs Python {OLDEST[0]}.{OLDEST[1]} or newer and this is {sys.version.split()[0]}: "
            "install Debian's package python3 (Debian 12 or newer), or name another with make PYTHON=python3.12"
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise CannotInstall("Python's venv module is missing: sudo apt install python3-venv") from None
    check_room(NEEDED_GB)
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", VENV],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if made.returncode:
        last = made.stdout.decode(errors="replace").strip().splitlines()[-1:]
        raise CannotInstall(f"python -m venv failed: {' '.join(last)}")


def torch_arguments(wanted: dict, constraints: str) -> list:
    """pip's arguments that select the build of PyTorch.

    The local part of the version names the build (2.13.0+cpu, 2.13.0+cu130); an index with only one build leaves it
    out. The requirements of PyTorch are installed later, from the usual index.
    """
    requirement = "torch"
    if wanted["torch"] != "auto":
        version = pinned("torch", constraints)
        if wanted["torch"] == "cuda":
            requirement = f"torch=={version},!={version}+cpu"
        elif sys.platform == "linux":
            requirement = f"torch=={version}+cpu"
    index = ["--index-url", wanted["index"]] if wanted["index"] else []
    return [requirement, "--no-deps", *index]


def pinned(package: str, constraints: str) -> str:
    if constraints:
        with open(constraints, encoding="utf-8") as file:
            for line in file:
                if line.startswith(f"{package}=="):
                    return line.split("==")[1].strip()
    raise CannotInstall(f"TORCH=cpu|cuda needs a constraints file that pins {package}; or choose by TORCH_INDEX alone")


def check_cuda() -> None:
    ask = [os.path.join(VENV, "bin", "python"), "-c", "import torch; print(torch.version.cuda or '')"]
    found = subprocess.run(ask, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    if not found.stdout.strip():
        raise CannotInstall(
            "pip's package index gave PyTorch without CUDA: add TORCH_INDEX=ADDRESS of one with CUDA builds "
            "(see PyTorch's page 'Get started')"
        )


def pip(what: str, arguments: list, start: float) -> None:
    """Run pip install into .venv; show one line with the time."""
    command = [os.path.join(VENV, "bin", "python"), "-m", "pip", "install", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", *arguments]
    line = f"Installing {what} into .venv; the first time takes some minutes"
    terminal = sys.stdout.isatty()
    print(f"{line} …", end="" if terminal else "\n", flush=True)
    with open(LOG, "wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            while True:
                try:
                    process.wait(timeout=1)
                    break
                except subprocess.TimeoutExpired:
                    if terminal:
                        print(f"\r{line} … {time.monotonic() - start:.0f} s", end="", flush=True)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            if terminal:
                print()
    if process.returncode:
        raise CannotInstall(explain(arguments))


def explain(arguments: list) -> str:
    with open(LOG, encoding="utf-8", errors="replace") as file:
        log = file.read()
    # With a constraints file, pip reports a missing build as ResolutionImpossible.
    if arguments[0].endswith("+cpu") and ("No matching distribution" in log or "ResolutionImpossible" in log):
        return (
            f"pip's package index has no CPU build of PyTorch ({arguments[0]}): add TORCH_INDEX=ADDRESS of one "
            "with one (see PyTorch's page 'Get started'), or leave TORCH out"
        )
    errors = [line.strip() for line in log.splitlines() if line.lower().startswith("error")]
    return f"pip failed: {errors[-1] if errors else 'no reason given'} (full log: .venv/install.log)"


if __name__ == "__main__":
    sys.exit(main())
