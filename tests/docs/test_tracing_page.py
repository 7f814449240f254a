"""The page on tracing against the metrics, fields and variables that there are."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

from chainctl.server.otlp import start_exporter
from chainctl.telemetry.span import Span
from chainctl.telemetry.telemetry import Telemetry
from chainctl.wire.log_line import LONGEST_MESSAGE, LogEvent
from chainctl.workflows.call_parts import PARTS
from tests.docs.blocks import ROOT, plain, rows_of, section_of

PAGE = ROOT / "docs" / "tracing.md"
SOURCES = [*(ROOT / "chainctl").glob("server/*.py"), *(ROOT / "chainctl").glob("telemetry/*.py")]
_VARIABLE = re.compile(r'"((?:OTEL|CHAINCTL_LOG|CHAINCTL_TELEMETRY)[A-Z_]*)"')
_RUNTIME_ADDS = {"chainctl_calls_limit", "chainctl_calls_in_flight", "chainctl_calls_waiting"}


def described(heading: str) -> list[str]:
    """The first cells of a section's table."""
    return [plain(row[0]) for row in rows_of(section_of(PAGE, heading))]


def test_metrics_are_all_described() -> None:
    """The table has each metric of ours, and no other."""
    telemetry = Telemetry("s", "c")
    exporter = start_exporter({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, telemetry)
    assert exporter is not None
    telemetry.sink = None
    for kind in ("server", "client"):
        telemetry.record(Span("a", kind, 1, 1))
    exporter.close()
    families = text_string_to_metric_families(telemetry.metrics_text().decode())
    names = {
        f.name + ("_total" if f.type == "counter" else "") for f in families if f.name.startswith("chainctl")
    }
    assert set(described("## Metrics")) == names | _RUNTIME_ADDS


def test_fields_of_log_lines_are_all_described() -> None:
    """In the order in which they are written."""
    assert sorted(described("## Log lines")) == sorted(LogEvent.__dataclass_fields__)
    assert f"{LONGEST_MESSAGE:,} characters" in section_of(PAGE, "## Log lines")


def test_parts_are_all_described() -> None:
    """Each part that a waterfall may name."""
    assert tuple(described("## Where the time of a call went")) == PARTS


def test_variables_are_all_described() -> None:
    """Each variable that the code reads has a row, and each row is read."""
    read = {name for path in SOURCES for name in _VARIABLE.findall(path.read_text(encoding="utf-8"))}
    rows = {*described("## OpenTelemetry"), *described("## Variables of chainctl")}
    composed = {
        f"OTEL_EXPORTER_OTLP_{name}" for name in ("TIMEOUT", "COMPRESSION", "CERTIFICATE", "PROTOCOL")
    }
    assert (read - {"OTEL_EXPORTER_OTLP_TRACES_HEADERS"}) | composed == rows
