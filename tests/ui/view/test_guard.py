"""Origins, headers and the token of a shared server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ui.view.guard import HEADERS, Guard, cookie_name, is_own

HOST = "example.org:8501"


async def page(scope, receive, send):
    """The application behind the guard."""
    if scope["type"] == "websocket":
        await receive()
        return await send({"type": "websocket.accept"})
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"page"})


def ask(token: str = "", path: str = "/", query: str = "", kind: str = "http", **headers: str) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": f"{kind}.connect" if kind == "websocket" else "http.request"}

    told = {"host": HOST, **headers}
    scope = {
        "type": kind,
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in told.items()],
    }
    asyncio.run(Guard(page, token)(scope, receive, send))
    return sent


def headers_of(sent: list[dict[str, Any]]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


@pytest.mark.parametrize(
    "origin",
    ["http://example.org", "http://example.org:8502", "http://localhost:8501", "null", "file://", "http://[", ""],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_foreign_origin_is_refused(kind, origin):
    sent = ask(kind=kind, origin=origin)
    if kind == "websocket":
        assert [each["type"] for each in sent] == ["websocket.close"]
    else:
        assert sent[0]["status"] == 403


def test_the_own_origin_and_clients_without_one_pass():
    assert is_own(None, HOST) and is_own("http://EXAMPLE.org:8501", HOST) and is_own(f"https://{HOST}", HOST)
    assert ask(origin=f"http://{HOST}")[0]["status"] == 200
    assert ask(kind="websocket", origin=f"http://{HOST}")[0]["type"] == "websocket.accept"


@pytest.mark.parametrize("given", [{}, {"origin": "http://evil"}, {"token": "secret"}])
def test_every_answer_has_the_headers(given):
    assert HEADERS.items() <= headers_of(ask(**given)).items()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"query": "token=wrong"},
        {"query": "token="},
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer "},
        {"cookie": "conceptree-8501=wrong"},
        {"cookie": "conceptree-8501=secret"},
        {"cookie": "\x00="},
        {"query": "token=\N{LATIN SMALL LETTER E WITH ACUTE}"},
    ],
)
def test_a_shared_server_asks_for_its_token(given):
    sent = ask("secret", **given)
    assert sent[0]["status"] == 401 and b"page" not in sent[1]["body"]
    assert ask("secret", kind="websocket", **given)[0]["type"] == "websocket.close"


def test_the_token_gives_a_cookie_and_leaves_the_address():
    sent = ask("secret", path="/tree", query="run=pets&token=secret")
    told = headers_of(sent)
    assert (sent[0]["status"], told["location"]) == (303, "/tree?run=pets")
    cookie, *rest = told["set-cookie"].split("; ")
    assert "HttpOnly" in rest and "secret" not in cookie and cookie.startswith(cookie_name(HOST))
    assert ask("secret", cookie=cookie)[0]["status"] == 200
    assert ask("secret", kind="websocket", cookie=cookie)[0]["type"] == "websocket.accept"
    assert ask("other", cookie=cookie)[0]["status"] == 401
    assert headers_of(ask("secret", path="//evil.org", query="token=secret"))["location"] == "/evil.org"


def test_programs_give_the_token_as_a_header_and_health_needs_none():
    assert ask("secret", authorization="Bearer secret")[0]["status"] == 200
    assert ask("secret", path="/_stcore/health")[0]["status"] == 200
