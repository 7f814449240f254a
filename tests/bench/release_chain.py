"""An edition in; the sources of three small chains, whose answers say which edition made them, out.

Each chain has three chainlets, Leaf below Middle below an entrypoint: one that answers, one that streams
and one that talks over a WebSocket. Leaf and Middle are the same for all three.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

ENTRYPOINTS = ("plain", "stream", "talk")
START_SEC = 6
_SMALL = 'compute=chains.Compute(cpu_count=1, memory="256Mi")'


class Fault(enum.StrEnum):
    """What is wrong with an edition. The words are those of the report."""

    CRASH = "`__init__` raises"
    NEVER_READY = "`__init__` does not end"
    UNHEALTHY = "`is_healthy` says no"
    BUILD = "the image can not be built"
    SECRET = "a secret has no value"
    MEMORY = "killed for its memory at start"
    CLOSED = "the port never opens"


@dataclass(frozen=True, slots=True)
class Edition:
    """What each of the three chainlets answers of itself, and what is wrong with the leaf."""

    leaf: int = 1
    middle: int = 1
    top: int = 1
    fault: Fault | None = None

    @property
    def marks(self) -> tuple[str, str, str]:
        """What an answer says: the marks of the chainlets that it passed."""
        return f"T{self.top}", f"M{self.middle}", f"L{self.leaf}"

    def edited(self, number: int) -> Edition:
        """Return the next edition; by turns the leaf, the middle, the entrypoint or all are edited."""
        match number % 4:
            case 0:
                return replace(self, leaf=number, fault=None)
            case 1:
                return replace(self, middle=number, fault=None)
            case 2:
                return replace(self, top=number, fault=None)
            case _:
                return Edition(number, number, number)

    def broken(self, number: int, fault: Fault) -> Edition:
        """Return an edition whose leaf is edited and does not work."""
        return replace(self, leaf=number, fault=fault)


def write_sources(directory: Path, edition: Edition, target: str) -> None:
    """Write all modules; a chain file is `ENTRYPOINT.py`."""
    directory.mkdir(parents=True, exist_ok=True)
    top, middle, leaf = edition.marks
    texts = {
        "leaf": _leaf(leaf, edition.fault, target),
        "middle": _MIDDLE.replace("MARK", repr(middle)),
        **{name: (_HEAD + _TOPS[name]).replace("MARK", repr(top)) for name in ENTRYPOINTS},
    }
    for name, text in texts.items():
        (directory / f"{name}.py").write_text(text.replace("SMALL", _SMALL), encoding="utf-8")


def _leaf(mark: str, fault: Fault | None, target: str) -> str:
    text = _LEAF.replace("MARK", repr(mark))
    config, code = _breaks(target)[fault] if fault else ("", "")
    return text.replace("CONFIG", f", {config}" if config else "").replace(
        "        CODE", code or "        pass"
    )


def _breaks(target: str) -> Mapping[Fault, tuple[str, str]]:
    """What breaks a leaf: an addition to its configuration, and the body of its `__init__`."""
    checks = f"chains.HealthChecks(startup_threshold_seconds={START_SEC})"
    impatient = f"options=chains.ChainletOptions(health_checks={checks})"
    image = 'docker_image=chains.DockerImage(pip_requirements=["chainctl-has-no-such-package"])'
    if target == "docker":
        image = 'build_commands=["echo the compiler is missing; exit 3"]'
    memory = "os.kill(os.getpid(), 9)" if target == "local" else "self.all = b'x' * (1 << 30)"
    return {
        Fault.CRASH: ("", '        raise RuntimeError("weights are missing")'),
        Fault.NEVER_READY: (impatient, "        threading.Event().wait()"),
        Fault.UNHEALTHY: (impatient, "        self.is_well = False"),
        Fault.BUILD: (image, ""),
        Fault.SECRET: ('assets=chains.Assets(secret_keys=["nobody_has_it"])', ""),
        Fault.MEMORY: ("", f"        {memory}"),
        Fault.CLOSED: (
            impatient,
            '        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)"])',
        ),
    }


_LEAF = """\
import os
import sys
import threading

import chainctl as chains


class Leaf(chains.ChainletBase):
    remote_config = chains.RemoteConfig(SMALLCONFIG)
    is_well = True

    def __init__(self) -> None:
        CODE

    def is_healthy(self) -> bool:
        return self.is_well

    async def run_remote(self) -> list[str]:
        return [MARK]
"""
_MIDDLE = """\
import chainctl as chains
import leaf


class Middle(chains.ChainletBase):
    remote_config = chains.RemoteConfig(SMALL)

    def __init__(self, leaf: leaf.Leaf = chains.depends(leaf.Leaf)) -> None:
        self._leaf = leaf

    async def run_remote(self) -> list[str]:
        return [MARK, *await self._leaf.run_remote()]
"""
_HEAD = """\
import asyncio
from collections.abc import AsyncIterator

import chainctl as chains
import middle


"""
_TOPS = {
    "plain": """\
@chains.mark_entrypoint
class Plain(chains.ChainletBase):
    remote_config = chains.RemoteConfig(SMALL)

    def __init__(self, middle: middle.Middle = chains.depends(middle.Middle)) -> None:
        self._middle = middle

    async def run_remote(self) -> list[str]:
        return [MARK, *await self._middle.run_remote()]
""",
    "stream": """\
@chains.mark_entrypoint
class Stream(chains.ChainletBase):
    remote_config = chains.RemoteConfig(SMALL)

    def __init__(self, middle: middle.Middle = chains.depends(middle.Middle)) -> None:
        self._middle = middle

    async def run_remote(self, items: int, pause: float) -> AsyncIterator[list[str]]:
        for _ in range(items):
            yield [MARK, *await self._middle.run_remote()]
            await asyncio.sleep(pause)
""",
    "talk": """\
@chains.mark_entrypoint
class Talk(chains.ChainletBase):
    remote_config = chains.RemoteConfig(SMALL)

    def __init__(self, middle: middle.Middle = chains.depends(middle.Middle)) -> None:
        self._middle = middle

    async def run_remote(self, websocket: chains.WebSocketProtocol) -> None:
        async for _ in websocket.iter_text():
            await websocket.send_json([MARK, *await self._middle.run_remote()])
""",
}
