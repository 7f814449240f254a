"""When calls through stages have met their bounds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.bench.host import Host
from tests.bench.stages_report import QUEUED, Measured, Queue, report

IN_ORDER = tuple((number, number) for number in range(1, QUEUED + 1))
ASLEEP = Queue("asleep", True, (1.0, 19.9), IN_ORDER)
BUSY = Queue("busy", False, (50.0,), IN_ORDER)
GOOD = Measured((1.2, 1.1, 1.12), (ASLEEP, BUSY), (0.21,))
SWAPPED = ((1, 2), (2, 1), *IN_ORDER[2:])


@pytest.mark.parametrize(
    ("measured", "failures"),
    [
        (GOOD, 0),
        (replace(GOOD, fetched_sec=(1.1, 1.156, 1.2)), 1),
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
