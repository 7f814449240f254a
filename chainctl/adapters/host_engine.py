"""An engine's address and a deadline in; what it says of itself, or why it says nothing, out in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress
from chainctl.adapters.docker.engine_info import EngineInfo
from chainctl.adapters.host import existing_sockets, path_facts
from chainctl.adapters.host_facts import EngineFacts, EngineSilence, PathFacts, Unreachable
from chainctl.errors import EngineError

T = TypeVar("T")
_SHORTEST_WAIT_SEC = 0.05


class Deadline:
    """A moment that several questions share. `seconds` is how far off it is now."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    @property
    def left_sec(self) -> float:
        return max(_SHORTEST_WAIT_SEC, self._end - self._clock())

    def answer(self, question: Callable[[], T]) -> T:
        """Ask, and wait until the deadline at most. Raises TimeoutError, and what the question raises."""
        return started(question).result(self.left_sec)


def started(question: Callable[[], T]) -> Future[T]:
    """Ask in a thread that nobody has to wait for: a hanging engine must not keep the process."""
    future: Future[T] = Future()

    def ask() -> None:
        try:
            future.set_result(question())
        except Exception as error:  # noqa: BLE001  # raised again where the answer is awaited
            future.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    return future


def engine_facts(
    address: EngineAddress, images: Sequence[str], deadline: Deadline, other_sockets: Iterable[Path] = ()
) -> EngineFacts | EngineSilence:
    """Ask an engine what it is and which of the images it has."""
    try:
        engine = deadline.answer(lambda: Engine.connect(address))
        info = deadline.answer(engine.info)
        there = deadline.answer(lambda: tuple((name, has_image(engine, name)) for name in images))
    except TimeoutError:
        late = f"The engine {address.url} did not answer in {deadline.seconds:g} s"
        return EngineSilence(Unreachable.TOO_LATE, late)
    except EngineError as error:
        return EngineSilence(_reason(error), error.message, error.hint, existing_sockets(other_sockets))
    return EngineFacts(info, there, _disk(address, info))


def has_image(engine: Engine, name: str) -> bool:
    """Say whether an engine has an image. Raises EngineError."""
    from docker.errors import NotFound

    with engine.client() as client, engine.errors(f"inspect the image {name}"):
        try:
            client.inspect_image(name)  # type: ignore[no-untyped-call]  # so in types-docker
        except NotFound:
            return False
        return True


def is_on_this_machine(address: EngineAddress) -> bool:
    """Say whether an engine is behind a local socket; it may still be in a virtual machine."""
    return address.url.startswith("unix://")


def _reason(error: EngineError) -> Unreachable:
    match error.__cause__:
        case PermissionError():
            return Unreachable.NO_PERMISSION
        case FileNotFoundError() | ConnectionRefusedError():
            return Unreachable.NOT_RUNNING
    return Unreachable.OTHER


def _disk(address: EngineAddress, info: EngineInfo) -> PathFacts | None:
    facts = path_facts(Path(info.root_dir)) if is_on_this_machine(address) and info.root_dir else None
    return facts if facts and facts.is_directory else None
