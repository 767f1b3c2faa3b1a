"""`conceptree view`: start the workbench and print its address."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from contextlib import suppress
from itertools import chain
from pathlib import Path
from urllib.parse import quote

from rich.console import Console

from core.errors import ConceptreeError
from ui.console import say
from ui.runs import run_names
from ui.view import theme
from ui.view.store import RUNS

HOSTS = "CONCEPTREE_HOSTS"  # environment variable: host names that the server answers to, separated by commas
OWN_HOSTS = ("localhost", "127.0.0.1")
FIRST_PORT, PORTS = 8501, 100  # the ports that are tried
EVERYWHERE = ("0.0.0.0", "::")
TOKEN = "CONCEPTREE_TOKEN"  # environment variable: the token that a shared server asks for; "" for none
HERE = Path(__file__).parent


class ViewError(ConceptreeError):
    """The workbench cannot listen at the given address or port."""


def view(runs: Path, port: int | None, address: str, browser: bool | None, out: Console) -> int:
    """Serve the workbench until it is interrupted; return its exit code.

    port: by default the first free one from 8501. browser: whether to open one; by default if there is a screen.

    Raises:
        ViewError: the port is taken, or the address does not belong to this machine.
    """
    run_names(runs)  # raises if the folder cannot be read
    port = free_port(address) if port is None else checked_port(address, port)
    hosts = hosts_of(address)
    shared = address not in OWN_HOSTS
    token = (os.environ.get(TOKEN) or secrets.token_urlsafe(24)) if shared else ""
    os.environ |= {RUNS: str(runs.resolve()), HOSTS: ",".join(hosts), TOKEN: token}
    name = "localhost" if address in (*OWN_HOSTS, *EVERYWHERE) else address
    way = f"/?token={quote(token)}" if token else ""
    say(
        out,
        f"Workbench of {str(runs)!r}: http://{name}:{port}{way} – press Ctrl-C to stop it; running jobs continue.",
    )
    if shared:
        others = [host for host in hosts if host not in OWN_HOSTS]
        where = f" ({', '.join(f'http://{host}:{port}' for host in others)})" if others else ""
        say(
            out,
            f"Note: anyone who has this token and can reach this machine{where} can read these runs and start jobs.",
        )
    out.file.flush()
    return _serve(command(port, address, has_screen() if browser is None else browser, hosts))


def command(port: int, address: str, browser: bool, hosts: list[str]) -> list[str]:
    """Arguments of `streamlit`, with every option that the workbench sets."""
    options: dict[str, object] = {
        "server.address": address,
        "server.port": port,
        "server.headless": not browser,
        "server.showEmailPrompt": False,
        "server.fileWatcherType": "none",
        "server.allowedHosts": hosts,
        "browser.serverAddress": "localhost" if address in EVERYWHERE else address,
        "browser.gatherUsageStats": False,
        "runner.postScriptGC": False,  # a full collection after each run of a page; Python collects by itself
        "runner.fastReruns": False,  # see `whole`
        "client.toolbarMode": "minimal",
        "client.showErrorLinks": "false",
        "logger.hideWelcomeMessage": True,
        **theme.OPTIONS,
    }
    return ["run", str(HERE / "app.py"), *chain.from_iterable(_option(*option) for option in options.items())]


def _option(name: str, value: object) -> list[str]:
    """An option as it is typed; a list repeats it."""
    return [f"--{name}={each}" for each in (value if isinstance(value, list) else [value])]


def _serve(arguments: list[str]) -> int:
    from streamlit.web.cli import main

    sys.argv = ["streamlit", *arguments]
    try:
        # Calling main() would turn Ctrl-C into an Abort that prints a line.
        with main.make_context("streamlit", list(arguments)) as context:
            main.invoke(context)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def checked_port(address: str, port: int) -> int:
    """Return the port if the server can listen on it now.

    Raises:
        ViewError: names the port or the address, whichever is wrong.
    """
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((address, port))
    except (socket.gaierror, UnicodeError):
        raise ViewError(f"address = {address!r}: expected a name or an address of this machine") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ViewError(
            f"cannot listen at {address}:{port}: {reason}; choose another --port, or leave it out"
        ) from None
    return port


def free_port(address: str) -> int:
    """First free port from 8501."""
    for port in range(FIRST_PORT, FIRST_PORT + PORTS - 1):
        try:
            return checked_port(address, port)
        except ViewError as error:
            if "in use" not in str(error):
                raise
    return checked_port(address, FIRST_PORT + PORTS - 1)


def hosts_of(address: str) -> list[str]:
    """Host names that the server answers to. A request under any other name comes from a foreign page."""
    found = list(OWN_HOSTS)
    if address in EVERYWHERE:
        own = socket.gethostname()
        found += [own, socket.getfqdn()]
        # Without a name that resolves, or a route, the machine still answers to its address.
        with suppress(OSError):
            found += [str(about[4][0]) for about in socket.getaddrinfo(own, None, socket.AF_INET)]
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
            route.connect(("192.0.2.1", 9))  # a test address: sends nothing, only selects the interface
            found.append(str(route.getsockname()[0]))
    else:
        found.append(address)
    return list(dict.fromkeys(found))


def has_screen() -> bool:
    """Whether a browser can open a window here."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
