"""A real engine in; chains of fake chainlets on it, called, loaded and swept away afterwards, out."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

import chainctl.server.probe
from chainctl.adapters.docker.builder import DockerBuildBackend
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress, docker_config_dir
from chainctl.adapters.docker.target import DockerTarget
from chainctl.adapters.swarm.target import SwarmTarget
from chainctl.build.context import BuildContext, ContextFile, ImageRef
from chainctl.build.plan import ImagePlan
from chainctl.deploy.execute import execute
from chainctl.deploy.operations import (
    AwaitReady,
    EnsureFrontDoor,
    EnsureNetwork,
    Operation,
    Route,
    StartService,
    StopService,
)
from chainctl.deploy.plan import DeployPlan
from chainctl.deploy.reconcile import reconcile
from chainctl.deploy.release import (
    Call,
    Fingerprint,
    FrontDoor,
    Resources,
    SecretRef,
    ServiceSpec,
    service_name,
)
from chainctl.deploy.state import DesiredState, nothing
from chainctl.errors import EngineError, MissingSecretError
from chainctl.events import Event
from tests.fakes.data import MemoryData

pytestmark = pytest.mark.docker
Found = TypeVar("Found")
MIB = 1 << 20
LIMITS = Resources(cpus=0.5, memory_bytes=96 * MIB, pids=64)
BASE = "python:3.11-slim"
DOCKERFILE = f"""\
FROM {BASE}
COPY probe.py /app/chainctl/server/probe.py
COPY shim.py /app/shim.py
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["python3", "/app/shim.py"]
"""
SHIM = '''\
"""A chainlet in a few lines of standard library; FAKE in the environment says how it fails."""
import asyncio, json, os, pathlib, signal, sys, urllib.parse

SECRETS = pathlib.Path("/run/secrets")
SICK = pathlib.Path("/tmp/sick")
TOKEN = (SECRETS / ".chainctl-token").read_text()
FAKE = os.environ.get("FAKE", "")
NAME = os.environ["CHAINCTL_SERVICE"]
busy = set()

def reply(status, value, keep=True):
    body = json.dumps(value).encode()
    close = "" if keep else "connection: close\\r\\n"
    head = f"HTTP/1.1 {status} X\\r\\ncontent-type: application/json\\r\\n{close}"
    return f"{head}content-length: {len(body)}\\r\\n\\r\\n".encode() + body

def describe(path):
    if path == "/secrets":
        return {p.name: [p.read_text(), oct(p.stat().st_mode), p.stat().st_uid] for p in SECRETS.iterdir()}
    return dict(os.environ)

async def stream(writer, count):
    writer.write(b"HTTP/1.1 200 X\\r\\ntransfer-encoding: chunked\\r\\n\\r\\n")
    for number in range(count):
        writer.write(b"%x\\r\\n%s\\r\\n" % (len(str(number)) + 1, f"{number} ".encode()))
        await writer.drain()
        await asyncio.sleep(0.1)
    writer.write(b"0\\r\\n\\r\\n")

async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\\r\\n\\r\\n")).decode("latin-1").split("\\r\\n")
            method, target, _ = head[0].split(" ")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            url = urllib.parse.urlsplit(target)
            busy.add(writer)
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            if url.path in ("/healthz", "/readyz"):
                is_ready = url.path == "/healthz" or not (FAKE == "unready" or SICK.exists())
                writer.write(reply(200 if is_ready else 503, {"status": "ok" if is_ready else "loading"}))
            elif headers.get("x-chainctl-token") != TOKEN:
                writer.write(reply(401, {"error": {"kind": "unauthorized", "message": "no token"}}))
            elif url.path == "/-/load":
                writer.write(reply(200, {"under_way": len(busy), "waiting": 2, "awaited": {"other": 1}}))
            elif url.path.startswith("/-/"):
                is_there = url.path != "/-/missing"
                writer.write(reply(200 if is_there else 404, {"service": NAME, "path": target}))
            elif url.path == "/stream":
                await stream(writer, int(url.query))
            elif url.path == "/run_remote":
                if body[:4] == b"log ":
                    print(body[4:].decode(), flush=True)
                writer.write(reply(200, {"service": NAME, "size": len(body), "headers": headers}))
            else:
                writer.write(reply(200, describe(url.path)))
            await writer.drain()
            busy.discard(writer)
            if headers.get("connection") == "close":
                return
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        busy.discard(writer)
        writer.close()

async def main():
    # All on one stream: the engine does not promise the order of lines of two.
    if FAKE != "quiet":
        print("starting", NAME, file=sys.stderr, flush=True)
    if FAKE == "crash":
        print("Traceback: no model here", file=sys.stderr, flush=True)
        sys.exit(3)
    if FAKE == "oom":
        hog = [bytearray(8 << 20) for _ in range(1000)]
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    server = await asyncio.start_server(serve, "0.0.0.0", 8080)
    await over.wait()
    server.close()
    while busy:
        await asyncio.sleep(0.05)

asyncio.run(main())
'''


@dataclass(frozen=True)
class FakeVault:
    """Gives values that are easy to look for; `fails` names secrets that are missing."""

    chain: str
    values: dict[str, bytes] = field(default_factory=dict)

    def value(self, secret: SecretRef) -> bytes:
        if secret.name == "missing":
            raise MissingSecretError("There is no secret named missing")
        return self.values.get(secret.name, f"value-of-{secret.name}-{self.chain}".encode())

    def token(self, chain: str) -> str:
        """Return a token that needs quoting wherever it is written down."""
        return f"t'%x \"{chain}"


@dataclass(frozen=True)
class Answer:
    """What a caller gets."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Rig:
    """One chain of fake chainlets, and everything that tests do with it."""

    engine: Engine
    image: str
    chain: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:9]}")
    events: list[Event] = field(default_factory=list)
    secrets: dict[str, bytes] = field(default_factory=dict)
    data: MemoryData = field(default_factory=MemoryData)

    @property
    def vault(self) -> FakeVault:
        return FakeVault(self.chain, self.secrets)

    @property
    def target(self) -> DockerTarget | SwarmTarget:
        return DockerTarget(self.engine, self.vault, data=self.data, drain_sec=8)

    def spec(self, chainlet: str = "Hello", version: str = "1", **more: Any) -> ServiceSpec:
        fingerprint = Fingerprint(self.image, version, "0")
        spec = ServiceSpec(
            name=service_name(self.chain, chainlet, fingerprint),
            chain=self.chain,
            chainlet=chainlet,
            image=self.image,
            resources=LIMITS,
            env=(("VERSION", version),),
            secrets=(SecretRef("hf_key", "f1"),),
            calls=(Call("Other", "other-service"),),
            start_timeout_sec=20,
            fingerprint=fingerprint,
        )
        return replace(spec, **more)

    def fake(self, how: str, **more: Any) -> ServiceSpec:
        return self.spec("Broken", how, env=(("FAKE", how),), **more)

    def desired(
        self, *services: ServiceSpec, door: FrontDoor | None = None, entrypoint: str = ""
    ) -> DesiredState:
        return DesiredState(self.chain, services, entrypoint or services[-1].name, door or FrontDoor())

    def apply(self, *operations: Operation) -> None:
        for operation in operations:
            self.target.apply(operation, self.events.append)

    def push(self, desired: DesiredState) -> DeployPlan:
        plan = reconcile(desired, self.target.observe(self.chain))
        execute(plan, self.target, self.events.append, time.monotonic)
        return plan

    def down(self) -> None:
        self.push(nothing(self.chain))

    def start(self, *specs: ServiceSpec) -> None:
        self.apply(EnsureNetwork(self.chain, "test"))
        self.apply(*(StartService(spec, "test") for spec in specs))
        self.apply(*(AwaitReady(spec, "test") for spec in specs))

    def open(self, door: FrontDoor | None = None) -> str:
        self.apply(EnsureFrontDoor(self.chain, door or FrontDoor(), "test"))
        return self.url

    def route(self, spec: ServiceSpec) -> None:
        self.apply(Route(self.chain, spec.name, "test"))

    def stop(self, spec: ServiceSpec) -> None:
        self.apply(StopService(self.chain, spec.name, spec.chainlet, "test"))

    @property
    def url(self) -> str:
        door = self.target.observe(self.chain).front_door
        assert door is not None
        return door.url

    def inspect(self, name: str) -> dict[str, Any]:
        with self.engine.client() as client:
            said: dict[str, Any] = client.inspect_container(name)
            return said

    def leftovers(self) -> list[str]:
        """Name all that the engine has of the chain."""
        mine = {"label": f"chainctl.chain={self.chain}"}
        with self.engine.client() as client:
            containers = [c["Id"] for c in client.containers(all=True, filters=mine)]
            volumes = [v["Name"] for v in client.volumes(filters=mine)["Volumes"] or []]
            networks = [n["Name"] for n in client.networks(filters=mine)]
        return [*containers, *volumes, *networks]

    def sweep(self) -> None:
        """Remove everything of the chain without asking the code under test."""
        mine = {"label": f"chainctl.chain={self.chain}"}
        with self.engine.client() as client:
            for container in client.containers(all=True, filters=mine):
                client.remove_container(container["Id"], force=True, v=True)
            for volume in client.volumes(filters=mine)["Volumes"] or []:
                client.remove_volume(volume["Name"], force=True)
            for network in client.networks(filters=mine):
                client.remove_network(network["Id"])


def connected(url: str) -> http.client.HTTPConnection:
    place = urlsplit(url)
    if place.scheme == "http":
        return http.client.HTTPConnection(str(place.hostname), place.port, timeout=20)
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(str(place.hostname), place.port, timeout=20, context=trusting)


def call(
    url: str, path: str = "/run_remote", body: bytes | None = None, headers: dict[str, str] | None = None
) -> Answer:
    connection = connected(url)
    try:
        connection.request("GET" if body is None else "POST", path, body, headers or {})
        response = connection.getresponse()
        said = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, response.read(), said)
    finally:
        connection.close()


def service_at(url: str) -> str | None:
    """Return which service answers, None when none does."""
    try:
        answer = call(url)
    except (OSError, http.client.HTTPException):
        return None
    return str(answer.json["service"]) if answer.status == 200 else None


def waited_for(ask: Callable[[], Found | None], seconds: float = 20) -> Found:
    """Return the first answer that is true. Raises AssertionError when there is none in time."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not (found := ask()):
        assert time.monotonic() < deadline, "it did not come true in time"
        pause.wait(0.05)
    return found


@dataclass
class Load:
    """Callers who never let go of their connections. `seen` counts answers and what went wrong."""

    url: str
    seen: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0

    @contextmanager
    def running(self, callers: int = 6) -> Iterator[Load]:
        over = threading.Event()
        threads = [threading.Thread(target=self._call, args=(over, n)) for n in range(callers)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            over.set()
            for thread in threads:
                thread.join()

    @property
    def failures(self) -> dict[str, int]:
        return {what: count for what, count in self.seen.items() if not what.startswith("ok ")}

    def _call(self, over: threading.Event, number: int) -> None:
        connection, body = connected(self.url), b"x" * 500 * (number % 2) or None
        while not over.wait(0.002):
            begun = time.monotonic()
            self.seen[self._outcome(connection, body)] += 1
            self.slowest = max(self.slowest, time.monotonic() - begun)
        connection.close()

    def _outcome(self, connection: http.client.HTTPConnection, body: bytes | None) -> str:
        try:
            connection.request("POST" if body else "GET", "/run_remote", body)
            response = connection.getresponse()
            said = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return f"{type(error).__name__}: {error}"
        if response.status != 200:
            return f"status {response.status}: {said[:80]!r}"
        return f"ok {json.loads(said)['service']}"


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The engine that the environment names."""
    config = docker_config_dir(os.environ, Path.home())
    try:
        return Engine.connect(EngineAddress.resolve(os.environ, config))
    except EngineError as error:
        pytest.skip(f"{error.message}; see tests/engine/up")


@pytest.fixture(scope="module")
def image(engine: Engine) -> Iterator[str]:
    """The image of the fake chainlet, removed in the end."""
    with built_image(engine) as built:
        yield built


@contextmanager
def built_image(engine: Engine) -> Iterator[str]:
    """Build the image of the fake chainlet; it is removed in the end."""
    probe = Path(str(chainctl.server.probe.__file__)).read_text()
    files = {"Dockerfile": DOCKERFILE, "probe.py": probe, "shim.py": SHIM}
    context = BuildContext.of([ContextFile.of_text(path, text) for path, text in files.items()])
    ref = ImageRef("chainctl-test/fake", uuid.uuid4().hex[:12])
    DockerBuildBackend(engine).build(ImagePlan("Fake", ref, context, BASE), lambda _: None)
    yield str(ref)
    with engine.client() as client:
        client.remove_image(str(ref), force=True)


@pytest.fixture
def rig(engine: Engine, image: str) -> Iterator[Rig]:
    """A chain of its own for each test, swept in the end whatever happened."""
    rig = Rig(engine, image)
    yield rig
    rig.sweep()
