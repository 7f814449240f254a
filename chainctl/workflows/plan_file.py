"""A draft and what runs in; the plan file that a later push is held to out, and the first difference from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chainctl.build.differences import differences, reason_text
from chainctl.build.input_table import InputTable
from chainctl.deploy.release import Release, replica_name
from chainctl.deploy.state import ObservedState
from chainctl.errors import StalePlanError, UsageError
from chainctl.state.ledger import Record
from chainctl.workflows.draft import Draft

_FORMAT = 1
_NOTHING = "nothing"
_WARM = "what is kept warm"


@dataclass(frozen=True, slots=True)
class PlanFile:
    """What a push was planned from. `release` is the digest of what it would ship.

    `wanted` and `observed` are pairs of what and how it is, in the order in which differences are told.
    `inputs` say what the images are made of; `shown` is what `plan` printed, for whoever reads the file.
    """

    chain: str
    target: str
    release: str
    wanted: tuple[tuple[str, str], ...]
    observed: tuple[tuple[str, str], ...]
    inputs: InputTable = field(default_factory=InputTable)
    shown: Mapping[str, Any] = field(default_factory=dict)
    format_version: int = _FORMAT


def plan_file(
    draft: Draft,
    target: str,
    observed: ObservedState,
    last: Record | None,
    shown: Mapping[str, Any] | None = None,
    warm: Iterable[str] = (),
    components: Iterable[tuple[str, str]] = (),
) -> PlanFile:
    """Write down what a plan was made from: the release, its components, what stays warm, what the target has.

    It holds no secret.
    """
    return PlanFile(
        draft.chain,
        target,
        draft.release.digest,
        (*_wanted(draft.release), (_WARM, ", ".join(sorted(warm)) or _NOTHING), *components),
        tuple(_observed(observed, last)),
        InputTable.of({image.chainlet: image.inputs for image in draft.images.images}),
        shown or {},
    )


def require_as_planned(planned: PlanFile, now: PlanFile) -> None:
    """Raise StalePlanError with the first thing that is otherwise than it was planned from."""
    difference = next(_differences(planned, now), None)
    if difference is not None:
        raise StalePlanError(
            f"The plan does not hold any more: {difference}",
            hint="make a new one, and look at it: `chainctl plan FILE --out PLAN`.",
            details=["nothing was built, nothing that runs was touched"],
        )


def plan_file_text(plan: PlanFile) -> str:
    """Render a plan file as JSON, the same for equal plans."""
    from pydantic import TypeAdapter

    return json.dumps(TypeAdapter(PlanFile).dump_python(plan, mode="json"), indent=1) + "\n"


def parse_plan_file(text: bytes, name: str) -> PlanFile:
    """Read a plan file back. Raises UsageError for anything else, and for one of a newer chainctl."""
    from pydantic import TypeAdapter

    try:
        fields = json.loads(text)
        version = fields.get("format_version") if isinstance(fields, dict) else None
        if isinstance(version, int) and version > _FORMAT:
            raise UsageError(
                f"{name} was written by a newer chainctl", hint="upgrade: `pip install -U chainctl`."
            )
        return TypeAdapter(PlanFile).validate_json(text)
    except ValueError as error:
        raise UsageError(
            f"{name} is no plan file: {_wrong(error)}", hint="write one with `chainctl plan FILE --out PLAN`."
        ) from error


def _wrong(error: ValueError) -> str:
    """Say in one line what is wrong with a file: the first key that is, or that it is no JSON at all."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return f"it is no JSON ({str(error).splitlines()[0]})"
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"`{place}`: {first['msg']}" if place else first["msg"]


def _wanted(release: Release) -> Iterator[tuple[str, str]]:
    """Causes before what follows from them: a name of a service covers all the rest."""
    services = sorted(release.services, key=lambda s: s.chainlet)
    yield "the list of chainlets", ", ".join(s.chainlet for s in services)
    yield "the entrypoint", next(s.chainlet for s in services if s.name == release.entrypoint)
    for service in services:
        yield f"the image of {service.chainlet}", service.image
    for service in services:
        yield f"the configuration of {service.chainlet}", service.fingerprint.config
    for service in services:
        yield f"the count of replicas of {service.chainlet}", str(service.replicas)
    for service in services:
        if service.secrets:
            yield f"the secrets of {service.chainlet}", service.secrets_digest
    yield "the configuration of the front door", release.front_door.digest
    for service in services:
        yield f"the service of {service.chainlet}", service.name


def _observed(observed: ObservedState, last: Record | None) -> Iterator[tuple[str, str]]:
    door = observed.front_door
    yield "the last release", str(last.number) if last else _NOTHING
    for service in sorted(observed.services, key=lambda s: (s.name, s.replica)):
        name = replica_name(service.name, service.replica)
        yield f"the service {name} that is there", service.status.value
        if service.secrets:
            yield f"the secrets of the service {name} that is there", service.secrets
    yield "what the front door leads to", (door.route if door else None) or _NOTHING
    yield "the front door that is there", f"{door.digest[:16]}, {door.status}" if door else _NOTHING


def _differences(planned: PlanFile, now: PlanFile) -> Iterator[str]:
    for what, before, after in (
        ("the chain", planned.chain, now.chain),
        ("the target", planned.target, now.target),
    ):
        if before != after:
            yield _told(what, after, before)
    yield from _edits(planned, now)
    yield from _unequal(planned.wanted, now.wanted)
    if planned.release != now.release:
        yield _told("the release", now.release[:16], planned.release[:16])
    yield from _unequal(planned.observed, now.observed)


def _edits(planned: PlanFile, now: PlanFile) -> Iterator[str]:
    """What has changed in images, by the names of files and settings; images that are new have no such names."""
    images = [what for what, _ in now.wanted if what.startswith("the image of ")]
    for chainlet in (what.removeprefix("the image of ") for what in images):
        before = planned.inputs.image(chainlet)
        for one in differences(before, now.inputs.image(chainlet)) if before else ():
            yield f"{reason_text(one)}, in the image of {chainlet}"


def _unequal(planned: tuple[tuple[str, str], ...], now: tuple[tuple[str, str], ...]) -> Iterator[str]:
    before, after = dict(planned), dict(now)
    for what in [*before, *(what for what in after if what not in before)]:
        then, today = before.get(what, _NOTHING), after.get(what, _NOTHING)
        if then != today:
            yield _told(what, today, then)


def _told(what: str, now: str, planned: str) -> str:
    return f"{what} is {now} now, and was {planned} when it was planned"
