"""The server behind the page: what is asked under which address, and what is answered.

An id in an address is looked up in what the session knows; no address is ever made into a path.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sda.errors import DataError, SdaError
from sda.play.form import describe_keys
from sda.play.history import describe_sound
from sda.play.lookup import UnknownError, make_id
from sda.play.picture import cut_wav, draw_picture, read_in_pieces
from sda.play.security import OwnPageOnly
from sda.play.session import Ask, Session
from sda.report.explanation import find_cause
from sda.shell import name_command

PAGE = {
    "/": ("page.html", "text/html"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    "/page.css": ("page.css", "text/css"),
    "/player.js": ("player.js", "text/javascript"),
    "/form.js": ("form.js", "text/javascript"),
    "/map.js": ("map.js", "text/javascript"),
    "/page.js": ("page.js", "text/javascript"),
}
"""The files of the page, by address."""
LONGEST_NAME = 200
MOST_OF_WALK = 64

Answer = Callable[[Request, Session], Any]


def build_app(session: Session, port: int) -> Starlette:
    """The whole server, for one port of this machine."""

    @asynccontextmanager
    async def live(_: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(session.close)

    def on(path: str, method: str, answer: Answer) -> Route:
        return Route(path, _wrap(session, answer), methods=[method])

    async def take_upload(request: Request) -> Response:
        name = request.query_params.get("name", "")[:LONGEST_NAME]
        key = await session.uploads.add(name, request.stream())
        return JSONResponse({"id": key, "name": session.uploads[key].name})

    routes = [
        *(Route(address, _serve(*page), methods=["GET"]) for address, page in PAGE.items()),
        on("/api/runs", "GET", _list_runs),
        on("/api/runs/{run}", "GET", _describe_run),
        on("/api/runs/{run}/open", "POST", _open),
        on("/api/runs/{run}/controls", "POST", _try_controls),
        on("/api/runs/{run}/jobs", "POST", _ask),
        on("/api/runs/{run}/sounds", "GET", _list_sounds),
        on("/api/runs/{run}/sounds/{sound}", "GET", _describe_sound),
        on("/api/runs/{run}/sounds/{sound}", "DELETE", _forget),
        on("/api/runs/{run}/sounds/{sound}/keep", "POST", _keep),
        on("/api/runs/{run}/sounds/{sound}/wav", "GET", _send_wav),
        on("/api/runs/{run}/sounds/{sound}/picture", "GET", _send_picture),
        on("/api/runs/{run}/pieces/{source}", "GET", _send_piece),
        on("/api/runs/{run}/map", "GET", _send_map),
        on("/api/jobs/{job}", "GET", lambda request, s: s.jobs.find(request.path_params["job"]).describe()),
        on("/api/jobs/{job}", "DELETE", lambda request, s: s.jobs.stop(request.path_params["job"]).describe()),
        Route("/api/uploads", take_upload, methods=["POST"]),
        on("/api/uploads/{upload}", "DELETE", lambda request, s: s.uploads.remove(request.path_params["upload"])),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(OwnPageOnly, port=port)],
        exception_handlers={
            SdaError: lambda _, error: _refuse(400, find_cause(error) if isinstance(error, SdaError) else str(error)),
            UnknownError: lambda _, error: _refuse(404, str(error)),
            OSError: lambda _, error: _refuse(409, f"A file cannot be used: {error}."),
            404: lambda _, error: _refuse(404, "There is nothing under this address."),
            405: lambda _, error: _refuse(405, "This address does not take such a request."),
        },
        lifespan=live,
    )
    app.router.redirect_slashes = False
    return app


def _wrap(session: Session, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """An answer that is found in a thread of its own, as it may read files."""

    async def respond(request: Request) -> Response:
        request.state.body = await request.body()
        found = await run_in_threadpool(answer, request, session)
        return found if isinstance(found, Response) else JSONResponse(found if found is not None else {})

    return respond


def _serve(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    content = (files("sda.play") / "static" / name).read_bytes()

    async def respond(_: Request) -> Response:
        return Response(content, media_type=f"{kind}; charset=utf-8")

    return respond


def _refuse(code: int, words: str) -> Response:
    return JSONResponse({"error": words}, code)


def _read_body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.state.body or b"{}")
    except (ValueError, RecursionError) as error:
        raise DataError("The request is no JSON.") from error
    if not isinstance(body, dict):
        raise DataError("The request is no set of names and values.")
    return body


def _list_runs(_: Request, session: Session) -> dict[str, Any]:
    runs, chosen = session.list_runs(), make_id(session.chosen)
    named = [
        {"id": key, "name": f"{path.parent.name}/{path.name}", "is_chosen": key == chosen} for key, path in runs.items()
    ]
    return {"runs": named, "command": name_command("play")}


def _open(request: Request, session: Session) -> dict[str, Any]:
    return session.ask_to_open(request.path_params["run"], str(_read_body(request).get("tab", ""))).describe()


def _try_controls(request: Request, session: Session) -> dict[str, Any]:
    tab = str(_read_body(request).get("tab", ""))
    return session.ask_to_try_controls(request.path_params["run"], tab).describe()


def _describe_run(request: Request, session: Session) -> dict[str, Any]:
    """All that a form for the run needs to know; little of it before it is open."""
    run = request.path_params["run"]
    folder, opened = session.find_run(run), session.find_opened(run)
    if opened is None:
        return {"is_open": False, "folder": str(folder)}
    given = [{"id": key, "name": upload.name, "kind": "given"} for key, upload in session.uploads.items()]
    held_out = [{"id": make_id(path), "name": name, "kind": "held_out"} for name, path in opened.held_out.items()]
    return {
        "is_open": True,
        "folder": str(folder),
        "modes": [{"name": mode.name, "n_sources": mode.n_sources} for mode in opened.modes],
        "keys": [key | {"default": opened.defaults.get(key["key"], key["default"])} for key in describe_keys()],
        "controls": list(opened.controls),
        "can_try_controls": opened.try_controls is not None,
        "sources": [*given, *held_out],
        "recordings": {name: make_id(path) for name, path in opened.recordings.items()},
        "has_map": opened.read_map is not None,
    }


def _ask(request: Request, session: Session) -> dict[str, Any]:
    body = _read_body(request)
    sources = body.get("sources", [])
    if not isinstance(sources, list):
        raise DataError("sources is no list.")
    ask = Ask(
        settings=body.get("settings"),
        sources=[str(source) for source in sources],
        tab=str(body.get("tab", "")),
        is_draft=body.get("is_draft") is True,
        replaces=str(body.get("replaces", "")),
        walk=_read_walk(body.get("walk", [])),
    )
    return session.ask(request.path_params["run"], ask).describe()


def _read_walk(given: Any) -> list[tuple[float, float]]:
    is_path = isinstance(given, list) and len(given) <= MOST_OF_WALK and all(_is_point(point) for point in given)
    if not is_path:
        raise DataError(f"walk is no path: give up to {MOST_OF_WALK} pairs of numbers.")
    return [(float(x), float(y)) for x, y in given]


def _is_point(point: Any) -> bool:
    return isinstance(point, list) and len(point) == 2 and all(isinstance(place, (int, float)) for place in point)


def _list_sounds(request: Request, session: Session) -> dict[str, Any]:
    found = session.find_history(request.path_params["run"]).read()
    return {"sounds": [describe_sound(key, sound) for key, sound in found.items()], "notices": session.notices}


def _describe_sound(request: Request, session: Session) -> dict[str, Any]:
    sound = session.find_sound(request.path_params["run"], request.path_params["sound"])
    described = describe_sound(request.path_params["sound"], sound)
    given = session.find_given_ids(request.path_params["run"], str(sound.record.get("source", "")))
    return {**described, "provenance": sound.entry.get("provenance", {}), "given": given}


def _forget(request: Request, session: Session) -> None:
    session.forget(request.path_params["run"], request.path_params["sound"])


def _keep(request: Request, session: Session) -> Response:
    run = request.path_params["run"]
    folder = session.keep(run, request.path_params["sound"])
    return JSONResponse({"folder": str(folder)}, background=BackgroundTask(session.tell_of_kept, run, folder))


def _send_wav(request: Request, session: Session) -> Response:
    path = session.find_sound(request.path_params["run"], request.path_params["sound"]).path
    kind = "audio/flac" if path.suffix == ".flac" else "audio/wav"
    return StreamingResponse(
        read_in_pieces(path), headers={"Content-Length": str(path.stat().st_size)}, media_type=kind
    )


def _send_picture(request: Request, session: Session) -> Response:
    path = session.find_sound(request.path_params["run"], request.path_params["sound"]).path
    return Response(draw_picture(path), media_type="image/png")


def _send_piece(request: Request, session: Session) -> Response:
    run, query = request.path_params["run"], request.query_params
    opened = session.find_opened(run)
    if opened is None:
        raise UnknownError("The run is not open.")
    try:
        start_s, length_s = float(query.get("start_s", "0")), float(query.get("length_s", "1"))
    except ValueError as error:
        raise DataError("start_s and length_s are numbers of seconds.") from error
    if not (0 <= start_s <= 86400 and 0 < length_s <= 60):
        raise DataError("start_s is at least 0, and length_s above 0 and at most 60.")
    path = session.find_given(run, request.path_params["source"])
    return Response(cut_wav(path, opened.rate_hz, start_s, length_s), media_type="audio/wav")


def _send_map(request: Request, session: Session) -> dict[str, Any]:
    opened = session.find_opened(request.path_params["run"])
    return {"places": list(opened.read_map()) if opened is not None and opened.read_map is not None else []}
