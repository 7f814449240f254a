"""A started service in, the moment when it is ready out, or a DeployError with the evidence."""

from __future__ import annotations

import threading
import time

from chainctl.adapters.local.client import SupervisorClient
from chainctl.adapters.local.logs import last_words
from chainctl.adapters.local.paths import RunPaths
from chainctl.adapters.local.protocol import AskReady, Readiness
from chainctl.deploy.release import ServiceSpec
from chainctl.deploy.state import ServiceStatus
from chainctl.errors import DeployError

LOG_LINES = 50
_FIRST_POLL_SEC = 0.02
_LAST_POLL_SEC = 1.0


def await_ready(run: RunPaths, spec: ServiceSpec) -> None:
    """Ask until the service is ready. Raises DeployError when it failed or took too long."""
    deadline = time.monotonic() + spec.start_timeout_sec
    delay = _FIRST_POLL_SEC
    while not (readiness := _ask(run, spec)).is_ready:
        if readiness.status is not ServiceStatus.RUNNING:
            raise _failed(run, spec, readiness, f"ended with {_words(readiness.exit_code)}")
        if time.monotonic() >= deadline:
            seconds = f"{spec.start_timeout_sec:g} s"
            raise _failed(run, spec, readiness, f"was not ready within {seconds}")
        threading.Event().wait(min(delay, max(0.0, deadline - time.monotonic())))
        delay = min(delay * 1.5, _LAST_POLL_SEC)


def _ask(run: RunPaths, spec: ServiceSpec) -> Readiness:
    answer = SupervisorClient(run).ask(AskReady(name=spec.name))
    assert isinstance(answer, Readiness)
    return answer


def _failed(run: RunPaths, spec: ServiceSpec, readiness: Readiness, what: str) -> DeployError:
    health = [f"health: {line}" for line in readiness.body.splitlines()]
    return DeployError(
        f"{spec.chainlet} ({spec.name}) {what}",
        hint=f"read its log with `chainctl logs {spec.chain}`, mend it, then push again",
        details=[*last_words(run.log_of(spec.name), LOG_LINES), *health],
    )


def _words(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
