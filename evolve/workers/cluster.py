"""A Ray cluster for workers: started on this machine, or an existing one.

Members of a cluster trust each other fully: every member can run any code on it. So a cluster that is started here
listens on localhost only, and demands a token that is new for each process. An existing cluster is joined only if it
demands a token. Usage reports and the dashboard are off.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.errors import ConceptreeError

STORE = 80 * 2**20  # bytes of the object store, for texts and snapshots
ANSWER = 30.0  # seconds for a cluster to answer
_ADDRESS = re.compile(r"(?P<host>[\w.-]+|\[[0-9a-fA-F:]+\]):(?P<port>[0-9]{1,5})")
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
_NICE = {"RAY_worker_niceness": "0"}  # as the driver; Ray's default of 15 makes workers yield to all other processes
_LOCALHOST_ONLY = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # as Ray does on laptops, to avoid a firewall's question
_PROBE = """
import sys
from ray._raylet import GcsClient
from ray.exceptions import AuthenticationError
try:
    GcsClient(address=sys.argv[1]).internal_kv_keys(b"", timeout=5)
    print("open")
except AuthenticationError:
    print("refused")
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


class WorkerError(ConceptreeError):
    """Workers cannot be started, or failed."""


class Cluster:
    """A connection to Ray. count: how many workers it has room for, or as many as asked. gpu: whether each has a GPU.

    address: HOST:PORT of a cluster; by default one is started. threads: of each worker. on_gpu: False
    to use no GPUs even if there are some; None if it does not matter.

    Raises:
        WorkerError: Ray is missing, the cluster does not answer, or there is no token.
    """

    def __init__(self, address: str | None, threads: int, count: int | None, on_gpu: bool | None) -> None:
        if importlib.util.find_spec("ray") is None:
            raise WorkerError("workers need Ray, which is not installed: pip install 'conceptree[ray]'")
        self._folder = ""
        self._started = False
        if address is None:
            self._start(threads, count)
        else:
            self._join(address)
        resources = self.ray.cluster_resources()
        gpus = int(resources.get("GPU", 0)) if on_gpu is not False else 0
        if on_gpu and not gpus:
            raise WorkerError("the stack is on a GPU, and the cluster has none: --device cpu learns on its processors")
        self.gpu = gpus > 0
        room = gpus or int(resources.get("CPU", 0)) // threads
        if not room:
            raise WorkerError(f"a worker needs {threads} processors, and the cluster has {resources.get('CPU', 0):g}")
        self.count = min(count or room, room)
        self.threads = threads
        self.local = address is None

    def actor(self, cls: type, at_once: int) -> Any:
        """A process of its own that holds an object of `cls`, of whose methods `at_once` run at the same time."""
        env = {"OMP_NUM_THREADS": str(self.threads), "MKL_NUM_THREADS": str(self.threads)}
        env |= {name: os.environ[name] for name in ("HF_HOME", "HF_HUB_OFFLINE", "HF_HUB_CACHE") if name in os.environ}
        if self.local:  # elsewhere Conceptree is installed
            source = str(Path(__file__).resolve().parents[2])
            env["PYTHONPATH"] = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
        options = {"num_gpus": 1 if self.gpu else 0, "num_cpus": 0 if self.gpu else self.threads, "max_restarts": 0}
        remote = self.ray.remote(cls).options(**options, max_concurrency=at_once, runtime_env={"env_vars": env})
        return remote.remote()

    def close(self) -> None:
        """Leave the cluster, and end it if it was started here."""
        if self._started:
            self._started = False
            self.ray.shutdown()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, threads: int, count: int | None) -> None:
        os.environ.update(_QUIET | _NICE | _LOCALHOST_ONLY | {"RAY_AUTH_MODE": "token"})
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        import ray

        self.ray = ray
        if ray.is_initialized():
            raise WorkerError("this process is in a cluster of Ray already: leave it first, by ray.shutdown()")
        processors = count * threads if count else max(threads, len(os.sched_getaffinity(0)))
        # Sockets lie in it, and their paths may have 107 characters.
        self._folder = _own_folder()
        self._connect(num_cpus=processors, object_store_memory=STORE, include_dashboard=False, _temp_dir=self._folder)
        if (node := ray.util.get_node_ip_address()) != "127.0.0.1":
            self.close()
            raise WorkerError(f"the cluster would listen on {node}: start workers before anything imports ray")

    def _join(self, address: str) -> None:
        if not (parts := _ADDRESS.fullmatch(address)):
            raise WorkerError(f"--address {address!r}: give HOST:PORT of a cluster of Ray, as in 10.0.0.5:6379")
        if os.environ.get("RAY_AUTH_MODE") != "token" or not _has_token(os.environ):
            raise WorkerError(
                "--address needs token authentication: set RAY_AUTH_MODE=token, on all machines of the cluster, and"
                " give its token in RAY_AUTH_TOKEN, in a file that RAY_AUTH_TOKEN_PATH names, or in ~/.ray/auth_token"
            )
        os.environ.update(_QUIET)
        if parts["host"] in ("localhost", "127.0.0.1"):
            os.environ.update(_LOCALHOST_ONLY)
        if _answer(address, {**os.environ, "RAY_AUTH_MODE": "disabled"}) == "open":
            raise WorkerError(
                f"the cluster at {address} accepts connections without a token: restart it with RAY_AUTH_MODE=token"
            )
        answer = _answer(address, os.environ)
        if answer == "refused":
            raise WorkerError(f"the cluster at {address} has another token than this machine")
        if answer != "open":
            raise WorkerError(f"no cluster of Ray answers at {address}: {answer}")
        import ray

        self.ray = ray
        self._connect(address=address)

    def _connect(self, **how: Any) -> None:
        quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "logging_level": logging.ERROR}
        try:
            self.ray.init(namespace="conceptree", **quiet, **how)
        except Exception as error:
            self.close()
            raise WorkerError(f"Ray does not start: {' '.join(str(error).split())}") from error
        self._started = True
        # Ray prints a paragraph for each dead worker, whatever its log settings. We print one line.
        self.ray._private.worker.print_to_stdstream = lambda *what, **how: None


def _own_folder() -> str:
    """A new folder, named by this process; those of processes that were killed are removed."""
    place = Path("/tmp" if os.access("/tmp", os.W_OK) else tempfile.gettempdir())
    for left in place.glob("conceptree-*-*"):
        pid = left.name.split("-")[1]
        with suppress(OSError):
            dead = pid.isdecimal() and not Path("/proc", pid).exists() and Path("/proc", "self").exists()
            if dead and left.lstat().st_uid == os.getuid() and left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"conceptree-{os.getpid()}-", dir=place)


def _has_token(env: Mapping[str, str]) -> bool:
    if env.get("RAY_AUTH_TOKEN", "").strip():
        return True
    with suppress(OSError):
        return bool(Path(env.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token").expanduser().read_text().strip())
    return False


def _answer(address: str, env: Mapping[str, str]) -> str:
    """A cluster's answer to a process with this environment: "open", "refused", or the error.

    Another process asks, because Ray reads the token once, and ends the process if the address does not answer.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
    except (OSError, OverflowError) as error:
        return str(getattr(error, "strerror", None) or error)
    try:
        asked = subprocess.run(
            [sys.executable, "-c", _PROBE, address],
            env=dict(env), capture_output=True, text=True, timeout=ANSWER, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"it said nothing for {ANSWER:g} s"
    said = asked.stdout.strip().splitlines()
    return said[-1] if said else f"the connection ended ({asked.returncode})"
