"""Requests of the command line in, the services and the front door of one chain changed out."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from pathlib import Path
from typing import assert_never

from chainctl.adapters.local.front_door.flights import Backend, Switch
from chainctl.adapters.local.memory import (
    RETIRED_LIMIT,
    RememberedDoor,
    RememberedService,
    RetiredService,
    RunMemory,
    recall,
    remember,
)
from chainctl.adapters.local.protocol import (
    Answer,
    AskReady,
    CloseDoor,
    Counted,
    CountHeld,
    CountTraffic,
    Done,
    Held,
    List,
    Listing,
    OpenDoor,
    SetRoute,
    Shutdown,
    SplitTraffic,
    StandIn,
    Start,
    Stop,
    Verb,
)
from chainctl.adapters.local.supervisor.doorway import Doorway
from chainctl.adapters.local.supervisor.service import Service
from chainctl.adapters.local.supervisor.settings import RunSettings
from chainctl.deploy.canary import Traffic
from chainctl.deploy.release import replica_name, replica_of
from chainctl.deploy.state import ServiceStatus
from chainctl.errors import DeployError

_log = logging.getLogger("chainctl.supervisor")


class ChainRun:
    """One chain while its supervisor lives. What an earlier supervisor left counts as stopped."""

    def __init__(self, settings: RunSettings) -> None:
        self._run = settings.run
        self._drain_sec = settings.drain_sec
        memory = recall(self._run.memory) or RunMemory(chain=self._run.chain)
        self._gone = {s.name: _stopped(s) for s in memory.services}
        self._retired = list(memory.retired)
        self._route = memory.door.route if memory.door else None
        self._port = memory.port
        self._services: dict[str, Service] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._forgetting: set[asyncio.Task[Done]] = set()
        self._switch = Switch()
        self._doorway = Doorway(self._switch, self._run.runtime, self._drain_sec)
        self._remember()

    async def answer(self, request: Verb) -> Answer:
        """Make it so. Raises DeployError."""
        match request:
            case Start() | StandIn():
                return await self._start(request)
            case Stop():
                return await self._stop(request)
            case List():
                return Listing(memory=self._memory())
            case AskReady():
                return await self._service(request.name).readiness()
            case OpenDoor():
                return await self._open_door(request)
            case CloseDoor():
                return self._close_door()
            case SetRoute():
                return self._set_route(request.name, request.replicas)
            case SplitTraffic():
                return self._split(request)
            case CountTraffic():
                return Counted(services=self._traffic())
            case CountHeld(within_sec=within_sec):
                return Held(count=await self._switch.waiting.held(within_sec))
            case Shutdown():
                return await self.shut_down()
            case _:
                assert_never(request)

    async def shut_down(self) -> Done:
        """Close the door and stop every service, all at the same time."""
        self._doorway.close()
        await asyncio.gather(self._doorway.drain(), *(self._halt(name) for name in sorted(self._services)))
        self._remember()
        return Done()

    async def _start(self, order: Start | StandIn) -> Done:
        async with self._locks[order.name]:
            running = self._services.get(order.name)
            if running is not None and running.is_as_ordered(order):
                return Done()
            await self._halt(order.name)
            is_stand_in = isinstance(order, StandIn)
            service = Service(order, self._run, self._remember, self._stand_in_ended if is_stand_in else None)
            service.start()
            self._gone.pop(order.name, None)
            self._services[order.name] = service
            if is_stand_in:
                self._switch.intercept = service.backend
            else:
                self._restore_route(service.backend)
            self._remember()
        return Done()

    def _stand_in_ended(self, name: str) -> None:
        """Forget what only stood in for others, as soon as its own task is over."""
        task = asyncio.get_running_loop().create_task(self._stop(Stop(name=name, drain_sec=0)))
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    async def _stop(self, order: Stop) -> Done:
        name, drain_sec = order.name, order.drain_sec
        async with self._locks[name]:
            self._switch.leave(*replica_of(name))
            if order.has_others and name in self._services:
                await self._services[name].leave(self._drain_sec if drain_sec is None else drain_sec)
            if self._route == replica_of(name)[0] and self._switch.backend is None:
                self._route = None
            chainlet = self._chainlet_of(name)
            await self._halt(name, drain_sec)
            self._gone.pop(name, None)
            if chainlet is not None:
                self._retire(RetiredService(name=name, chainlet=chainlet))
            self._remember()
        return Done()

    async def _halt(self, name: str, drain_sec: float | None = None) -> None:
        service = self._services.get(name)
        if service is not None:
            await service.stop(self._drain_sec if drain_sec is None else drain_sec)
            self._gone[name] = service.remembered()
            self._services.pop(name, None)

    def _chainlet_of(self, name: str) -> str | None:
        if name in self._services:
            return self._services[name].remembered().chainlet
        return self._gone[name].chainlet if name in self._gone else None

    def _retire(self, service: RetiredService) -> None:
        """Keep the log of a stopped service for a while."""
        self._retired = [r for r in self._retired if r.name != service.name] + [service]
        for old in self._retired[:-RETIRED_LIMIT]:
            _remove_log(self._run.log_of(old.name))
        self._retired = self._retired[-RETIRED_LIMIT:]

    async def _open_door(self, order: OpenDoor) -> Done:
        async with self._locks[""]:
            await self._doorway.open(order, self._port)
            self._port = self._doorway.port
            self._remember()
        return Done()

    def _close_door(self) -> Done:
        self._doorway.close()
        self._switch.flip(None)
        self._route = None
        self._remember()
        return Done()

    def _set_route(self, name: str, replicas: int) -> Done:
        self._switch.flip(*self._backends(name, replicas))
        self._route = name
        self._remember()
        return Done()

    def _split(self, order: SplitTraffic) -> Done:
        """The route stays, so that a supervisor that comes after this one gives it all traffic."""
        backend = self._switch.backend
        if backend is None or backend.service != order.before:
            raise DeployError(
                f"{order.before} has no traffic of which {order.name} could have a part", hint="push again"
            )
        first, *others = self._backends(order.name, order.replicas)
        self._switch.split(first, order.percent, *others)
        self._remember()
        return Done()

    def _traffic(self) -> dict[str, Traffic]:
        return {
            name: Traffic(tally.begun, tally.answered, tally.failed, tally.mean_sec)
            for name, tally in sorted(self._switch.tallies.items())
        }

    def _restore_route(self, backend: Backend) -> None:
        """Lead the door to a replica that starts again, and after a new start of the supervisor to the first."""
        if self._route == backend.service and self._switch.backend is None and backend.replica == 1:
            self._switch.flip(backend)
        else:
            self._switch.renew(backend)

    def _backends(self, name: str, replicas: int) -> list[Backend]:
        """Return the first replicas of a service. Raises DeployError when one is missing."""
        return [self._service(replica_name(name, number)).backend for number in range(1, replicas + 1)]

    def _service(self, name: str) -> Service:
        if name in self._services:
            return self._services[name]
        raise DeployError(f"The service {name} is not running", hint="push again")

    def _memory(self) -> RunMemory:
        here = [service.remembered() for service in self._services.values()]
        names = {service.name for service in here}
        gone = [service for service in self._gone.values() if service.name not in names]
        return RunMemory(
            chain=self._run.chain,
            services=tuple(sorted([*here, *gone], key=lambda s: s.name)),
            door=self._door(),
            port=self._port,
            retired=tuple(self._retired),
        )

    def _door(self) -> RememberedDoor | None:
        if not self._doorway.url:
            return None
        canary = self._switch.canary
        return RememberedDoor(
            url=self._doorway.url,
            digest=self._doorway.digest,
            route=self._route,
            canary=canary.service if canary else None,
            replicas=self._switch.spread,
        )

    def _remember(self) -> None:
        try:
            remember(self._run.memory, self._memory())
        except OSError:
            _log.exception("the state file could not be written")


def _stopped(service: RememberedService) -> RememberedService:
    return service.model_copy(update={"status": ServiceStatus.STOPPED, "is_alive": False})


def _remove_log(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".1").unlink(missing_ok=True)
