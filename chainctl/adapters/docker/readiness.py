"""A started service in; the moment when it is ready out, or a DeployError with the evidence."""

from __future__ import annotations

from dataclasses import dataclass

from chainctl.adapters.docker.observe_container import Container
from chainctl.adapters.docker.services_body import PROBE
from chainctl.adapters.docker.target_connection import Connection
from chainctl.adapters.docker.target_containers import find, keep_running, last_lines, stop
from chainctl.adapters.docker.target_exec import run_in
from chainctl.adapters.docker.target_wait import first_answer
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.sizes import shown_bytes
from chainctl.errors import DeployError
from chainctl.wire.log_line import readable

LOG_LINES = 50
_ASK_ON_SEC = 5.0
_ASK_ON = """\
import runpy, sys, time
place, path, seconds = sys.argv[1:]
probe, ends = runpy.run_path(place), time.monotonic() + float(seconds)
while probe["main"]([path]) and time.monotonic() < ends:
    time.sleep(0.1)
"""
"""One command in the container asks many times: many commands would take the time that services start in."""
_CORPSE_GRACE_SEC = 2.0


@dataclass(slots=True)
class _Look:
    """The last look at a service that is starting."""

    connection: Connection
    spec: ServiceSpec
    health: str = ""
    has_been_ready: bool = False

    def outcome(self) -> str | None:
        """Return "" when the service is ready, how it ended when it ended, None while it starts."""
        container = find(self.connection, self.spec.name)
        if container is None:
            return "it was removed while it started"
        self.has_been_ready = container.has_been_ready
        if not container.is_running:
            return ending(container, self.spec)
        patience = min(_ASK_ON_SEC, self.spec.start_timeout_sec)
        command = [container.command, "-I", "-c", _ASK_ON, PROBE, "/readyz", str(patience)]
        self.health = run_in(self.connection, container.id, command).strip().rpartition("\n")[2]
        return "" if self.health.startswith("200 ") else None


def await_ready(connection: Connection, spec: ServiceSpec) -> None:
    """Ask until the service is ready, and let the engine keep it running from then on.

    Raises DeployError when it ended, was killed or took too long; it is left, stopped, with its
    log. Until it is ready the engine does not restart it, so the first failure is the one shown.
    One that was ready before is not stopped: an older release may still use it.
    """
    look = _Look(connection, spec)
    outcome = first_answer(look.outcome, spec.start_timeout_sec)
    if outcome == "":
        return keep_running(connection, spec.name)
    if not look.has_been_ready:
        stop(connection, spec.name, _CORPSE_GRACE_SEC)
    why = outcome or f"not ready after {spec.start_timeout_sec:g} s"
    health = [f"health: {look.health}"] if outcome is None and look.health else []
    raise DeployError(
        f"{spec.chainlet} {'is not' if look.has_been_ready else 'did not become'} ready: {why}",
        hint=f"see why with `chainctl logs {spec.chain} --chainlet {spec.chainlet}`, then push again",
        details=[*readable(last_lines(connection, spec.name, LOG_LINES))[-LOG_LINES:], *health],
    )


def ending(container: Container, spec: ServiceSpec) -> str:
    """Say how a service ended."""
    if container.is_oom_killed:
        return f"was killed: out of memory (limit {shown_bytes(spec.resources.memory_bytes)})"
    if container.state == "created":
        return f"was not started{': ' if container.error else ''}{container.error}"
    return f"exited with code {container.exit_code}"
