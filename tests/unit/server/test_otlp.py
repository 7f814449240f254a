"""Spans on their way to a collector on loopback, which takes them, refuses them, or does not listen."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from chainctl.server.otlp import OtlpExporter, start_exporter
from chainctl.server.otlp_settings import OtlpSettings
from chainctl.telemetry.span import Span
from chainctl.telemetry.telemetry import Telemetry
from tests.conftest import await_condition

SECRET = "s3cr3t-value"


class Collector(ThreadingHTTPServer):
    """Keeps what it is sent; `statuses` are its next answers, 200 afterwards."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.statuses: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def spans(self) -> list[dict[str, Any]]:
        scopes = (body["resourceSpans"][0]["scopeSpans"][0] for _, _, body in self.requests)
        return [span for scope in scopes for span in scope["spans"]]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        headers = {name.lower(): value for name, value in self.headers.items()}
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status == 200:
            self.server.requests.append((self.path, headers, json.loads(body)))
        self.send_response(status)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """One that listens."""
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def span(**more: Any) -> Span:
    """A finished call."""
    made = Span("Hello", "server", 255, 16, request_id="r1", start_ns=1_000)
    made.total_ns, made.status = 500, 200
    for field, value in more.items():
        setattr(made, field, value)
    return made


def telemetry() -> Telemetry:
    """Of one service."""
    return Telemetry("demo-hello-1", "Hello")


def attributes(values: list[dict[str, Any]]) -> dict[str, str]:
    """OTLP attributes as a dictionary."""
    return {item["key"]: next(iter(item["value"].values())) for item in values}


def test_spans_are_posted_with_resource_and_headers(collector: Collector) -> None:
    """As the variables of OpenTelemetry say; what is recorded comes out in the form of OTLP."""
    seen = telemetry()
    exporter = start_exporter(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url + "/base/",
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{SECRET}, x-tenant=t",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=prod,service.name=ignored",
            "OTEL_SERVICE_NAME": "shop-hello",
            "CHAINCTL_CHAIN": "shop",
        },
        seen,
    )
    assert exporter is not None
    seen.record(span(parent_id=32, run_ns=300, items=2))
    seen.record(span(kind="client", status=503, attempts=2, error="RemoteFault: busy"))
    exporter.close()
    ((path, headers, body),) = collector.requests
    assert path == "/base/v1/traces"
    assert (headers["authorization"], headers["x-tenant"]) == (f"Bearer {SECRET}", "t")
    assert headers["content-type"] == "application/json"
    resource = attributes(body["resourceSpans"][0]["resource"]["attributes"])
    assert resource["service.name"] == "shop-hello"
    assert resource["service.namespace"] == "shop"
    assert resource["service.instance.id"] == "demo-hello-1"
    assert resource["deployment.environment"] == "prod"
    server, client = collector.spans
    assert (server["traceId"], server["spanId"], server["parentSpanId"]) == (
        f"{255:032x}",
        f"{16:016x}",
        f"{32:016x}",
    )
    assert (server["startTimeUnixNano"], server["endTimeUnixNano"]) == ("1000", "1500")
    assert (server["kind"], client["kind"]) == (2, 3)
    assert attributes(server["attributes"]) == {
        "chainctl.request_id": "r1",
        "chainctl.run_ns": "300",
        "http.response.status_code": "200",
        "chainctl.items": "2",
    }
    assert server["status"] == {}
    assert client["status"] == {"code": 2, "message": "RemoteFault: busy"}
    assert attributes(client["attributes"])["error.type"] == "RemoteFault"
    assert "parentSpanId" not in client
    assert (exporter.exported, exporter.dropped) == (2, 0)
    assert b"chainctl_spans_exported_total" in seen.metrics_text()


def test_what_callers_do_not_sample_is_not_exported(collector: Collector) -> None:
    """It is kept and counted here all the same."""
    exporter = OtlpExporter(OtlpSettings(collector.url))
    exporter.start()
    exporter.offer(span(is_sampled=False))
    exporter.close()
    assert collector.requests == []
    assert exporter.dropped == 0


def test_a_full_batch_goes_at_once(collector: Collector) -> None:
    """A small one waits for its delay."""
    exporter = OtlpExporter(OtlpSettings(collector.url, batch_size=3, delay_sec=3600))
    exporter.start()
    for _ in range(3):
        exporter.offer(span())
    await_condition(lambda: len(collector.spans) == 3, seconds=20)
    exporter.close()


def test_a_collector_that_is_busy_is_asked_again(collector: Collector) -> None:
    """Nothing is lost; a refusal for good is not repeated, and counted."""
    collector.statuses = [503]
    exporter = OtlpExporter(OtlpSettings(collector.url, batch_size=1, delay_sec=0.01))
    exporter.start()
    exporter.offer(span())
    await_condition(lambda: exporter.exported == 1, seconds=20)
    collector.statuses = [400]
    exporter.offer(span())
    await_condition(lambda: exporter.dropped == 1, seconds=20)
    exporter.close()


def test_a_full_queue_drops_and_counts(collector: Collector) -> None:
    """Calls never wait for a collector."""
    exporter = OtlpExporter(OtlpSettings(collector.url, queue_size=2))
    for _ in range(5):
        exporter.offer(span())
    assert exporter.dropped == 3
    exporter.start()
    exporter.close()
    assert exporter.exported == 2


def test_nobody_listening_is_told_once_and_keeps_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Closing gives up in time; a header's value is never told."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings = OtlpSettings(f"http://127.0.0.1:{port}", headers={"x-key": SECRET})
    exporter = OtlpExporter(settings)
    exporter.start()
    exporter.offer(span())
    with caplog.at_level(logging.INFO):
        exporter.close(within_sec=0.5)
        await_condition(lambda: exporter.dropped == 1, seconds=20)
    assert len(caplog.records) == 1
    assert SECRET not in caplog.text + repr(settings)


def test_a_header_that_cannot_be_sent_is_not_told(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    """The library's message would hold its value."""
    exporter = OtlpExporter(OtlpSettings(collector.url, headers={"x-key": SECRET + "\n"}))
    exporter.start()
    exporter.offer(span())
    with caplog.at_level(logging.INFO):
        exporter.close()
    assert exporter.dropped == 1
    assert "cannot be sent" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "True"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "c:4318"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://[c"},
    ],
)
def test_nothing_is_exported(environ: dict[str, str]) -> None:
    """Where nobody asks for it, or in a way that we do not speak."""
    seen = telemetry()
    assert start_exporter(environ, seen) is None
    assert seen.sink is None


def test_settings_of_traces_come_first(caplog: pytest.LogCaptureFixture) -> None:
    """The endpoint of traces is taken as it is; numbers that are none are told and left out."""
    with caplog.at_level(logging.WARNING):
        settings = OtlpSettings.of(
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://t/traces?x=1",
                "OTEL_EXPORTER_OTLP_HEADERS": f"a=1,b=2,{SECRET}",
                "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "b=3",
                "OTEL_EXPORTER_OTLP_TIMEOUT": "2000",
                "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "3000",
                "OTEL_BSP_MAX_QUEUE_SIZE": "-1",
                "OTEL_BSP_SCHEDULE_DELAY": "100",
            },
            "s",
            "c",
        )
    assert settings is not None
    assert settings.url == "https://t/traces?x=1"
    assert settings.headers == {"a": "1", "b": "3"}
    assert (settings.timeout_sec, settings.delay_sec, settings.queue_size) == (3.0, 0.1, 2048)
    assert "OTEL_BSP_MAX_QUEUE_SIZE" in caplog.text
    assert SECRET not in caplog.text
