"""The server: Streamlit's pages and the pictures beside them, in one ASGI application."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from core.errors import ConceptreeError
from ui.view.command import HOSTS, OWN_HOSTS
from ui.view.ready import get_ready
from ui.view.text import plain
from ui.view.thumbnails import ROUTES


def told(error: Exception) -> bool:
    """Show a person's mistake as one line, also where only a fragment of a page ran; ours keep their traceback."""
    if isinstance(error, ConceptreeError):
        st.error(plain(str(error)), icon=":material/error:")
    return isinstance(error, ConceptreeError)


# Streamlit's own check of the Host header is of WebSocket connections alone; this one is of everything.
hosts = os.environ.get(HOSTS, ",".join(OWN_HOSTS)).split(",")
app = st.App(
    Path(__file__).with_name("main.py"),
    routes=ROUTES,
    middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)],
    on_script_error=told,
)
get_ready()
