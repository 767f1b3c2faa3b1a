"""Who may use the server: its own pages only, and with a token where other machines can reach it."""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEALTH = "/_stcore/health"  # says only that the server lives
HEADERS = {
    "content-security-policy": "frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_MONTH = 30 * 24 * 3600
_ASK = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Conceptree</title>
<body style="font-family:sans-serif;margin:20vh auto;max-width:24em">
<h1>Conceptree</h1><form><p><label>Token, which the server printed when it started:<br>
<input name="token" type="password" autofocus style="width:100%"></label></p><button>Open</button></form>"""


class Guard:
    """ASGI middleware: refuses requests from pages of other origins, and those without the token.

    token: "" asks for none. A request has it as a cookie, as `?token=…` (the answer sets the cookie and leads to the
    address without it), or as `Authorization: Bearer …`.
    """

    def __init__(self, app: ASGIApp, token: str = "") -> None:
        self._app, self._token = app, token
        self._cookie = hashlib.sha256(f"cookie of {token}".encode()).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        headers = Headers(scope=scope)
        if not is_own(headers.get("origin"), headers.get("host")):
            return await _refuse(PlainTextResponse("foreign origin", 403), scope, receive, guarded)
        if self._token and not self._may(scope, headers):
            return await _refuse(self._asked(scope, headers), scope, receive, guarded)
        await self._app(scope, receive, guarded)

    def _may(self, scope: Scope, headers: Headers) -> bool:
        if scope["path"] == HEALTH:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        bearer = kind.lower() == "bearer" and _equal(given.strip(), self._token)
        return bearer or _equal(_cookie(headers, cookie_name(headers.get("host", ""))), self._cookie)

    def _asked(self, scope: Scope, headers: Headers) -> PlainTextResponse | HTMLResponse | RedirectResponse:
        """The page that asks for the token, or with the right one the way to the page."""
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("a token is needed", 401)
        if not any(name == "token" and _equal(value, self._token) for name, value in query):
            return HTMLResponse(_ASK, 401, {"cache-control": "no-store"})
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        path = "/" + scope["path"].lstrip("/")  # `//host` would lead to another machine
        answer = RedirectResponse(path + (f"?{rest}" if rest else ""), 303, {"cache-control": "no-store"})
        name = cookie_name(headers.get("host", ""))
        answer.set_cookie(name, self._cookie, max_age=_MONTH, httponly=True, samesite="lax")
        return answer


def is_own(origin: str | None, host: str | None) -> bool:
    """Whether a request comes from the server's own page, or from no page; the port counts."""
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and parts.netloc.lower() == str(host).lower()


def cookie_name(host: str) -> str:
    """The name of the cookie: with the port, since the servers of one machine share its cookies."""
    port = host.rpartition(":")[2]
    return f"conceptree-{port}" if port.isdecimal() else "conceptree"


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def _equal(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), right.encode())


async def _refuse(
    answer: PlainTextResponse | HTMLResponse | RedirectResponse, scope: Scope, receive: Receive, send: Send
) -> None:
    if scope["type"] == "websocket":
        await receive()  # the request to connect
        await send({"type": "websocket.close", "code": 1008})
    else:
        await answer(scope, receive, send)
