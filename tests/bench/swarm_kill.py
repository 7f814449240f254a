"""`python -m tests.bench.swarm_kill`: a swarm of three nodes loses one under load; what callers and it noticed, out.

Exits with 1 when a bound is not met.
"""

from __future__ import annotations

import http.client
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress
from chainctl.adapters.swarm.manager import opened
from chainctl.adapters.swarm.nodes import nodes_of
from chainctl.adapters.swarm.services import find_service
from chainctl.adapters.swarm.tasks import Task, as_replicas, tasks_of
from chainctl.deploy.release import FrontDoor, ServiceSpec
from chainctl.deploy.state import DesiredState
from tests.conftest import await_condition
from tests.docker.swarm_nodes import SwarmNodes, several_nodes
from tests.docker.swarm_rig import SwarmRig
from tests.docker.target_rig import built_image

RATE = 100
REPLICAS = 3
CALLERS = 20
WHOLE_SEC = 10.0
"""After Swarm has begun a task in place of the lost one, the service has all of its replicas within this time."""
_NOTICED_SEC = 90.0
_STEADY_SEC = 3.0
_TIMEOUT_SEC = 15.0
_CONNECT_SEC = 1.0
_BODY = b'{"text": "x"}'


@dataclass(frozen=True, slots=True)
class Answered:
    """One call: when it began and ended, on the clock of this process, and how."""

    begun: float
    ended: float
    status: int
    is_retryable: bool


@dataclass(frozen=True, slots=True)
class SwarmKill:
    """What happened. Times are seconds from the loss of the node."""

    calls: int
    failed: int
    failed_retryable: int
    failures: tuple[str, ...]
    slowest_sec: float
    seconds_slow: float
    rescheduled_sec: float
    whole_sec: float

    @property
    def is_met(self) -> bool:
        return self.failed_retryable == 0 and self.whole_sec - self.rescheduled_sec <= WHOLE_SEC

    @property
    def rows(self) -> tuple[tuple[str, str, str, bool], ...]:
        """Return what was measured, with its bound and whether it was met."""
        late = self.whole_sec - self.rescheduled_sec
        return (
            ("calls that failed and could have been repeated", f"{self.failed_retryable}", "0",
             self.failed_retryable == 0),
            ("from the new task to all replicas ready", f"{late:.1f} s", f"{WHOLE_SEC:g} s",
             late <= WHOLE_SEC),
        )  # fmt: skip

    @property
    def prose(self) -> str:
        lost = f"{self.failed} of {self.calls} calls failed"
        return (
            f"{REPLICAS} replicas on three nodes, {RATE} calls a second through the front doors of all of them; "
            f"a push flips them to another release, then one node loses its network and all of its processes "
            f"at once, its door as well. {lost}"
            f"{': ' + ', '.join(self.failures) if self.failures else ''}. The slowest took "
            f"{self.slowest_sec:.2f} s, and calls of more than 0.5 s began within {self.seconds_slow:.1f} s. "
            f"Swarm began a task on another node after {self.rescheduled_sec:.1f} s, and all replicas were "
            f"ready after {self.whole_sec:.1f} s."
        )


def measure(shared_host: str) -> SwarmKill:
    """Bring the nodes up, lose one under load, and look until the service is whole again."""
    shared = Engine.connect(EngineAddress(shared_host, "test", None))
    with built_image(shared) as image, several_nodes(shared_host, image) as nodes:
        engine = Engine.connect(EngineAddress(nodes.manager.host, "test", None))
        rig = SwarmRig(engine, image)
        door = FrontDoor(bind="0.0.0.0", image=nodes.door_image)
        old, new = (
            rig.spec(version=version, published=nodes.image, replicas=REPLICAS) for version in ("1", "2")
        )
        rig.push(rig.desired(old, door=door))
        return _killed(rig, rig.desired(new, door=door), nodes)


def _killed(rig: SwarmRig, wanted: DesiredState, nodes: SwarmNodes) -> SwarmKill:
    """Flip the doors of all nodes to another release, then lose a node."""
    spec, port = wanted.services[0], urlsplit(rig.url).port
    with Calls([f"http://{node.address}:{port}" for node in nodes.nodes]).running() as calls:
        threading.Event().wait(_STEADY_SEC)
        rig.push(wanted)
        before = {task.id for task in _tasks(rig, spec)}
        lost_at = time.monotonic()
        nodes.nodes[-1].lose()
        await_condition(lambda: bool({t.id for t in _tasks(rig, spec)} - before), seconds=_NOTICED_SEC)
        rescheduled = time.monotonic() - lost_at
        await_condition(lambda: _is_whole(rig, spec), seconds=_NOTICED_SEC)
        whole = time.monotonic() - lost_at
        threading.Event().wait(_STEADY_SEC)
        rig.route(spec)
    return _summed(calls.answered, lost_at, rescheduled, whole)


def _summed(answered: Sequence[Answered], lost_at: float, rescheduled: float, whole: float) -> SwarmKill:
    failed = [one for one in answered if one.status != 200]
    slow = [one.begun - lost_at for one in answered if one.ended - one.begun > 0.5]
    kinds = Counter(str(one.status or "no answer") for one in failed)
    return SwarmKill(
        calls=len(answered),
        failed=len(failed),
        failed_retryable=sum(one.is_retryable for one in failed),
        failures=tuple(f"{count} × {kind}" for kind, count in sorted(kinds.items())),
        slowest_sec=max(one.ended - one.begun for one in answered),
        seconds_slow=max(slow, default=0.0),
        rescheduled_sec=rescheduled,
        whole_sec=whole,
    )


def _tasks(rig: SwarmRig, spec: ServiceSpec) -> list[Task]:
    with opened(rig.engine) as connection:
        service = find_service(connection, spec.name, spec.chain)
        assert service is not None
        return as_replicas(tasks_of(connection, [service.id]), REPLICAS)


def _is_whole(rig: SwarmRig, spec: ServiceSpec) -> bool:
    with opened(rig.engine) as connection:
        there = {node.id for node in nodes_of(connection) if node.is_open}
    running = [task for task in _tasks(rig, spec) if task.is_running and task.node in there]
    return len(running) == REPLICAS


@dataclass
class Calls:
    """Callers who call at a fixed rate, whatever becomes of the calls before, each through a node of its own."""

    urls: Sequence[str]
    answered: list[Answered] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[Calls]:
        over = threading.Event()
        threads = [threading.Thread(target=self._call, args=(over, n)) for n in range(CALLERS)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _call(self, over: threading.Event, number: int) -> None:
        pause = CALLERS / RATE
        due = time.monotonic() + pause * number / CALLERS
        while not over.wait(max(0.0, due - time.monotonic())):
            due += pause
            self.answered.append(self._outcome(number))

    def _outcome(self, number: int) -> Answered:
        """Call once, at a door of one's own first, then at the others as long as none is reached.

        What says that it was not begun, or reached nobody, can be repeated.
        """
        begun = time.monotonic()
        for turn in range(len(self.urls)):
            place = urlsplit(self.urls[(number + turn) % len(self.urls)])
            connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=_CONNECT_SEC)
            try:
                connection.connect()
            except OSError:
                connection.close()
                continue
            return self._answered(connection, begun)
        return Answered(begun, time.monotonic(), 0, is_retryable=True)

    def _answered(self, connection: http.client.HTTPConnection, begun: float) -> Answered:
        status, is_retryable = 0, False
        connection.sock.settimeout(_TIMEOUT_SEC)
        try:
            connection.request("POST", "/run_remote", _BODY, {"content-type": "application/json"})
            response = connection.getresponse()
            status = response.status
            is_retryable = response.getheader("x-chainctl-not-started") is not None
            response.read()
        except (OSError, http.client.HTTPException):
            status = 0
        finally:
            connection.close()
        return Answered(begun, time.monotonic(), status, is_retryable)


def main() -> int:
    found = measure(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    sys.stdout.write(f"{found.prose}\n")
    for what, value, bound, is_met in found.rows:
        sys.stdout.write(f"{what}: {value} (at most {bound}): {'met' if is_met else 'not met'}\n")
    return 0 if found.is_met else 1


if __name__ == "__main__":
    sys.exit(main())
