"""Report on this installation: packages, PyTorch's build, device, stack, disk, and problems with them."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import click

GB = 1e9


@dataclass(frozen=True)
class Finding:
    """A problem, with what to do; `needed` if Conceptree cannot work with it."""

    text: str
    needed: bool


@dataclass
class Examination:
    """The whole report; `--json` has the same field names."""

    python: str
    system: str
    cores: int
    packages: dict[str, str | None]
    torch_build: str | None = None
    threads: int | None = None
    device: str | None = None
    gpus: list[str] = field(default_factory=list)
    stack: dict[str, str] | None = None
    disk_free_gb: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    def amiss(self, text: str, needed: bool = False) -> None:
        self.findings.append(Finding(text, needed))


def examine(model: str = "emoji") -> Examination:
    found = Examination(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        packages=own_packages(),
        gpus=nvidia_gpus(),
        disk_free_gb=round(shutil.disk_usage(".").free / GB, 1),
    )
    if not found.packages:
        found.amiss("Conceptree is not installed for this Python: run make venv", needed=True)
    missing = [name for name, installed in found.packages.items() if installed is None]
    if missing:
        found.amiss(f"not installed: {', '.join(missing)}: run make venv", needed=True)
    if found.disk_free_gb < 1:
        found.amiss(f"only {found.disk_free_gb} GB free in {Path.cwd()}: runs and their pictures need room")
    examine_torch(found)
    if found.torch_build:
        examine_stack(found, model)
    return found


def own_packages() -> dict[str, str | None]:
    """Installed version (None: missing) of each package that pyproject.toml requires outside of the extras."""
    try:
        requirements = requires("conceptree") or []
    except PackageNotFoundError:
        return {}
    names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in requirements if "extra ==" not in line]
    return {name: installed_version(name) for name in names}


def installed_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def nvidia_gpus(root: Path = Path("/")) -> list[str]:
    """NVIDIA GPUs that the machine has, whether or not PyTorch can use them."""
    named = [
        line.split(":", 1)[1].strip()
        for path in sorted(root.glob("proc/driver/nvidia/gpus/*/information"))
        for line in path.read_text(errors="replace").splitlines()
        if line.startswith("Model:")
    ]
    if named:
        return named
    devices = [path for path in root.glob("dev/nvidia*") if path.name.removeprefix("nvidia").isdigit()]
    if devices:
        return ["NVIDIA GPU"] * len(devices)
    tool = shutil.which("nvidia-smi") if root == Path("/") else None
    if tool:
        try:
            listed = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=10, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            return []
        return re.findall(r"^GPU \d+: (.+?) \(UUID", listed, re.MULTILINE)
    return []


def examine_torch(found: Examination) -> None:
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library of another build
        found.amiss(f"PyTorch does not load ({str(error).splitlines()[0]}): run make venv", needed=True)
        return
    hip = getattr(torch.version, "hip", None)
    found.torch_build = f"CUDA {torch.version.cuda}" if torch.version.cuda else f"ROCm {hip}" if hip else "CPU"
    found.threads = torch.get_num_threads()
    if torch.cuda.is_available():
        found.device = f"cuda ({torch.cuda.get_device_name(0)})"
    elif torch.backends.mps.is_available():
        found.device = "mps"
    else:
        found.device = "cpu"
    if found.gpus and found.device == "cpu":
        why = (
            "beside a CPU build of PyTorch, which leaves it idle: make venv TORCH=cuda"
            if found.torch_build == "CPU"
            else f"that PyTorch's {found.torch_build} build cannot use: its driver may be too old, or hidden from here"
        )
        found.amiss(f"there is a GPU ({found.gpus[0]}) {why}")


def examine_stack(found: Examination, model: str) -> None:
    from core.errors import ConceptreeError

    try:
        from core.calibration import reservation
        from core.stack.backbone import Backbone

        backbone = Backbone.load(model)
        found.stack = {
            "where": str(backbone.where),
            "version": backbone.version,
            "fingerprint": backbone.fingerprint,
            "device": str(backbone.device),
        }
        amiss = reservation(backbone)
    except (ConceptreeError, ImportError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        found.amiss(f"the stack '{model}' does not load: {reason}", needed=True)
        return
    if amiss:
        found.amiss(amiss)


def show(found: Examination, as_json: bool = False) -> None:
    if as_json:
        click.echo(json.dumps(asdict(found), indent=1))
        return
    stack = found.stack
    lines = {
        "Conceptree": installed_version("conceptree") or "not installed",
        "Python": f"{found.python}, {found.system}, {count(found.cores, 'core')}",
        "PyTorch": f"{found.packages.get('torch')}, {found.torch_build} build, {count(found.threads, 'thread')}"
        if found.torch_build
        else "does not load",
        "device": found.device or "none",
        "stack": f"{stack['version']}, fingerprint {stack['fingerprint']}" if stack else "none",
        "packages": " · ".join(f"{name} {installed}" for name, installed in found.packages.items() if name != "torch"),
        "disk": f"{found.disk_free_gb} GB free",
    }
    for name, text in lines.items():
        click.echo(click.wrap_text(f"{name:12}{text}", 100, subsequent_indent=" " * 12))
    for finding in found.findings:
        click.echo(f"{'missing' if finding.needed else 'note':12}{finding.text}")
    if not found.findings:
        click.echo("No problems found.")


def count(number: int | None, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
