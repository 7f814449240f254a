"""Ask a chainlet in the same container for its health: `python -I probe.py [PATH]`.

Prints the status and the body of the answer; exits with 0 when the status is 200. Below `/-/` it
shows the chain's internal token, which it reads itself: it is in no argument and no output. It needs
the standard library only and starts in a few milliseconds, because container engines run it often.
"""

from __future__ import annotations

import os
import socket
import sys

_TIMEOUT_SEC = 5.0
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


def main(arguments: list[str]) -> int:
    listen = os.environ.get("CHAINCTL_LISTEN", "tcp:0.0.0.0:8000")
    path = arguments[0] if arguments else "/readyz"
    try:
        answer = ask(listen, path, _token() if path.startswith("/-/") else "")
    except OSError as error:
        sys.stdout.write(f"no answer: {error}\n")
        return 1
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    sys.stdout.write(f"{b''.join(status).decode()} {body.decode(errors='replace')}\n")
    return 0 if status == [b"200"] else 1


def _token() -> str:
    directory = os.environ.get("CHAINCTL_SECRETS_DIR", "/run/secrets")
    with open(os.path.join(directory, _TOKEN_FILE), encoding="utf-8") as file:  # noqa: PTH118, PTH123
        return file.read().strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
