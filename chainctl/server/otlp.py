"""Spans in; batches of them posted to an OpenTelemetry collector, by a thread of its own, out."""

from __future__ import annotations

import gzip
import http.client
import logging
import random
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Optional
from urllib.parse import urlsplit

from chainctl.server.otlp_form import export_request
from chainctl.server.otlp_settings import OtlpSettings
from chainctl.telemetry.span import Span
from chainctl.telemetry.telemetry import Telemetry
from chainctl.version import __version__

_LOG = logging.getLogger("chainctl.telemetry")
_REPEATED = (429, 502, 503, 504)
_ATTEMPTS = 4
_LONGEST_PAUSE_SEC = 30.0
_ANSWER_LIMIT = 64 * 1024


def start_exporter(environ: Mapping[str, str], telemetry: Telemetry) -> Optional[OtlpExporter]:
    """Export a service's spans as the OTEL_ variables say; None where they ask for nothing.

    The caller closes it when the service has finished its calls.
    """
    settings = OtlpSettings.of(environ, telemetry.service, telemetry.chainlet)
    if settings is None:
        return None
    exporter = OtlpExporter(settings)
    telemetry.counter(
        "chainctl_spans_exported_total",
        "Spans that the collector took.",
        lambda: exporter.exported,
    )
    telemetry.counter(
        "chainctl_spans_dropped_total",
        "Spans that were not exported: the queue was full or the collector did not take them.",
        lambda: exporter.dropped,
    )
    telemetry.sink = exporter
    exporter.start()
    return exporter


class OtlpExporter:
    """A bounded queue and the thread that empties it. Calls never wait for it."""

    def __init__(self, settings: OtlpSettings) -> None:
        self.exported = 0
        self.dropped = 0
        self._settings = settings
        self._queue: deque[Span] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._deadline = float("inf")
        self._thread = threading.Thread(target=self._run, name="chainctl-otlp", daemon=True)
        self._was_failing = False

    def start(self) -> None:
        self._thread.start()

    def offer(self, span: Span) -> None:
        """Take a sampled span; drop it when the queue is full."""
        if not span.is_sampled:
            return
        if len(self._queue) >= self._settings.queue_size:
            self.dropped += 1
            return
        self._queue.append(span)
        if len(self._queue) == self._settings.batch_size:
            self._wake.set()

    def close(self, within_sec: float = 5.0) -> None:
        """Export what is left, for a limited time; the rest is dropped."""
        self._deadline = time.monotonic() + within_sec
        self._closing.set()
        self._wake.set()
        self._thread.join(within_sec)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(self._settings.delay_sec)
            self._wake.clear()
            self._empty()
        self._empty()

    def _empty(self) -> None:
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._settings.batch_size))]
            self._count(len(batch), self._sent(export_request(batch, self._settings.resource)))

    def _count(self, spans: int, failure: str) -> None:
        """Count a batch; say once that exporting fails, and once that it works again."""
        if failure:
            self.dropped += spans
        else:
            self.exported += spans
        if bool(failure) is not self._was_failing:
            self._was_failing = bool(failure)
            _LOG.warning("spans cannot be exported: %s", failure) if failure else _LOG.info(
                "spans are exported again"
            )

    def _sent(self, body: bytes) -> str:
        """Post a batch, again where that may help; return "" or why it was not taken."""
        failure = ""
        for attempt in range(_ATTEMPTS):
            if time.monotonic() >= self._deadline:
                return failure or "the service ended first"
            try:
                status, retry_after = self._post(body)
            except (OSError, http.client.HTTPException) as error:
                status, retry_after, failure = 503, "", f"{type(error).__name__}: {error}"
            except ValueError:  # its text may hold a header
                return "the endpoint or a header cannot be sent"
            else:
                failure = f"the collector answered {status}"
            if status // 100 == 2:
                return ""
            if status not in _REPEATED:
                return failure
            self._closing.wait(_pause_sec(attempt, retry_after))
        return failure

    def _post(self, body: bytes) -> tuple[int, str]:
        settings = self._settings
        parts = urlsplit(settings.url)
        left = max(0.1, min(settings.timeout_sec, self._deadline - time.monotonic()))
        connection = _connection(parts.scheme, parts.hostname or "", parts.port, left, settings.certificate)
        headers = {
            "content-type": "application/json",
            "user-agent": f"chainctl/{__version__}",
            **settings.headers,
        }
        if settings.is_compressed:
            body, headers = gzip.compress(body), {**headers, "content-encoding": "gzip"}
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            answer.read(_ANSWER_LIMIT)
            return answer.status, answer.getheader("retry-after", "")
        finally:
            connection.close()


def _connection(
    scheme: str, host: str, port: Optional[int], timeout_sec: float, certificate: str
) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout_sec)
    context = ssl.create_default_context(cafile=certificate or None)
    return http.client.HTTPSConnection(host, port, timeout=timeout_sec, context=context)


def _pause_sec(attempt: int, retry_after: str) -> float:
    """Seconds until the next attempt: what the collector says, else exponential with jitter."""
    given = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
    return min(_LONGEST_PAUSE_SEC, max(given, random.uniform(0.5, 1.0) * 2.0**attempt))
