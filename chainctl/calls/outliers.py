"""How calls of replicas ended in; which of them fail so much more often than the others that they are left alone, out.

After outlier detection in Envoy (https://www.envoyproxy.io, "Outlier detection") and gRPC (A50): by rates,
never more than half of the replicas, for longer each time.
"""

from __future__ import annotations

from collections.abc import Sequence

LEAST_CALLS = 10.0
_HIGH = 0.5
_TIMES_OTHERS = 3.0
_FADES = 0.9
_FIRST_SEC = 5.0
_LONGEST_SEC = 60.0


class Record:
    """How the last calls of one replica ended. `ejected_until` is a time of the caller's clock."""

    __slots__ = ("calls", "ejected_until", "failures", "times")

    def __init__(self) -> None:
        self.calls = self.failures = self.ejected_until = 0.0
        self.times = 0

    def note(self, *, failed: bool) -> None:
        """Count how a call ended."""
        self.calls += 1
        self.failures += failed

    def fade(self) -> None:
        """Let what was long ago weigh less."""
        self.calls *= _FADES
        self.failures *= _FADES

    @property
    def rate(self) -> float:
        """Which part of its calls failed."""
        return self.failures / self.calls if self.calls else 0.0

    def eject(self, now: float) -> None:
        """Leave it alone for some time, for twice as long as the last time; then it begins anew."""
        self.ejected_until = now + min(_LONGEST_SEC, _FIRST_SEC * 2**self.times)
        self.times = min(self.times + 1, 8)
        self.calls = self.failures = 0.0

    def forgive(self) -> None:
        """Note that it does well, so that the next time is short again."""
        self.times = 0


def eject_outliers(records: Sequence[Record], now: float) -> bool:
    """Leave alone those that fail far more often than the others; say whether there are such."""
    room = len(records) // 2 - sum(record.ejected_until > now for record in records)
    found = False
    judged = [record for record in records if record.ejected_until <= now]
    calls, failures = sum(one.calls for one in judged), sum(one.failures for one in judged)
    for record in sorted(judged, key=lambda one: -one.rate):
        if record.calls < LEAST_CALLS:
            continue
        others = calls - record.calls
        usual = (failures - record.failures) / others if others > 0 else 0.0
        is_outlier = record.rate >= _HIGH and record.rate > usual * _TIMES_OTHERS
        if is_outlier and room > 0:
            calls, failures = others, failures - record.failures
            record.eject(now)
            room -= 1
            found = True
        elif record.times and not record.failures:
            record.forgive()
    return found
