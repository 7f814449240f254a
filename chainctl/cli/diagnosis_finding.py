"""The two values of `chainctl doctor`: the Facts that it looks at, and the Findings that it reports."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from chainctl.adapters.cluster_facts import ClusterFacts, ClusterSilence, SwarmFacts
from chainctl.adapters.host_facts import (
    EngineFacts,
    EngineSilence,
    GpuFacts,
    PathFacts,
    PortFacts,
    SecretFacts,
    SocketFacts,
)


class Status(enum.StrEnum):
    """How a check ended. A warning stops nothing; what was skipped could not, or need not, be looked at."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was found, and the command or setting that mends it, "" where nothing need be."""

    check: str
    status: Status
    found: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class SettingsFacts:
    """The sources of settings with the keys that each decides. `error` and `hint` tell of a wrong one.

    `unknown_variables` are named like settings, but are none.
    """

    sources: tuple[tuple[str, tuple[str, ...]], ...] = ()
    unknown_variables: tuple[str, ...] = ()
    error: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class RecordedChains:
    """The chains that one target's ledger knows, and which run; None when the target could not say.

    `error` and `hint` tell of a state that can not be read.
    """

    target: str
    recorded: tuple[str, ...]
    running: tuple[str, ...] | None
    error: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is looked at. `engine` is None when the target is local, so that none was asked.

    `target` is a kind of target. `address` is the engine's URL and who named it; with `is_engine_chosen` no other
    one will do. `base_image` and `door_image` are the names of the images that a push needs. `cluster` is what a
    swarm or a Kubernetes cluster says, None where neither was asked.
    """

    target: str
    builder: str
    python: str
    chainctl: str
    settings: SettingsFacts
    secrets: SecretFacts
    address: str
    is_engine_here: bool
    engine: EngineFacts | EngineSilence | None
    base_image: str
    door_image: str
    gpus: GpuFacts
    port: PortFacts
    state: PathFacts
    sockets: SocketFacts
    chains: tuple[RecordedChains, ...]
    cluster: SwarmFacts | ClusterFacts | ClusterSilence | None = None
    has_registry: bool = False
    is_engine_chosen: bool = False

    @property
    def is_engine_needed(self) -> bool:
        """Say whether chains can run on nothing but the engine; a cluster needs one only to have images built."""
        return self.target in ("docker", "swarm") or (self.target == "auto" and self.is_engine_chosen)
