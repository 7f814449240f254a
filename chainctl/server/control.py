"""Lines of JSON on a Unix socket of the service's own in; its code changed, or told of, out.

The socket is not the port that calls come to: who may call a service may not change its code. Only its
own user and root get in.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from chainctl.calls.generation_range import EVERY, GenerationRange
from chainctl.server.service import ChainletService

if TYPE_CHECKING:
    from chainctl.worker.generations.generations import Generations

_LOG = logging.getLogger("chainctl.server")
_BACKLOG = 8
_LONGEST_LINE = 1 << 28
_HELD_UP_SEC = 5.0
_ACTIONS = ("swap", "reimport", "reinit")


class Unreadable(Exception):
    """A line that is no request."""


class ControlSocket:
    """Serves one service's control socket from threads of its own, until `close`."""

    def __init__(self, path: Path, service: ChainletService) -> None:
        self._path = path
        self._service = service
        self._lock = threading.Lock()
        self._open = 0
        self._generations: Optional[Generations] = None
        self._socket = _listening(path)
        threading.Thread(target=self._accept, name="chainctl-control", daemon=True).start()

    def close(self) -> None:
        """Take no further connection."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            if not _is_own(connection):
                connection.close()
                continue
            threading.Thread(
                target=self._converse, args=(connection,), name="chainctl-control", daemon=True
            ).start()

    def _converse(self, connection: socket.socket) -> None:
        self._count(1)
        try:
            with connection, connection.makefile("rb") as lines:
                while line := lines.readline(_LONGEST_LINE):
                    connection.sendall(json.dumps(self._answer(line, connection)).encode() + b"\n")
        except OSError as error:  # the other side left
            _LOG.debug("a control connection ended: %s", error)
        finally:
            self._count(-1)

    def _count(self, more: int) -> None:
        """Keep the last call only while somebody may ask for it."""
        with self._lock:
            self._open += more
            self._service.keeps_last_call = self._open > 0
            if not self._open:
                self._service.last_call = None

    def _answer(self, line: bytes, connection: socket.socket) -> dict[str, Any]:
        from chainctl.worker.generations.refusal import Refused

        try:
            request = _request(line)
            verb = _VERBS.get(str(request.get("verb")))
            if verb is None:
                raise Unreadable(f"`verb` is none of {', '.join(sorted(_VERBS))}")
            return verb(self, request, connection)
        except Refused as error:
            return error.as_json()
        except Unreadable as error:
            return Refused(f"the request cannot be read: {error}", None).as_json()
        except Exception as error:  # noqa: BLE001  # a fault of ours must not end the conversation
            _LOG.exception("a control request failed")
            return Refused(f"the service failed: {type(error).__name__}: {error}", "restart").as_json()

    # --- verbs ---

    def _status(self, _request: Mapping[str, Any], _connection: socket.socket) -> dict[str, Any]:
        service = self._service
        counts = {"pid": os.getpid(), "calls": service.calls, "errors": service.errors}
        if service.worker is None:
            idle: dict[str, Any] = {"generation": 0, "prepared": None, "in_flight": {}, "edited": {}}
            return {"ok": True, "ready": False, **idle, **counts}
        return {"ok": True, "ready": True, **self._of_service().status(), **counts}

    def _prepare(self, request: Mapping[str, Any], connection: socket.socket) -> dict[str, Any]:
        from chainctl.worker.generations.refusal import Refused

        number, action = _number(request, "generation"), request.get("action")
        if action not in _ACTIONS:
            raise Unreadable(f"`action` is none of {', '.join(_ACTIONS)}")
        generations, began = self._of_service(), time.monotonic()
        if self._service.is_held_up(_HELD_UP_SEC):
            raise Refused(
                f"a call keeps the event loop of {self._service.name} busy and does not end", "restart"
            )
        limit = {"seconds": _seconds(request)} if "seconds" in request else {}
        with _when_hung_up(connection, generations.give_up):
            generations.prepare(number, action, _texts(request), **limit)
        return {"ok": True, "action": action, "seconds": round(time.monotonic() - began, 6)}

    def _commit(self, request: Mapping[str, Any], _connection: socket.socket) -> dict[str, Any]:
        self._of_service().commit(_number(request, "generation"))
        return {"ok": True}

    def _abort(self, request: Mapping[str, Any], _connection: socket.socket) -> dict[str, Any]:
        number = _number(request, "generation")
        generations = self._of_service()
        generations.give_up()
        generations.abort(number)
        return {"ok": True}

    def _retire(self, request: Mapping[str, Any], _connection: socket.socket) -> dict[str, Any]:
        left = self._of_service().retire(_number(request, "before"))
        return {"ok": True, "in_flight": {str(number): count for number, count in left.items()}}

    def _serve(self, request: Mapping[str, Any], _connection: socket.socket) -> dict[str, Any]:
        first = _number(request, "first")
        last = None if request.get("last") is None else _number(request, "last")
        wanted = GenerationRange(first, last)
        self._service.serves = EVERY if wanted == EVERY else wanted
        return {"ok": True}

    def _last_call(self, _request: Mapping[str, Any], _connection: socket.socket) -> dict[str, Any]:
        last = self._service.last_call
        if last is None:
            return {"ok": True, "call": None}
        return {"ok": True, "call": {"media": last[0], "body": base64.b64encode(last[1]).decode()}}

    def _of_service(self) -> Generations:
        """The generations of the service's worker; they are made when they are first asked for."""
        from chainctl.worker.generations.generations import Generations
        from chainctl.worker.generations.refusal import Refused

        worker = self._service.worker
        if worker is None:
            raise Refused(f"{self._service.name} is starting", None)
        with self._lock:
            if self._generations is None:
                servings, origin = getattr(worker, "servings", None), getattr(worker, "origin", None)
                if servings is None or origin is None:
                    raise Refused(f"{self._service.name} cannot be edited while it runs", "restart")
                self._generations = Generations(servings, origin)
            return self._generations


_Verb = Callable[[ControlSocket, Mapping[str, Any], socket.socket], dict[str, Any]]
_VERBS: Mapping[str, _Verb] = {
    "status": ControlSocket._status,
    "prepare": ControlSocket._prepare,
    "commit": ControlSocket._commit,
    "abort": ControlSocket._abort,
    "retire": ControlSocket._retire,
    "serve": ControlSocket._serve,
    "last_call": ControlSocket._last_call,
}


def _listening(path: Path) -> socket.socket:
    """Listen at a path with mode 0600, from the first moment on. Raises OSError."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        path.unlink(missing_ok=True)
        os.fchmod(listener.fileno(), 0o600)
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _is_own(connection: socket.socket) -> bool:
    """Say whether the other side is our own user, or root, where the system tells."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return uid in (os.geteuid(), 0)


@contextlib.contextmanager
def _when_hung_up(connection: socket.socket, act: Callable[[], None]) -> Iterator[None]:
    """Act when the other side is gone before the block has ended."""
    ours, theirs = socket.socketpair()

    def wait() -> None:
        poll = select.poll()
        poll.register(connection, 0)  # a hang-up is always told
        poll.register(theirs, select.POLLIN)
        if any(number != theirs.fileno() for number, _ in poll.poll()):
            act()

    watcher = threading.Thread(target=wait, name="chainctl-control", daemon=True)
    with ours, theirs:
        watcher.start()
        try:
            yield
        finally:
            ours.send(b".")
            watcher.join()


def _request(line: bytes) -> Mapping[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is no JSON: {error}") from None
    if not isinstance(request, dict):
        raise Unreadable("it is no JSON object")
    return request


def _number(request: Mapping[str, Any], name: str) -> int:
    number = request.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise Unreadable(f"`{name}` is no number of a generation")
    return number


def _seconds(request: Mapping[str, Any]) -> float:
    seconds = request["seconds"]
    if (
        not isinstance(seconds, (int, float))
        or isinstance(seconds, bool)
        or not 0 < seconds < threading.TIMEOUT_MAX
    ):
        raise Unreadable("`seconds` is no time")
    return float(seconds)


def _texts(request: Mapping[str, Any]) -> dict[str, Optional[str]]:
    files, removed = request.get("files", {}), request.get("removed", [])
    if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
        raise Unreadable("`files` does not map paths to texts")
    if not isinstance(removed, list) or not all(isinstance(path, str) for path in removed):
        raise Unreadable("`removed` is no list of paths")
    return {**files, **dict.fromkeys(removed)}
