"""Why the front door itself refuses a request in, the bytes of that answer out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that the front door gives in place of a service."""

    status: HTTPStatus
    kind: str
    message: str
    headers: tuple[tuple[str, str], ...] = ()

    def rendered(self, *, is_closing: bool, is_head: bool = False) -> bytes:
        body = json.dumps({"error": {"kind": self.kind, "message": self.message}}).encode() + b"\n"
        lines = [
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            "content-type: application/json",
            f"content-length: {len(body)}",
            *(f"{name}: {value}" for name, value in self.headers),
            *(["connection: close"] if is_closing else []),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + (b"" if is_head else body)


_AGAIN = (("retry-after", "1"),)
NO_ROUTE = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "no_route", "No release of this chain is serving yet.", _AGAIN
)
SERVICE_ABSENT = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "service_down", "The service is restarting.", _AGAIN)
SERVICE_LOST = Refusal(HTTPStatus.BAD_GATEWAY, "service_lost", "The service ended before it answered.")
WRONG_KEY = Refusal(
    HTTPStatus.UNAUTHORIZED,
    "unauthorized",
    "This chain needs its API key, as `Authorization: Bearer KEY`.",
    (("www-authenticate", "Bearer"),),
)
MALFORMED = Refusal(HTTPStatus.BAD_REQUEST, "bad_request", "The request is not valid HTTP/1.1.")
HEAD_TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", "The headers are too large."
)
HEAD_TOO_SLOW = Refusal(HTTPStatus.REQUEST_TIMEOUT, "request_timeout", "The headers took too long to arrive.")
WRONG_VERSION = Refusal(
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "http_version", "Only HTTP/1.0 and HTTP/1.1 are spoken."
)
NO_TUNNELS = Refusal(HTTPStatus.NOT_IMPLEMENTED, "not_implemented", "CONNECT is not supported.")
UNKNOWN_CODING = Refusal(
    HTTPStatus.NOT_IMPLEMENTED, "not_implemented", "Only the chunked transfer coding is known."
)
