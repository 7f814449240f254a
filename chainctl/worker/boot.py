"""The place of a chainlet class and its deploy-time settings in; a Worker that is ready out."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, Protocol

from chainctl.calls.address import SERVICE_PORT
from chainctl.calls.awaited import Awaited
from chainctl.calls.buffers import Buffers
from chainctl.calls.client_loop import ClientLoop
from chainctl.calls.outside import outside_chainlet
from chainctl.calls.remote import remote_chainlet
from chainctl.calls.shared_buffers import SharedBuffers
from chainctl.calls.transport import Transport
from chainctl.errors import MissingDependencyError
from chainctl.sdk.chainlet import stand_in_type
from chainctl.sdk.config import RPCOptions
from chainctl.sdk.context import DeployedServiceDescriptor, DeploymentContext, Environment, Secrets
from chainctl.sdk.declaration import CONTEXT, Declaration, Dependency, declaration_of
from chainctl.sdk.read_secrets import READ_SECRETS
from chainctl.segments.sharing import SegmentSharing
from chainctl.telemetry.telemetry import Telemetry
from chainctl.worker.gate import Gate
from chainctl.worker.in_process import InProcessWorker
from chainctl.worker.origin import Origin
from chainctl.worker.resolvers import build

DEFAULT_LISTEN = f"tcp:0.0.0.0:{SERVICE_PORT}"
TOKEN_FILE = ".chainctl-token"  # a file's name
TOKEN_HEADER = "x-chainctl-token"  # a header's name
UNBOUNDED_SEC = 10 * 365 * 86400.0


class Gated(Protocol):
    """A worker that bounds its calls."""

    gate: Gate

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        ...


@dataclass(frozen=True)
class ChainletManifest:
    """What a service is told when it is deployed; nothing of it is in the image.

    `services` maps display names of called chainlets to URLs; `secrets_dir` holds one file a
    secret, and the internal token. `outside` has URLs of called chainlets that are not the chain's own:
    they get no token. `unbounded` is None, unless somebody debugs: then deadlines of calls that come in do
    not hold, nor the timeouts of calls to the chainlets that it names. `generation` is that of the chain's code
    in this image, where it was started anew while the chain is watched. `sleepers` are those called chainlets that
    may have no replica: calls of them are held. `zone` is the one that this replica runs in, "" where nobody says.
    """

    chain: str = ""
    service: str = ""
    services: Mapping[str, str] = ()  # type: ignore[assignment]  # an empty mapping, frozen
    secrets_dir: Path = Path("/run/secrets")
    data_dir: Optional[Path] = None
    environment: Optional[str] = None
    outside: Mapping[str, str] = field(default_factory=dict)
    unbounded: Optional[frozenset[str]] = None
    generation: int = 0
    sleepers: frozenset[str] = frozenset()
    zone: str = ""

    @classmethod
    def of(cls, environ: Mapping[str, str], data_dir: Optional[Path]) -> ChainletManifest:
        """Read it from the variables that a target sets."""
        return cls(
            chain=environ.get("CHAINCTL_CHAIN", ""),
            service=environ.get("CHAINCTL_SERVICE", ""),
            services=json.loads(environ.get("CHAINCTL_SERVICES", "{}")),
            secrets_dir=Path(environ.get("CHAINCTL_SECRETS_DIR", "/run/secrets")),
            data_dir=data_dir,
            environment=environ.get("CHAINCTL_ENVIRONMENT"),
            outside=json.loads(environ.get("CHAINCTL_OUTSIDE", "{}")),
            unbounded=_names(environ.get("CHAINCTL_UNBOUNDED")),
            generation=int(environ.get("CHAINCTL_GENERATION") or 0),
            sleepers=_names(environ.get("CHAINCTL_SLEEPERS")) or frozenset(),
            zone=environ.get("CHAINCTL_ZONE", ""),
        )

    @property
    def token(self) -> Optional[str]:
        """The chain's internal token, None where there is none."""
        path = self.secrets_dir / TOKEN_FILE
        return path.read_text().strip() if path.is_file() else None


def _names(text: Optional[str]) -> Optional[frozenset[str]]:
    return None if text is None else frozenset(json.loads(text))


def boot(
    module: str,
    qualname: str,
    manifest: ChainletManifest,
    telemetry: Optional[Telemetry] = None,
    sharing: Optional[SegmentSharing] = None,
    awaited: Optional[Awaited] = None,
) -> InProcessWorker:
    """Import the module, create the chainlet with stubs for its dependencies. Raises what user code raises.

    `awaited` counts the calls that are held for chainlets that sleep.
    """
    cls: Any = importlib.import_module(module)
    for part in qualname.split("."):
        cls = getattr(cls, part)
    buffers = Buffers() if sharing is None else SharedBuffers(sharing)
    resolver = StubResolver(manifest, buffers, telemetry, awaited)
    instance = build(cls, resolver)
    resolver.is_booting = False
    worker = InProcessWorker(declaration_of(cls), instance, buffers)
    worker.origin = Origin(module, qualname, resolver, root_of(module))
    worker.servings.committed = manifest.generation
    if telemetry is not None:
        watch(worker, telemetry)
    return worker


def root_of(module: str) -> Path:
    """Return the directory from which a module was imported: that of the chain's code."""
    path = Path(sys.modules[module].__file__ or "")
    depth = module.count(".") + (path.name == "__init__.py")
    return path.parents[depth]


def watch(worker: Gated, telemetry: Telemetry) -> None:
    """Tell of a worker's places in metrics."""
    gate = worker.gate
    telemetry.gauge("chainctl_calls_limit", "Calls that may run at once.", lambda: gate.limit)
    telemetry.gauge("chainctl_calls_in_flight", "Calls that run now.", lambda: gate.in_flight)
    telemetry.gauge("chainctl_calls_waiting", "Calls that wait for their turn.", lambda: worker.waiting)


class StubResolver:
    """Gives stand-ins that call running services.

    All services of a release start at once: a call in `__init__` waits for the one it calls.
    """

    def __init__(
        self,
        manifest: ChainletManifest,
        buffers: Buffers,
        telemetry: Optional[Telemetry] = None,
        awaited: Optional[Awaited] = None,
    ) -> None:
        self._awaited = Awaited() if awaited is None else awaited
        self.is_booting = True
        self._buffers = buffers
        self._telemetry = telemetry
        self._manifest = manifest
        self._loop = ClientLoop()
        token = manifest.token
        if token:
            READ_SECRETS.add(token)
        self._headers = {TOKEN_HEADER: token} if token else {}

    def arguments(self, cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
        declaration = declaration_of(cls)
        services = {d.argument: self._service(d) for d in declaration.dependencies}
        resolved: dict[str, Any] = {
            d.argument: self._stand_in(d.target, services[d.argument]) for d in declaration.dependencies
        }
        if declaration.wants_context:
            resolved[CONTEXT] = self._context(declaration, list(services.values()))
        return {**resolved, **given}

    def _stand_in(self, cls: type, service: DeployedServiceDescriptor) -> Any:
        if service.display_name in self._manifest.outside:
            return outside_chainlet(cls, service, self._loop, self._telemetry)
        stand_in = remote_chainlet(cls, self._transport(service), self._buffers)
        kind = stand_in_type(cls)
        return stand_in if kind is None else kind.of_dependency(cls, stand_in.run_remote)

    def _transport(self, service: DeployedServiceDescriptor) -> Transport:
        return Transport(
            service,
            self._headers,
            self._loop,
            waits_for_start=lambda: self.is_booting,
            telemetry=self._telemetry,
            sleeper=self._awaited if service.display_name in self._manifest.sleepers else None,
            zone=self._manifest.zone,
        )

    def _service(self, dependency: Dependency) -> DeployedServiceDescriptor:
        name = dependency.target.__name__
        display_name = getattr(dependency.target, "display_name", name)
        url = self._manifest.outside.get(display_name) or self._manifest.services.get(display_name)
        if url is None:
            raise MissingDependencyError(f"no service was given for `{display_name}`")
        return DeployedServiceDescriptor(
            name=name,
            display_name=display_name,
            options=self._options(dependency, display_name),
            internal_url=url,
        )

    def _options(self, dependency: Dependency, name: str) -> RPCOptions:
        """How a dependency is called; for as long as it takes where somebody debugs."""
        if name not in (self._manifest.unbounded or ()):
            return dependency.options
        return dependency.options.model_copy(update={"timeout_sec": UNBOUNDED_SEC, "hedge_after_sec": None})

    def _context(
        self, declaration: Declaration, services: list[DeployedServiceDescriptor]
    ) -> DeploymentContext:
        manifest = self._manifest
        declared = frozenset(declaration.config.assets.secret_keys)
        return DeploymentContext(
            chainlet_to_service={s.name: s for s in services},
            secrets=Secrets.in_directory(manifest.secrets_dir, declared),
            data_dir=manifest.data_dir,
            environment=Environment(name=manifest.environment) if manifest.environment else None,
        )
