"""What services did between two looks at their metrics."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import count

import pytest
from rich.console import Console

from chainctl.cli.load_text import load_json, load_text
from chainctl.cli.watching import print_load, watch
from chainctl.deploy.release import Fingerprint
from chainctl.deploy.state import ObservedService, ObservedState, ServiceStatus
from chainctl.errors import ChainctlError, DeployError
from chainctl.telemetry.span import Span
from chainctl.telemetry.telemetry import Telemetry
from chainctl.workflows.metrics_reading import CallCounts, read_metrics
from chainctl.workflows.top import METRICS, Load, Rates, ServiceLoad, loads
from tests.fakes.target import MemoryTarget

MS = 1_000_000


class Chain(MemoryTarget):
    """Two services whose metrics are those of real telemetry, and one that is too old to have any."""

    def __init__(self) -> None:
        super().__init__()
        services = [
            ObservedService(name, name.title(), ServiceStatus.RUNNING, Fingerprint("i", "c", "c"), "image")
            for name in ("top", "left", "old")
        ]
        self.put(ObservedState("demo", tuple(services)))
        self.seen = {name: Telemetry(name, name.title()) for name in ("top", "left")}
        self.seen["top"].gauge("chainctl_calls_in_flight", "Calls that run now.", lambda: 2)
        self.seen["top"].gauge("chainctl_calls_waiting", "Calls that wait.", lambda: 1)

    def ask(self, chain: str, service: str, path: str) -> bytes:
        assert path == METRICS
        if service not in self.seen:
            raise DeployError(f"{service} did not answer GET {path}")
        return self.seen[service].metrics_text()

    def call(
        self, service: str, name: str, kind: str, ms: float, status: int = 200, attempts: int = 1
    ) -> None:
        span = Span(name, kind, 1, 1)
        span.total_ns, span.status, span.attempts = round(ms * MS), status, attempts
        self.seen[service].record(span)


def test_the_load_between_two_looks() -> None:
    """Rates are of the time between; what was before does not count."""
    chain = Chain()
    chain.call("top", "Top", "server", 400)

    def happen() -> None:
        for ms in (3, 3, 3, 30):
            chain.call("top", "Top", "server", ms)
        chain.call("top", "Left", "client", 2, status=0, attempts=3)

    load = next(loads(chain, "demo", count(step=2.0).__next__, happen))
    left, top = load.services
    assert (load.seconds, load.silent) == (2.0, ("old did not answer GET /-/metrics",))
    assert (left.rates.calls, left.rates.p50_sec, left.edges) == (0, None, {})
    assert (top.rates.calls, top.rates.errors, top.in_flight, top.waiting) == (2.0, 0, 2, 1)
    assert top.rates.p50_sec == pytest.approx(0.002 + 0.001 * 2 / 3)
    assert top.rates.p99_sec == pytest.approx(0.02 + 0.01 * 0.96)
    assert top.memory_bytes > 0
    edge = top.edges["Left"]
    assert (edge.calls, edge.errors, edge.retries) == (0.5, 0.5, 1.0)


def test_a_service_that_started_anew_counts_from_its_start() -> None:
    """Its counts went back; they are not negative rates."""
    chain = Chain()
    for _ in range(5):
        chain.call("left", "Left", "server", 1)

    def restart() -> None:
        chain.seen["left"] = Telemetry("left", "Left")
        chain.call("left", "Left", "server", 1)

    load = next(loads(chain, "demo", count().__next__, restart))
    assert [s.rates.calls for s in load.services] == [1.0, 0.0]


def test_quantiles() -> None:
    """Interpolated within a bucket; above the last bound there is nothing to say but that bound."""
    counts = CallCounts(calls=4, buckets={1.0: 2, 2.0: 2, 4.0: 3, float("inf"): 4})
    assert [counts.quantile(share) for share in (0.25, 0.5, 0.75, 0.99)] == [0.5, 1.0, 4.0, 4.0]
    assert CallCounts().quantile(0.5) is None


@pytest.mark.parametrize("text", [b"# TYPE a gauge\na{", b"a b c d", b"\xff"])
def test_metrics_that_are_none(text: bytes) -> None:
    """A stranger on that path is told apart."""
    with pytest.raises(ValueError, match=r"."):
        read_metrics(text)


LOAD = Load(
    2.0,
    (
        ServiceLoad("demo-left-1", "Left", Rates(0, 0, 0, None, None), 0, 0, 50 << 20, {}),
        ServiceLoad(
            "demo-top-1",
            "Top",
            Rates(12.25, 0.5, 0, 0.0034, 1.25),
            3,
            1,
            123 << 20,
            {"Left": Rates(24.5, 0, 0.25, 0.0001, 0.02)},
        ),
    ),
    ("demo-old-1 did not answer GET /-/metrics",),
)


def test_the_text(golden: Callable[[str, str], None]) -> None:
    """Chainlets, edges, and who is missing."""
    golden("seen/top.txt", load_text(LOAD))
    alone = Load(2.0, LOAD.services[:1], ())
    assert "EDGE" not in load_text(alone)


def test_the_values() -> None:
    """Everything that the text shows."""
    value = load_json(LOAD)
    assert value["services"][1]["p99_sec"] == 1.25
    assert value["services"][1]["edges"] == [
        {"callee": "Left", "calls": 24.5, "errors": 0, "retries": 0.25, "p50_sec": 0.0001, "p99_sec": 0.02}
    ]
    assert value["silent"] == list(LOAD.silent)


def test_once_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """One table of one interval; nobody there is an error."""
    print_load(Chain(), "demo", 0.01, as_json=False)
    assert capsys.readouterr().out.splitlines()[0].startswith("CHAINLET  CALLS/S  P50")
    with pytest.raises(ChainctlError):
        print_load(Chain(), "nothing", 0.01, as_json=False)


def test_a_screen_goes_on_until_the_chain_is_gone() -> None:
    """Services that cannot be asked for a while, as during a push, do not end it."""

    class Restarting(Chain):
        asked = 0

        def ask(self, chain: str, service: str, path: str) -> bytes:
            self.asked += 1
            if self.asked in range(10, 13):
                raise DeployError(f"{service} is away")
            if self.asked > 25:
                self.put(ObservedState("demo"))
            return super().ask(chain, service, path)

    screen = Console(file=io.StringIO(), force_terminal=True, width=120, height=20)
    with pytest.raises(ChainctlError, match="no service of demo"):
        watch(Restarting(), "demo", 0.001, screen)
    out = screen.file.getvalue()  # type: ignore[attr-defined]  # it is the one from above
    assert out.count("CHAINLET") > 1
    assert "is away" in out
