"""`python -m tests.bench.scale_simulation`: a chain of 10,000 replicas in; what each part sees of it, a table, out.

Nothing runs: bounds and intervals are those of the code, the shares of callers come from its own subsetting. The
output is the same each time; docs/scale.md shows it.
"""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass

from pydantic import TypeAdapter

from chainctl.adapters.docker.haproxy_route import SLOTS
from chainctl.calls.address import Address
from chainctl.calls.replica_watch import LOOK_SEC, looks_per_answer
from chainctl.calls.subset import LEAST_SPOKEN_WITH, ranked
from chainctl.deploy.door_config import CONNECTIONS
from chainctl.deploy.release import Call, Fingerprint, FrontDoor, Release, Resources, ServiceSpec

SERVICES = 10
CALLEES = 3
PER_NODE = 50
IMAGE_BYTES = 400 << 20
REGISTRY_BYTES_SEC = 1_250_000_000
"""10 gigabits a second."""
_DNS_HEADER = 12
_RECORD_BYTES = 16
_LONGEST_ANSWER = 65_535
_UDP_ANSWER = 512
_QUESTION = len("shop-embed-1a2b3c4d.default.svc.cluster.local") + 2 + 4


@dataclass(frozen=True, slots=True)
class Scale:
    """What is seen where ten services have so many replicas each, and each calls three others."""

    replicas: int

    @property
    def total(self) -> int:
        return self.replicas * SERVICES

    @property
    def nodes(self) -> int:
        return -(-self.total // PER_NODE)

    @property
    def pulls(self) -> int:
        """Every node pulls an image once, however many replicas of it run there."""
        return SERVICES * min(self.nodes, self.replicas)

    @property
    def pull_sec(self) -> float:
        return self.pulls * IMAGE_BYTES / REGISTRY_BYTES_SEC

    @property
    def callers(self) -> int:
        """How many processes call one service, in the mean."""
        return self.replicas * CALLEES

    @property
    def answer_bytes(self) -> int:
        """The size of a DNS answer with all replicas of a service."""
        return _DNS_HEADER + _QUESTION + _RECORD_BYTES * self.replicas

    @property
    def lookups_sec(self) -> float:
        """Lookups of all callers together, a second."""
        return self.total * CALLEES / (LOOK_SEC * looks_per_answer(self.replicas))

    @property
    def spoken_with(self) -> int:
        return min(self.replicas, LEAST_SPOKEN_WITH)

    def probes_sec(self, spoken_with: int) -> float:
        """Probes that one replica answers a second, where each caller speaks with so many."""
        is_many = spoken_with > 16
        return self.callers * spoken_with / self.replicas / (LOOK_SEC * (2 if is_many else 1))

    def shares(self) -> list[int]:
        """How many callers speak with each replica, where each chooses its own part."""
        every = [Address(f"10.{n // 65536}.{n // 256 % 256}.{n % 256}", 8080) for n in range(self.replicas)]
        told = Counter(
            one
            for caller in range(self.callers)
            for one in ranked(f"caller-{caller}", every)[: self.spoken_with]
        )
        return [told[one] for one in every]

    def record_bytes(self) -> int:
        """The size of a release in the state database."""
        return len(TypeAdapter(Release).dump_json(_release(self.replicas)))


def _release(replicas: int) -> Release:
    names = [f"shop-embed-{number:08x}" for number in range(SERVICES)]
    services = tuple(
        ServiceSpec(
            name=name,
            chain="shop",
            chainlet=f"Embed{number}",
            image=f"shop/embed:{'0' * 16}",
            resources=Resources(1.0, 1 << 30, 512),
            env=(),
            secrets=(),
            calls=tuple(Call(f"Embed{n}", names[n]) for n in range(max(0, number - CALLEES), number)),
            start_timeout_sec=60.0,
            fingerprint=Fingerprint("0" * 16, "0" * 16, "0" * 16),
            replicas=replicas,
            declared_replicas=replicas,
        )
        for number, name in enumerate(names)
    )
    return Release("shop", names[-1], services, FrontDoor())


def table(scales: tuple[Scale, ...]) -> str:
    """Write what is seen as a table, a column for each scale."""
    shares = [scale.shares() for scale in scales]
    lines = [
        ("replicas in all; of one service", [f"{s.total:,}; {s.replicas:,}" for s in scales]),
        (f"machines, {PER_NODE} replicas each", [f"{s.nodes:,}" for s in scales]),
        ("registry: images pulled by a first push", [f"{s.pulls:,}" for s in scales]),
        ("registry: seconds at 10 Gbit/s, 400 MiB each", [f"{s.pull_sec:,.0f}" for s in scales]),
        (f"front door: replicas beyond its {len(SLOTS)} slots", [_beyond(s.replicas) for s in scales]),
        ("names: bytes of one answer", [_answer(s.answer_bytes) for s in scales]),
        ("names: lookups a second, all callers", [f"{s.lookups_sec:,.0f}" for s in scales]),
        ("callers of one service", [f"{s.callers:,}" for s in scales]),
        ("probes a replica answers a second, each caller asking all", [_rate(s, s.replicas) for s in scales]),
        (
            f"the same, each caller asking {LEAST_SPOKEN_WITH} at most",
            [_rate(s, s.spoken_with) for s in scales],
        ),
        (
            "callers of one replica: fewest, mean, most",
            [f"{min(n)}, {statistics.mean(n):.0f}, {max(n)}" for n in shares],
        ),
        ("connections of one caller that stay", [f"{s.spoken_with * CALLEES:,}" for s in scales]),
        ("state: kilobytes of one release", [f"{s.record_bytes() / 1000:,.0f}" for s in scales]),
    ]
    rows = [f"| {what} | {' | '.join(values)} |" for what, values in lines]
    head, *others = rows
    return "\n".join([head, "|---|" + "---:|" * len(scales), *others]) + "\n"


def _beyond(replicas: int) -> str:
    return f"{max(0, replicas - len(SLOTS)):,}"


def _answer(size: int) -> str:
    if size > _LONGEST_ANSWER:
        return f"{size:,} (too long)"
    return f"{size:,} ({'UDP' if size <= _UDP_ANSWER else 'TCP'})"


def _rate(scale: Scale, spoken_with: int) -> str:
    return f"{scale.probes_sec(spoken_with):,.0f}"


def scales() -> tuple[Scale, ...]:
    """Return those of the page: 100, 1,000 and 10,000 replicas of ten services."""
    return Scale(10), Scale(100), Scale(1000)


def longest_list() -> int:
    """Return how many replicas fit into one DNS answer."""
    return (_LONGEST_ANSWER - _DNS_HEADER - _QUESTION) // _RECORD_BYTES


DOOR_CONNECTIONS = CONNECTIONS

if __name__ == "__main__":
    print(table(scales()))
    print(
        f"replicas in the longest answer: {longest_list():,}; connections of the door: {DOOR_CONNECTIONS:,}"
    )
