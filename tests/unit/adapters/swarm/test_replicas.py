"""Services and tasks in; the replicas that are observed, and what is kept for them, out."""

from __future__ import annotations

from chainctl.adapters.swarm.labels import (
    FAILED,
    READY,
    awaited_labels,
    is_renewed,
    renewed_labels,
    service_labels,
)
from chainctl.adapters.swarm.observe import observed_replicas
from chainctl.adapters.swarm.services import referenced
from chainctl.adapters.swarm.tasks import as_replicas, newest_failure
from chainctl.deploy.state import ServiceStatus
from tests.unit.adapters.swarm.swarm_values import service, spec, task

MADE = service_labels(spec(), "d1")
READY_ONE = awaited_labels(MADE, 1)


def statuses(labels: dict[str, str], replicas: int, *tasks: object) -> list[tuple[int, str]]:
    seen = observed_replicas(service(labels, replicas), tasks)  # type: ignore[arg-type]  # tasks, as made here
    return [(one.replica, str(one.status)) for one in seen]


def test_what_was_not_awaited_is_stopped() -> None:
    """Though it runs: the next plan awaits it."""
    assert statuses(MADE, 1, task(1)) == [(1, "stopped")]
    assert statuses(READY_ONE, 2, task(1), task(2)) == [(1, "running"), (2, "stopped")]


def test_replicas_count_by_what_runs() -> None:
    """A slot that is free, or whose task starts anew, is the last replica; tasks of lost nodes do not count."""
    labels = awaited_labels(MADE, 2)
    lost = task(1, desired="shutdown", id="lost")
    assert statuses(labels, 2, lost, task(1, state="starting"), task(5)) == [(1, "running"), (2, "stopped")]
    broken = task(1, state="failed", desired="shutdown", id="broken")
    assert statuses(labels, 2, broken, task(1, state="ready", desired="ready"), task(2)) == [
        (1, "running"),
        (2, "failed"),
    ]


def test_a_service_without_tasks_is_there() -> None:
    """It was left by a push that was cut off, or given up."""
    assert statuses(READY_ONE, 0) == [(1, "stopped")]
    assert statuses({**MADE, FAILED: "1"}, 1, task(1, state="failed", desired="shutdown")) == [(1, "failed")]


def test_values_are_new_once_they_were_awaited() -> None:
    """Until then the service is observed with those that it had, and is not asked for again in vain."""
    rotated = spec(image="shop/hello:def", secrets=())
    renewed = renewed_labels(rotated, "d2", READY_ONE)
    (seen,) = observed_replicas(service(renewed, 1), [task(1)])
    assert (seen.image, seen.secrets) == ("shop/hello:abc", spec().secrets_digest)
    assert (is_renewed(renewed), is_renewed(READY_ONE), is_renewed(MADE)) == (True, False, False)
    (seen,) = observed_replicas(service(awaited_labels(renewed, 1), 1), [task(1)])
    assert (seen.status, seen.image, seen.secrets) == (ServiceStatus.RUNNING, "shop/hello:def", "")


def test_more_replicas_that_are_ready_are_counted() -> None:
    """A second look at the first one does not forget the others."""
    assert awaited_labels(awaited_labels(MADE, 3), 1)[READY] == "3"


def test_the_newest_failure_is_where_nothing_runs() -> None:
    """What broke once, and runs again, is no reason."""
    old = task(1, state="failed", desired="shutdown", id="old")
    new = task(2, state="rejected", desired="shutdown", id="new", created="2026-01-02T00:00:00Z")
    assert newest_failure([old, task(1)]) is None
    found = newest_failure([old, new])
    assert found is not None
    assert found.id == "new"


def test_as_many_replicas_as_are_wanted() -> None:
    """While tasks are replaced there are more: the older ones run."""
    tasks = [task(1, state="starting", id="new"), task(1, id="old"), task(2)]
    assert [one.id for one in as_replicas(tasks, 2)] == ["old", "t2"]


def test_secrets_of_a_roll_back_are_kept() -> None:
    """As long as it may come to that."""

    def template(secret: str) -> dict[str, object]:
        return {"ContainerSpec": {"Secrets": [{"SecretID": secret}]}}

    before = {"TaskTemplate": template("old")}
    rolling = service(MADE, 1, "updating", template=template("new"), before=before)
    done = service(MADE, 1, "completed", template=template("new"), before=before)
    assert referenced([rolling], "Secret") == {"old", "new"}
    assert referenced([done], "Secret") == {"new"}
