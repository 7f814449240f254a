"""When calls through stages have met their bounds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.bench.host import Host
from tests.bench.stages_report import QUEUED, Measured, Modelled, Queue, report

IN_ORDER = tuple((number, number) for number in range(1, QUEUED + 1))
ASLEEP = Queue("asleep", True, (1.0, 19.9), IN_ORDER)
BUSY = Queue("busy", False, (50.0,), IN_ORDER)
MODELS = (Modelled("chainctl", (1.1, 1.12, 1.3)), Modelled("Truss", (2.24,)))
GOOD = Measured((1.2, 1.1, 1.12), (ASLEEP, BUSY), (0.21,), MODELS)
SWAPPED = ((1, 2), (2, 1), *IN_ORDER[2:])


@pytest.mark.parametrize(
    ("measured", "failures"),
    [
        (GOOD, 0),
        (replace(GOOD, fetched_sec=(1.1, 1.156, 1.2)), 1),
        (replace(GOOD, models=(Modelled("chainctl", (1.16,)), MODELS[1])), 1),
        (replace(GOOD, queues=(replace(ASLEEP, health_ms=(1.0, 20.0)), BUSY)), 1),
        (replace(GOOD, queues=(ASLEEP, replace(BUSY, order=SWAPPED))), 1),
        (replace(GOOD, queues=(replace(ASLEEP, order=IN_ORDER[:-1]),)), 1),
    ],
)
def test_the_page_says_what_was_not_met(measured: Measured, failures: int) -> None:
    """Each bound is judged by itself, and the run as a whole by all of them."""
    host = Host("a CPU", 2, 4.0, "Linux", "3.11")
    text = report(measured, host, 0.0, 30.0, 0.1, 0)
    assert text.count("FAIL") == failures
    assert measured.passes == (failures == 0)


def test_servers_are_compared() -> None:
    """The page says how many times as long the other one takes."""
    text = report(GOOD, Host("a CPU", 2, 4.0, "Linux", "3.11"), 0.0, 30.0, 0.1, 0)
    assert "2.240 s, 2.00 times as long" in text
