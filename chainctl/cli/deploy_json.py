"""A DeployPlan and an InterfaceReport in; their JSON forms out."""

from __future__ import annotations

import dataclasses
from typing import Any

from chainctl.deploy.interfaces import InterfaceReport
from chainctl.deploy.operations import Operation
from chainctl.deploy.plan import DeployPlan, line_of
from chainctl.deploy.release import FrontDoor, ServiceSpec


def operations_json(plan: DeployPlan) -> list[dict[str, Any]]:
    """Return one object an operation, in order: its class, its line, and all that it says of itself."""
    return [_operation(operation) for operation in plan.operations]


def interfaces_json(report: InterfaceReport) -> dict[str, Any]:
    """Return what changes for callers; `is_known` is false where the last release has none on record."""
    return {
        "is_known": report.is_known,
        "is_breaking": report.is_breaking,
        "changes": [dataclasses.asdict(change) for change in report.changes],
    }


def _operation(operation: Operation) -> dict[str, Any]:
    value: dict[str, Any] = {"operation": type(operation).__name__, "line": line_of(operation)}
    for field in dataclasses.fields(operation):
        value |= _shown(field.name, getattr(operation, field.name))
    return value


def _shown(name: str, said: Any) -> dict[str, Any]:
    """A service by its names; the rest of it may hold what a user set in its environment."""
    match said:
        case ServiceSpec(name=service, chainlet=chainlet, image=image):
            return {"service": service, "chainlet": chainlet, "image": image}
        case FrontDoor(bind=bind, port=port):
            return {"bind": bind, "port": port}
        case str() | int() | float() | None:
            return {name: said}
        case tuple():
            return {name: [str(one) for one in said]}
        case _:
            return {name: str(said)}
