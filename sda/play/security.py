"""What the server answers to: its own page on this machine, and nobody else's.

Any page that is open in the same browser can send requests to 127.0.0.1, and a name that somebody else owns can lead
there. So the name that was asked for is looked at, and of what changes anything, the page that it comes from.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_UPLOAD_BYTES = 64 << 20
MOST_REQUEST_BYTES = 1 << 16
"""Of a request that is no sound."""
UPLOADS = "/api/uploads"

_READING = ("GET", "HEAD")
_CHANGING = ("POST", "DELETE")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; media-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer."""


class TooLargeError(Exception):
    """A request brings more than is taken."""


class OwnPageOnly:
    """Refuses what does not come from the page that is served here, and bodies that are too large while they come."""

    def __init__(self, app: ASGIApp, port: int):
        self._app = app
        self._hosts = (f"127.0.0.1:{port}", f"localhost:{port}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most_bytes = MOST_UPLOAD_BYTES if scope["path"] == UPLOADS else MOST_REQUEST_BYTES
        code, refusal = self._refuse(scope, most_bytes)
        n_bytes, is_begun = 0, False

        async def receive_some() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > most_bytes:  # whatever was announced
                raise TooLargeError
            return message

        async def send_guarded(message: Message) -> None:
            nonlocal is_begun
            if message["type"] == "http.response.start":
                is_begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        if code:
            await _answer(code, refusal, scope, receive, send_guarded)
            return
        try:
            await self._app(scope, receive_some, send_guarded)
        except TooLargeError:
            if is_begun:
                raise
            await _answer(413, _say_too_large(most_bytes), scope, receive, send_guarded)

    def _refuse(self, scope: Scope, most_bytes: int) -> tuple[int, str]:
        """The status and the words of a refusal; 0 where there is nothing to refuse."""
        headers, method = Headers(scope=scope), scope["method"]
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return 421, f"Open the page as http://{self._hosts[0]}."
        if method not in _READING + _CHANGING:
            return 405, f"{method} is not known here."
        site = headers.get("sec-fetch-site", "same-origin")
        is_link = method == "GET" and scope["path"] == "/"
        if site not in ("same-origin", "none") and not is_link:
            return 403, "Another site's page has no business here."
        if method in _CHANGING and (headers.getlist("origin") != [f"http://{hosts[0]}"] or site != "same-origin"):
            return 403, "Only the page that is served here may change anything."
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > most_bytes:
            return 413, _say_too_large(most_bytes)
        return 0, ""


def _say_too_large(most_bytes: int) -> str:
    if most_bytes == MOST_UPLOAD_BYTES:
        return f"The sound is larger than the {MOST_UPLOAD_BYTES >> 20} MB that are taken. Cut it, or save it as FLAC."
    return f"The request is larger than {most_bytes >> 10} kB."


async def _answer(code: int, words: str, scope: Scope, receive: Receive, send: Send) -> None:
    # What else comes is not read: the connection ends with the answer.
    await JSONResponse({"error": words}, code, {"Connection": "close"})(scope, receive, send)
