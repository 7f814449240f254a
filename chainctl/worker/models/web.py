"""A URL in; its answer, opened, out: redirects are followed, and a token goes to nobody but the server it is for."""

from __future__ import annotations

import http.client
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Optional
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from chainctl.worker.models.cannot_start import CannotStartError

ATTEMPTS = 5
"""How often something that breaks off is tried; each byte that arrives starts the count anew."""
_FIRST_PAUSE_SEC = 0.5
_LONGEST_PAUSE_SEC = 30.0
_TIMEOUT_SEC = 30.0
_MOST_HOPS = 10
_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (408, 425, 429)
_SERVER_FAULTS = 500
_AGENT = "chainctl"


class BrokenOff(Exception):  # it is no error until it was tried often enough
    """Something did not work and may work another time. `after_sec` is what the server asks to wait."""

    def __init__(self, message: str, after_sec: Optional[float] = None) -> None:
        super().__init__(message)
        self.after_sec = after_sec


class Refused(Exception):  # its reader knows what was asked for, and says so
    """A server says no, and will say so again."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the server answers {status} {reason}".rstrip())
        self.status = status


@dataclass(frozen=True)
class Source:
    """A URL, and the token that its server wants, "" for none."""

    url: str
    token: str = field(default="", repr=False)

    def __str__(self) -> str:
        return shown(self.url)


@dataclass(frozen=True)
class Opened:
    """An answer: `headers` in lower case; `first_headers` are those of the server that was asked, before redirects."""

    status: int
    headers: Mapping[str, str]
    first_headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Web:
    """How servers are asked: patience, and what waits between attempts."""

    timeout_sec: float = _TIMEOUT_SEC
    pause: Callable[[float], object] = field(default=lambda seconds: threading.Event().wait(seconds))

    def pause_before(self, attempt: int, broken: BrokenOff) -> None:
        """Wait before an attempt; the second one is 1."""
        doubled = _FIRST_PAUSE_SEC * 2.0 ** min(attempt - 1, 16)
        self.pause(min(max(broken.after_sec or 0.0, doubled), _LONGEST_PAUSE_SEC))

    @contextmanager
    def opened(self, source: Source, headers: Mapping[str, str]) -> Iterator[Opened]:
        """Ask once. Raises BrokenOff, Refused; also for what breaks off while it is read."""
        try:
            opened = self._follow(source, headers)
            with opened.body:
                yield opened
        except urllib.error.URLError as error:
            raise _of_connection(error.reason) from error
        except (OSError, http.client.HTTPException) as error:
            raise _of_connection(error) from error

    def _follow(self, source: Source, headers: Mapping[str, str]) -> Opened:
        first: dict[str, str] = {}
        url = source.url
        for _ in range(_MOST_HOPS):
            _require_web(url)
            is_home = _origin(url) == _origin(source.url)
            token = {"Authorization": f"Bearer {source.token}"} if source.token and is_home else {}
            sent = {"User-Agent": _AGENT, "Accept-Encoding": "identity", **headers, **token}
            response = _answered(url, sent, self.timeout_sec)
            found = {name.lower(): value for name, value in response.headers.items()}
            first = {**found, **first} if is_home else first
            if response.status not in _REDIRECTS or "location" not in found:
                return _taken(response, found, first)
            response.close()
            url = urljoin(url, found["location"])
        raise Refused(310, "too many redirects")


def shown(url: str) -> str:
    """A URL without what may be secret in it: user, password, query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "what is given"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Leaves redirects to us: the library would send the token along."""

    def redirect_request(self, *_args: Any, **_more: Any) -> None:
        return None


def _answered(url: str, headers: Mapping[str, str], timeout_sec: float) -> Any:
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        return opener.open(urllib.request.Request(url, headers=dict(headers)), timeout=timeout_sec)
    except urllib.error.HTTPError as error:
        return error  # it is an answer as any other


def _taken(response: Any, headers: Mapping[str, str], first: Mapping[str, str]) -> Opened:
    status = int(response.status)
    if status < 400 or status == 416:
        return Opened(status, headers, first, response)
    response.close()
    if status >= _SERVER_FAULTS or status in _PASSING:
        raise BrokenOff(f"the server answers {status}", _seconds(headers.get("retry-after", "")))
    raise Refused(status, http.client.responses.get(status, ""))


def _of_connection(reason: object) -> Exception:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return Refused(526, f"with a certificate that is not trusted ({reason.verify_message})")
    if isinstance(reason, TimeoutError):
        return BrokenOff("the server does not answer in time")
    if isinstance(reason, OSError):
        return BrokenOff(f"the server cannot be reached ({reason.strerror or reason})")
    return BrokenOff(f"the connection broke off ({type(reason).__name__})")


def _require_web(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise CannotStartError(f"{shown(url)} is no http or https URL", hint="mend it, then push again")


def _origin(url: str) -> tuple[str, Optional[str], Optional[int]]:
    parts: SplitResult = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _seconds(text: str) -> Optional[float]:
    return float(text) if text.isdigit() and len(text) < 6 else None
