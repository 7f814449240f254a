"""A chain's URL and a body in, JSON where not said otherwise; the answer out."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from chainctl.errors import CallFailedError
from chainctl.workflows.error_lines import error_lines


def _directly() -> None:
    """Let the URL be connected to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a chain answers: its content type, and the body as it comes."""

    content_type: str
    chunks: Iterator[bytes]

    @property
    def is_json(self) -> bool:
        return self.content_type.partition(";")[0].strip() == "application/json"

    def read(self) -> bytes:
        return b"".join(self.chunks)


def call(
    url: str,
    body: bytes,
    *,
    chain: str = "CHAIN",
    api_key: str | None = None,
    timeout_sec: float = 600.0,
    insecure: bool = False,
    traceparent: str = "",
    content_type: str = "application/json",
    connect: Callable[[], socket.socket | None] = _directly,
) -> Answer:
    """POST to `url/run_remote`; `timeout_sec` bounds each wait for bytes.

    Raises CallFailedError for an error answer, with the remote traceback as details, and when
    nothing answers; reading the answer raises it when the answer breaks off. Its hints name `chain`.
    `insecure` skips the check of a TLS certificate; `traceparent` is the header of that name. `connect` gives
    a connection to what listens at the URL where that can not be reached from here.
    """
    parts = urlsplit(url)
    with _failures(url, chain), ExitStack() as on_error:
        connection = _connection(parts, timeout_sec, connect(), insecure=insecure)
        on_error.callback(connection.close)
        connection.request(
            "POST",
            f"{parts.path.rstrip('/')}/run_remote",
            body,
            _headers(content_type, api_key, traceparent),
        )
        answer = connection.getresponse()
        if answer.status >= 300:
            raise _failure(answer.status, answer.read(), chain)
        on_error.pop_all()
    return Answer(answer.headers.get("content-type", ""), _chunks(connection, answer, chain))


def _chunks(
    connection: http.client.HTTPConnection, answer: http.client.HTTPResponse, chain: str
) -> Iterator[bytes]:
    with closing(connection):
        while chunk := _next(answer, chain):
            yield chunk
        if answer.length:  # what the header promised and did not come
            raise _broken_off(chain)


def _next(answer: http.client.HTTPResponse, chain: str) -> bytes:
    try:
        return answer.read1(65536)
    except TimeoutError as error:
        raise CallFailedError("the answer stopped in the middle, and nothing came in time") from error
    except (OSError, http.client.HTTPException) as error:
        raise _broken_off(chain) from error


def _broken_off(chain: str) -> CallFailedError:
    return CallFailedError("the answer broke off in the middle", hint=f"`chainctl logs {chain}` may say why.")


@contextmanager
def _failures(url: str, chain: str) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise CallFailedError(
            f"{url} did not answer: {error}",
            hint=f"look at `chainctl ps {chain}` and `chainctl logs {chain}`.",
        ) from error


def _connection(
    parts: SplitResult, timeout_sec: float, carried: socket.socket | None, *, insecure: bool
) -> http.client.HTTPConnection:
    """Return a connection to be used; it is made when it is used, unless something carries it already."""
    context = _context(insecure=insecure) if parts.scheme == "https" else None
    if context is None:
        connection = http.client.HTTPConnection(parts.netloc, timeout=timeout_sec)
    else:
        connection = http.client.HTTPSConnection(parts.netloc, timeout=timeout_sec, context=context)
    if carried is not None:
        carried.settimeout(timeout_sec)
        named = context and context.wrap_socket(carried, server_hostname=parts.hostname)
        connection.sock = named or carried
    return connection


def _context(*, insecure: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _headers(content_type: str, api_key: str | None, traceparent: str) -> dict[str, str]:
    key = {"authorization": f"Bearer {api_key}"} if api_key else {}
    trace = {"traceparent": traceparent} if traceparent else {}
    return {"content-type": content_type, **key, **trace}


def _failure(status: int, body: bytes, chain: str) -> CallFailedError:
    error = _error_in(body)
    message = str(error.get("message", body[:500].decode(errors="replace")))
    first, *rest = message.splitlines() or [""]
    return CallFailedError(
        f"the chain answered {status}: {first}",
        hint=_hint(status, chain),
        details=error_lines(error) or rest,
    )


def _error_in(body: bytes) -> dict[str, Any]:
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {"message": str(error)}


def _hint(status: int, chain: str) -> str:
    match status:
        case 400 | 422:
            return "`GET /schema` on the chain's URL shows what it takes."
        case 401:
            return "give the key in the environment variable `CHAINCTL_API_KEY`."
        case 426:
            return "connect to the chain's URL with `ws://` in place of `http://`: `chainctl ps` shows it."
        case _:
            return f"`chainctl logs {chain}` shows what the services wrote."
