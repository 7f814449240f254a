"""What the user's settings say about where and how a chain is deployed, as a frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field

from chainctl.deploy.overrides import Override
from chainctl.deploy.release import FrontDoor

DEFAULT_START_TIMEOUT_SEC = 600.0
DEFAULT_PIDS = 2048


@dataclass(frozen=True, slots=True)
class DeploySettings:
    """`start_timeout_sec` bounds how long a chainlet may take until it is ready.

    `token_fingerprint` stands for the internal token that the services of a chain call each other
    with: services with another token could not, so a new token is a change of all of them.
    `variables` are what the settings of the environment give to all chainlets, `overrides` what is
    kept in the state: those win.
    """

    front_door: FrontDoor = field(default_factory=FrontDoor)
    start_timeout_sec: float = DEFAULT_START_TIMEOUT_SEC
    pids: int = DEFAULT_PIDS
    environment: str | None = None
    token_fingerprint: str = ""
    variables: tuple[tuple[str, str], ...] = ()
    overrides: tuple[Override, ...] = ()
