"""Ask a chainlet in the same container: `python -I probe.py [PATH [THEN | BODY SECONDS]]`.

Prints the status and the body of the answer; exits with 0 when the status is 200. With a body, as
base64, it is called: it may take that many seconds. Below `/-/` and for calls it shows the chain's
internal token, which it reads itself: it is in no argument and no output. With a second path it waits
until the first one was answered with 200 once in the life of the container; from then on it asks the
second one. It needs the standard library only and starts in a few milliseconds, because container engines run it often.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time

_TIMEOUT_SEC = 5.0
_WAIT_SEC = 20.0
_LOOK_SEC = 0.1
_REST_SEC = 8.0
_WAS_READY = "/tmp/.chainctl-was-ready"  # the one place where a container may write
_TOKEN_FILE = ".chainctl-token"


def ask(listen: str, path: str, token: str = "") -> bytes:
    """Return the raw answer to `GET path`. Raises OSError."""
    kind, _, rest = listen.partition(":")
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    with socket.socket(family) as connection:
        connection.settimeout(_TIMEOUT_SEC)
        connection.connect(rest if kind == "unix" else ("127.0.0.1", int(rest.rpartition(":")[2])))
        shown = f"x-chainctl-token: {token}\r\n" if token else ""
        head = f"GET {path} HTTP/1.1\r\nhost: localhost\r\n{shown}connection: close\r\n\r\n"
        connection.sendall(head.encode())
        chunks = iter(lambda: connection.recv(65536), b"")
        return b"".join(chunks)


def call(listen: str, path: str, body: str, seconds: float) -> int:
    """Make a call, and print its answer. A stream is printed whole."""
    import base64
    import http.client

    kind, _, rest = listen.partition(":")
    connection = http.client.HTTPConnection("127.0.0.1", timeout=seconds)
    try:
        connection.sock = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
        connection.sock.settimeout(seconds)
        connection.sock.connect(rest if kind == "unix" else ("127.0.0.1", int(rest.rpartition(":")[2])))
        headers = {"content-type": "application/json", "x-chainctl-token": _token()}
        connection.request("POST", path, base64.b64decode(body), headers)
        answer = connection.getresponse()
        said = answer.read()
    except (OSError, http.client.HTTPException) as error:
        sys.stdout.write(f"no answer: {type(error).__name__}: {error}\n")
        return 1
    sys.stdout.write(f"{answer.status} {said.decode(errors='replace')}\n")
    return 0 if answer.status == 200 else 1


def look(listen: str, path: str) -> int:
    """Ask once and print the answer; return 0 when its status is 200."""
    try:
        answer = ask(listen, path, _token() if path.startswith("/-/") else "")
    except OSError as error:
        sys.stdout.write(f"no answer: {error}\n")
        return 1
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    sys.stdout.write(f"{b''.join(status).decode()} {body.decode(errors='replace')}\n")
    return 0 if status == [b"200"] else 1


def follow(listen: str, first: str, then: str, mark: str = _WAS_READY) -> int:
    """Wait for the first path to be answered with 200, once; afterwards ask the other one.

    An engine that knows one interval only asks often, for the start's sake. So the answer takes its time
    afterwards, and the engine begins fewer processes.
    """
    if os.path.exists(mark):  # noqa: PTH110
        outcome = look(listen, then)
        _rest(_REST_SEC)
        return outcome
    until = time.monotonic() + _WAIT_SEC
    while look(listen, first) != 0:
        if time.monotonic() > until:
            return 1
        _rest(_LOOK_SEC)
    with open(mark, "w", encoding="utf-8"):  # noqa: PTH123
        return 0


def main(arguments: list[str]) -> int:
    listen = os.environ.get("CHAINCTL_LISTEN", "tcp:0.0.0.0:8080")
    path = arguments[0] if arguments else "/readyz"
    if len(arguments) == 3:
        return call(listen, path, arguments[1], float(arguments[2]))
    if len(arguments) == 2:
        return follow(listen, path, arguments[1])
    return look(listen, path)


def _rest(seconds: float) -> None:
    select.select([], [], [], seconds)


def _token() -> str:
    directory = os.environ.get("CHAINCTL_SECRETS_DIR", "/run/secrets")
    with open(os.path.join(directory, _TOKEN_FILE), encoding="utf-8") as file:  # noqa: PTH118, PTH123
        return file.read().strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
