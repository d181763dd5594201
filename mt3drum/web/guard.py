"""Access control of the web app: only requests to this machine's own name, from its own pages."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Rejects requests for another host or from another origin; adds security headers to every response."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app = app
        self.hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        if port == 80:
            self.hosts |= {"127.0.0.1", "localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        refusal = self._refusal(headers)
        target = self.app if refusal is None else PlainTextResponse(refusal, 403)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {key.lower() for key, _ in message["headers"]}
                extra = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", **_HEADERS}
                message["headers"] = list(message["headers"]) + [
                    (key.lower().encode(), value.encode())
                    for key, value in extra.items()
                    if key.lower().encode() not in present
                ]
            await send(message)

        await target(scope, receive, guarded)

    def _refusal(self, headers: Mapping[str, str]) -> str | None:
        """Why to reject a request: DNS rebinding shows in Host, foreign pages in Origin or Sec-Fetch-Site."""
        if headers.get("host") not in self.hosts:
            return "error: this server only accepts requests to 127.0.0.1 or localhost"
        origin = headers.get("origin")
        if origin is not None and origin not in {f"http://{host}" for host in self.hosts}:
            return "error: requests from pages of other sites are refused"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and headers.get(
            "sec-fetch-mode"
        ) not in ("navigate", None):
            return "error: requests from pages of other sites are refused"
        return None
