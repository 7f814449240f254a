"""Operations in, processes of this machine changed out; the DeployTarget named "local"."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import assert_never

from chainctl.adapters.local.ask import ask_service, call_service
from chainctl.adapters.local.client import SupervisorClient, SupervisorGone
from chainctl.adapters.local.control import connect_control
from chainctl.adapters.local.gpus import DEVICES_NAME, local_holdings
from chainctl.adapters.local.intercept import LocalStandIns
from chainctl.adapters.local.launch import ensure_supervisor, wait_until_gone
from chainctl.adapters.local.loads import service_loads
from chainctl.adapters.local.logs import read_logs
from chainctl.adapters.local.memory import RunMemory, recall
from chainctl.adapters.local.observation import observed
from chainctl.adapters.local.orphans import kill_processes_of
from chainctl.adapters.local.paths import MEMORY_NAME, LocalPaths, RunPaths
from chainctl.adapters.local.private_directory import private_directory
from chainctl.adapters.local.process_env import inherited_env
from chainctl.adapters.local.protocol import (
    CloseDoor,
    Counted,
    CountHeld,
    CountTraffic,
    Held,
    SetRoute,
    Shutdown,
    Verb,
)
from chainctl.adapters.local.readiness import await_ready
from chainctl.adapters.local.requests import door_request, split_request, start_request, stop_request
from chainctl.adapters.local.staging import Staging
from chainctl.adapters.nvidia_smi import smi_devices, visible_devices
from chainctl.deploy.canary import Traffic
from chainctl.deploy.devices import HostDevices
from chainctl.deploy.load import Loads
from chainctl.deploy.operations import (
    AwaitReady,
    EnsureFrontDoor,
    EnsureNetwork,
    Operation,
    PassGates,
    RemoveFrontDoor,
    RemoveNetwork,
    Route,
    SplitRoute,
    StartService,
    StopService,
    TurnCallers,
)
from chainctl.deploy.release import ServiceSpec, replica_name, replica_of
from chainctl.deploy.replication import as_replica
from chainctl.deploy.state import Capacity, ObservedState
from chainctl.deploy.target import Control, DataSource, LogLine, Vault
from chainctl.errors import EngineError
from chainctl.events import Emit, Notice


class LocalTarget:
    """Runs chains as processes of this machine, one supervisor each.

    `python` runs the services, `drain_sec` is how long a service may finish its requests,
    `patience_sec` how long beyond that a supervisor may take to answer, `inherited` the
    environment of the caller, of which a few variables are passed on; `staging` tells what is
    special about a run when something is started.
    Memory limits are not enforced here.
    """

    def __init__(
        self,
        paths: LocalPaths,
        vault: Vault,
        *,
        data: DataSource,
        python: str = sys.executable,
        drain_sec: float = 30.0,
        patience_sec: float = 20.0,
        inherited: Mapping[str, str],
        staging: Callable[[], Staging] = Staging,
    ) -> None:
        self._paths = paths
        self._vault = vault
        self._data = data
        self._python = python
        self._drain_sec = drain_sec
        self._patience_sec = patience_sec
        self._inherited = inherited
        self._staging = staging
        self._told: set[str] = set()
        self._supervised: set[str] = set()

    @property
    def name(self) -> str:
        return "local"

    @property
    def pulls(self) -> bool:
        return False

    def chains(self) -> list[str]:
        found = (self._paths.root / "chains").glob(f"*/{MEMORY_NAME}")
        memories = (recall(path) for path in found)
        return sorted(memory.chain for memory in memories if memory is not None)

    def observe(self, chain: str) -> ObservedState:
        run = self._paths.run(chain)
        try:
            seen = observed(chain, SupervisorClient(run).memory(), is_supervised=True)
            self._supervised.add(chain)
            return seen
        except SupervisorGone:
            self._supervised.discard(chain)
            return observed(chain, recall(run.memory), is_supervised=False)

    def gpus(self) -> HostDevices | None:
        """Return what nvidia-smi and the supervisors of all chains say; other processes are not known."""
        found = smi_devices(self._inherited.get("PATH"))
        if found is None:
            return None
        devices = visible_devices(found, self._inherited.get(DEVICES_NAME))
        runs = (self._remembered(self._paths.run(chain)) for chain in self.chains())
        return HostDevices(devices, tuple(local_holdings(run for run in runs if run is not None)))

    def _remembered(self, run: RunPaths) -> tuple[RunMemory, bool] | None:
        """Return what is known of a chain, and whether its supervisor lives."""
        try:
            return SupervisorClient(run).memory(), True
        except SupervisorGone:
            memory = recall(run.memory)
            return None if memory is None else (memory, False)

    def apply(self, operation: Operation, emit: Emit) -> None:
        """Make it so; what happens is told by the executor, so little is emitted here."""
        match operation:
            case EnsureNetwork(chain=chain):
                self._ensure_supervisor(self._paths.run(chain))
            case StartService(service=service_spec, replica=replica, devices=devices):
                spec = as_replica(service_spec, replica)
                self._share(self._paths.run(spec.chain), emit)
                data = {one.name: self._data.get(one) for one in spec.data}
                request = start_request(
                    spec,
                    self._paths,
                    self._vault,
                    self._python,
                    self._inherited,
                    data,
                    devices,
                    self._staging(),
                )
                self._ask(self._paths.run(spec.chain), request)
            case AwaitReady(service=spec, replica=replica):
                await_ready(self._paths.run(spec.chain), as_replica(spec, replica))
            case EnsureFrontDoor(chain=chain, front_door=door):
                self._ask(self._paths.run(chain), door_request(chain, door, self._vault))
            case Route(chain=chain, service=service, replicas=replicas):
                self._ask(self._paths.run(chain), SetRoute(name=service, replicas=replicas))
            case SplitRoute(chain=chain):
                self._ask(self._paths.run(chain), split_request(operation))
            case StopService(chain=chain):
                self._undo(self._paths.run(chain), stop_request(operation, self._drain_sec))
            case RemoveFrontDoor(chain=chain):
                self._undo(self._paths.run(chain), CloseDoor())
            case RemoveNetwork(chain=chain):
                self._remove(self._paths.run(chain))
            case PassGates() | TurnCallers():
                return
            case _:
                assert_never(operation)

    def require_places(self, services: Sequence[ServiceSpec]) -> tuple[str, ...]:
        """Check nothing: there is one machine, which holds no process to its room."""
        return ()

    def capacity(self) -> Capacity:
        """All memory of this machine; how many GPUs it has is not looked for."""
        return Capacity(memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))

    def traffic(self, chain: str) -> Mapping[str, Traffic]:
        answer = SupervisorClient(self._paths.run(chain)).ask(CountTraffic())
        assert isinstance(answer, Counted)
        return answer.services

    def invoke(self, chain: str, service: str, body: bytes, timeout_sec: float) -> tuple[int, bytes]:
        """Call over the service's socket, which only we can open."""
        socket = self._paths.run(chain).socket_of(service)
        return call_service(socket, service, body, self._vault.token(chain), timeout_sec)

    def connect(self, chain: str) -> None:
        """Return nothing: a front door of this machine is reached at its URL."""

    def ask(self, chain: str, service: str, path: str) -> bytes:
        """Ask over the service's socket, which only we can open."""
        socket = self._paths.run(chain).socket_of(service)
        return ask_service(socket, service, path, self._vault.token(chain))

    def loads(self, chain: str, services: Sequence[str], within_sec: float = 0.0) -> Loads:
        """Ask every replica over its socket, and the supervisor for what the door holds."""
        run = self._paths.run(chain)
        client = SupervisorClient(run)
        try:
            memory = client.memory()
            asked = CountHeld(within_sec=within_sec)
            alive = [one.name for one in memory.services if one.is_alive]
            known = {replica_of(one.name)[0] for one in memory.services}
            known |= {replica_of(one.name)[0] for one in memory.retired}
            replicas = [name for name in alive if replica_of(name)[0] in services]
            found = service_loads(run, replicas, known, self._vault.token(chain))
            answer = client.ask(asked, within_sec=within_sec + self._patience_sec)
        except SupervisorGone:
            return Loads()
        assert isinstance(answer, Held)
        return Loads(found, answer.count)

    def control(self, chain: str, service: str, replica: int = 1) -> Control:
        name = replica_name(service, replica)
        return connect_control(self._paths.run(chain).control_of(name), name)

    def stand_ins(self) -> LocalStandIns:
        """Return what starts processes that stand in for services."""
        return LocalStandIns(self._paths, self._python, self._inherited)

    def logs(
        self,
        chain: str,
        *,
        chainlets: Sequence[str] = (),
        since: float | None = None,
        tail: int | None = None,
        follow: bool = False,
    ) -> Iterator[LogLine]:
        run = self._paths.run(chain)
        return read_logs(run, chainlets=chainlets, since=since, tail=tail, follow=follow)

    def _ensure_supervisor(self, run: RunPaths) -> None:
        environ = inherited_env(self._inherited)
        ensure_supervisor(run, drain_sec=self._drain_sec, environ=environ)

    def _ask(self, run: RunPaths, request: Verb) -> None:
        """Ask the supervisor; when none runs, start one and ask that.

        One that was there and is gone is not replaced: it took all services along, and whoever has seen
        them would go on as if they ran. Raises SupervisorGone then.
        """
        if run.chain not in self._supervised:
            self._ensure_supervisor(run)
            self._supervised.add(run.chain)
        SupervisorClient(run).ask(request, within_sec=self._drain_sec + self._patience_sec)

    def _share(self, run: RunPaths, emit: Emit) -> None:
        """Make the directory through which services share memory; they run without one as well."""
        if run.shared is None:
            return
        try:
            private_directory(run.shared.parent)
            private_directory(run.shared)
        except (EngineError, OSError) as error:
            if run.chain not in self._told:
                emit(Notice(f"The services of {run.chain} run without shared memory: {error}"))
            self._told.add(run.chain)

    def _undo(self, run: RunPaths, request: Verb) -> None:
        """Ask for something to go, unless nothing is left of the chain; any supervisor can do that."""
        if recall(run.memory) is not None:
            self._supervised.discard(run.chain)
            self._ask(run, request)

    def _remove(self, run: RunPaths) -> None:
        """End the supervisor, by force when it hangs, and remove every file of the chain."""
        try:
            SupervisorClient(run).ask(Shutdown(), within_sec=self._drain_sec + self._patience_sec)
        except SupervisorGone:
            pass
        except EngineError:
            self._kill_supervisor(run)
        if not wait_until_gone(run, self._patience_sec):
            raise EngineError(
                f"The supervisor of {run.chain} does not end",
                hint="run the same command again",
            )
        kill_processes_of(run.runtime)
        for directory in (run.secrets, run.shared, run.runtime, run.state):
            if directory is not None:
                shutil.rmtree(directory, ignore_errors=True)

    def _kill_supervisor(self, run: RunPaths) -> None:
        pid = SupervisorClient(run).pid()
        if pid is None:
            raise EngineError(
                f"The supervisor of {run.chain} hangs", hint="end its process, then run this again"
            )
        os.kill(pid, signal.SIGKILL)
