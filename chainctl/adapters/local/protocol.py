"""A line of JSON in, a request to the supervisor or its answer out, checked on both sides."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from chainctl.adapters.local.memory import RunMemory
from chainctl.deploy.canary import Traffic
from chainctl.deploy.release import Fingerprint
from chainctl.deploy.state import ServiceStatus

LINE_LIMIT = 16 * 1024 * 1024


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Started(_Message):
    name: str
    chainlet: str
    image: str
    fingerprint: Fingerprint
    secrets_digest: str = ""
    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str] = Field(repr=False)
    secrets: dict[str, Base64Bytes] = Field(repr=False)
    token: str = Field(repr=False)


class Start(_Started):
    """Start a service. One that runs already is left alone, a stopped one is replaced."""

    verb: Literal["start"] = "start"


class StandIn(_Started):
    """Start what stands in for a service whose chainlet runs elsewhere. It is gone when it ends."""

    verb: Literal["stand-in"] = "stand-in"
    intercepted_by: str


class Stop(_Message):
    """Drain a replica and remove it. Without `drain_sec` the time that the supervisor was started with holds.

    With `has_others` its callers are given time to turn to other replicas.
    """

    verb: Literal["stop"] = "stop"
    name: str
    drain_sec: float | None = None
    has_others: bool = False


class List(_Message):
    """Say all that there is."""

    verb: Literal["list"] = "list"


class AskReady(_Message):
    """Ask a service whether it is ready."""

    verb: Literal["ready"] = "ready"
    name: str


class OpenDoor(_Message):
    """Open the front door, or replace one that was made from other settings."""

    verb: Literal["open-door"] = "open-door"
    digest: str
    bind: str
    port: int | None
    token: str = Field(repr=False)
    api_key: Base64Bytes | None = Field(default=None, repr=False)
    tls: Base64Bytes | None = Field(default=None, repr=False)
    holds: bool = False


class CloseDoor(_Message):
    """Close the front door."""

    verb: Literal["close-door"] = "close-door"


class SetRoute(_Message):
    """Flip the front door to the first replicas of a service."""

    verb: Literal["route"] = "route"
    name: str
    replicas: int = Field(default=1, ge=1)


class SplitTraffic(_Message):
    """Give a service a part of the traffic of the one that has it; count anew."""

    verb: Literal["split"] = "split"
    name: str
    before: str
    percent: int = Field(ge=1, le=99)
    replicas: int = Field(default=1, ge=1)


class CountTraffic(_Message):
    """Say what the door counted since the traffic was split."""

    verb: Literal["traffic"] = "traffic"


class CountHeld(_Message):
    """Say how many requests the door holds, as soon as there are some or the time is up."""

    verb: Literal["held"] = "held"
    within_sec: float = Field(default=0.0, ge=0)


class Shutdown(_Message):
    """Stop everything, then end."""

    verb: Literal["shutdown"] = "shutdown"


Verb = Annotated[
    Start
    | StandIn
    | Stop
    | List
    | AskReady
    | OpenDoor
    | CloseDoor
    | SetRoute
    | SplitTraffic
    | CountTraffic
    | CountHeld
    | Shutdown,
    Field(discriminator="verb"),
]


class Call(_Message):
    """One request line."""

    version: Literal[1] = 1
    request: Verb


class Done(_Message):
    """It is so now."""

    answer: Literal["done"] = "done"


class Listing(_Message):
    """All that there is."""

    answer: Literal["listing"] = "listing"
    memory: RunMemory


class Readiness(_Message):
    """How a service is. `body` is its last health answer."""

    answer: Literal["readiness"] = "readiness"
    is_ready: bool
    status: ServiceStatus
    exit_code: int | None = None
    body: str = ""


class Counted(_Message):
    """What the door counted, by service."""

    answer: Literal["counted"] = "counted"
    services: dict[str, Traffic]


class Held(_Message):
    """How many requests the door holds."""

    answer: Literal["held"] = "held"
    count: int


class Refused(_Message):
    """It could not be done: a DeployError on the other side."""

    answer: Literal["refused"] = "refused"
    message: str
    hint: str = ""
    details: tuple[str, ...] = ()


Answer = Annotated[Done | Listing | Readiness | Counted | Held | Refused, Field(discriminator="answer")]


class Reply(_Message):
    """One answer line."""

    version: Literal[1] = 1
    reply: Answer
