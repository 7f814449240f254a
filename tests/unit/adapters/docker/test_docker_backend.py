"""The backend against a scripted engine: what it asks for, and how it takes refusals and losses."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from chainctl.adapters.docker.builder import DockerBuildBackend
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress
from chainctl.build.context import BuildContext, ContextFile, ImageRef
from chainctl.build.plan import ImagePlan
from chainctl.errors import BuildError, ChainctlError, EngineError
from chainctl.events import BuildLogged, BuildStepped, Event, Notice

REF = ImageRef("chain/hello", "abc")
CONTEXT = BuildContext.of([ContextFile.of_text("Dockerfile", "FROM base:1\n")])
IMAGE = ImagePlan("Hello", REF, CONTEXT, "base:1")
BUILT = b'{"stream": "Step 1/1 : FROM base:1"}\n{"aux": {"ID": "sha256:1"}}\n'
REFUSED = b'{"message": "buildkit is only supported with experimental mode"}'


@dataclass
class ScriptedEngine:
    """Answers builds from a script and remembers what it was asked."""

    builds: list[tuple[int, bytes]]
    images: list[str] = field(default_factory=lambda: ["base:1"])
    architecture: str = ""
    pull: tuple[int, bytes] = (404, b'{"message": "pull access denied"}')
    is_cut: bool = False
    is_stuck: bool = False
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    was_left: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        url = urlsplit(request.path)
        path = url.path.removeprefix("/v1.41")
        self.asked.append((path, {key: value[0] for key, value in parse_qs(url.query).items()}))
        if path == "/_ping":
            return self._send(request, 200, b"OK")
        if path == "/images/create":
            return self._send(request, *self.pull)
        if path == "/build":
            return self._build(request)
        if path == "/version":
            return self._send(request, 200, b'{"Os": "linux", "Arch": "amd64"}')
        name = path.removeprefix("/images/").removesuffix("/json")
        said = {"Id": "sha256:1", "message": "none", "Os": "linux", "Architecture": self.architecture}
        return self._send(request, 200 if name in self.images else 404, json.dumps(said).encode())

    def _build(self, request: BaseHTTPRequestHandler) -> None:
        while (line := request.rfile.readline()) and (size := int(line, 16)) > 0:
            request.rfile.read(size + 2)
        if not line:
            return  # whoever asked has left
        request.rfile.readline()
        status, body = self.builds.pop(0)
        self._send(request, status, body, is_ended=not self.is_cut and not self.is_stuck)
        if self.is_stuck:
            request.rfile.read(1)
            self.was_left.set()

    @staticmethod
    def _send(request: BaseHTTPRequestHandler, status: int, body: bytes, *, is_ended: bool = True) -> None:
        request.send_response(status)
        request.send_header("Api-Version", "1.41")
        request.send_header("Content-Type", "application/json")
        request.send_header("Transfer-Encoding", "chunked")
        request.send_header("Connection", "close")
        request.end_headers()
        request.wfile.write(b"%x\r\n%b\r\n" % (len(body), body))
        request.wfile.write(b"0\r\n\r\n" if is_ended else b"")

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


@pytest.fixture
def scripted() -> ScriptedEngine:
    """An engine that builds three images and refuses nothing."""
    return ScriptedEngine(builds=[(200, BUILT)] * 3)


@pytest.fixture
def engine(scripted: ScriptedEngine) -> Iterator[Engine]:
    """A connection to the scripted engine, over real HTTP."""

    class Request(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            scripted.answer(self)

        def do_POST(self) -> None:
            scripted.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Request) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield Engine.connect(EngineAddress(f"tcp://127.0.0.1:{server.server_address[1]}"))
        server.shutdown()


def ignore(event: Event) -> None:
    """Take an event and do nothing."""


def raised_by(backend: DockerBuildBackend) -> ChainctlError:
    with pytest.raises(ChainctlError) as caught:
        backend.build(IMAGE, ignore)
    return caught.value


def test_a_build_asks_for_all_that_was_configured(scripted: ScriptedEngine, engine: Engine) -> None:
    """One look at the base, then one build; no pull."""
    backend = DockerBuildBackend(
        engine, network="host", build_args={"A": "1"}, labels={"chainctl.chain": "c"}
    )
    backend.build(IMAGE, ignore)
    assert scripted.paths() == ["/_ping", "/images/base:1/json", "/build"]
    assert scripted.asked[-1][1] == {
        "t": "chain/hello:abc",
        "version": "2",
        "rm": "1",
        "forcerm": "1",
        "buildargs": '{"A": "1"}',
        "labels": '{"chainctl.chain": "c"}',
        "networkmode": "host",
    }


def test_labels_of_an_image_go_with_its_build(scripted: ScriptedEngine, engine: Engine) -> None:
    """Beside those of the backend, and not by the Dockerfile."""
    backend = DockerBuildBackend(engine, labels={"a": "1"})
    backend.build(replace(IMAGE, labels=(("b", "2"),)), ignore)
    assert scripted.asked[-1][1]["labels"] == '{"a": "1", "b": "2"}'


def test_a_base_with_the_locked_id_is_built_on(scripted: ScriptedEngine, engine: Engine) -> None:
    """It is looked at once, and nothing is pulled."""
    DockerBuildBackend(engine).build(replace(IMAGE, base_id="sha256:1"), ignore)
    assert scripted.paths() == ["/_ping", "/images/base:1/json", "/build"]


def test_a_base_with_another_id_than_the_locked_one_is_not_built_on(
    scripted: ScriptedEngine, engine: Engine
) -> None:
    """Both ids are told, and nothing was built."""
    with pytest.raises(BuildError) as caught:
        DockerBuildBackend(engine).build(replace(IMAGE, base_id="sha256:2"), ignore)
    assert "base:1 on the engine is not the image that chainctl.lock pins" in caught.value.message
    assert caught.value.details == ("locked: sha256:2", "found:  sha256:1")
    assert "chainctl lock" in caught.value.hint
    assert scripted.paths() == ["/_ping", "/images/base:1/json"]


def test_the_builder_can_be_chosen(scripted: ScriptedEngine, engine: Engine) -> None:
    """Where the user says classic, BuildKit is not even tried."""
    DockerBuildBackend(engine, use_buildkit=False).build(IMAGE, ignore)
    assert scripted.asked[-1][1]["version"] == "1"


def test_a_refusal_of_buildkit_is_told_once(scripted: ScriptedEngine, engine: Engine) -> None:
    """The classic builder takes over, and is asked first from then on."""
    scripted.builds[:] = [(400, REFUSED), (200, BUILT), (200, BUILT)]
    backend, events = DockerBuildBackend(engine), list[Event]()
    backend.build(IMAGE, events.append)
    backend.build(IMAGE, events.append)
    builds = [query["version"] for path, query in scripted.asked if path == "/build"]
    assert builds == ["2", "1", "1"]
    assert len([event for event in events if isinstance(event, Notice)]) == 1


def test_a_refusal_stands_where_buildkit_was_demanded(scripted: ScriptedEngine, engine: Engine) -> None:
    """No silent fallback against the user's word."""
    scripted.builds[:] = [(400, REFUSED)]
    error = raised_by(DockerBuildBackend(engine, use_buildkit=True))
    assert isinstance(error, BuildError)
    assert "experimental mode" in error.message


@pytest.mark.parametrize("is_cut", [True, False])
def test_a_lost_engine_says_to_push_again(scripted: ScriptedEngine, engine: Engine, is_cut: bool) -> None:
    """A connection that breaks and a stream that ends without a result are the same loss."""
    scripted.builds[:] = [(200, b'{"stream": "Step 1/1 : FROM base:1"}\n')]
    scripted.is_cut = is_cut
    error = raised_by(DockerBuildBackend(engine))
    assert isinstance(error, EngineError)
    assert error.hint == "push again: finished images are kept"


def test_a_missing_base_is_pulled_first(scripted: ScriptedEngine, engine: Engine) -> None:
    """Through the engine's own pull, which can log in where BuildKit can not."""
    scripted.images, scripted.pull = [], (200, b'{"status": "Pull complete"}\n')
    events = list[Event]()
    DockerBuildBackend(engine).build(IMAGE, events.append)
    assert events[0] == BuildStepped("Hello", "pull base:1")
    assert scripted.paths()[1:] == ["/images/base:1/json", "/images/create", "/images/base:1/json", "/build"]
    assert scripted.asked[-3][1] == {"tag": "1", "fromImage": "base"}


@pytest.mark.parametrize(
    "pull",
    [
        (404, b'{"message": "pull access denied for base"}'),
        (200, b'{"status": "x"}\n{"errorDetail": {"message": "no"}, "error": "denied"}\n'),
    ],
)
def test_a_base_that_can_not_be_pulled_is_named(
    scripted: ScriptedEngine, engine: Engine, pull: tuple[int, bytes]
) -> None:
    """Whether the engine refuses at once or in the stream; nothing is built."""
    scripted.images, scripted.pull = [], pull
    error = raised_by(DockerBuildBackend(engine))
    assert isinstance(error, BuildError)
    assert error.step == "FROM base:1"
    assert "denied" in error.details[0]
    assert "/build" not in scripted.paths()


def test_existing_asks_for_each_image_alone(scripted: ScriptedEngine, engine: Engine) -> None:
    """Never for a list of all: that takes an engine long that has many."""
    scripted.images = ["chain/hello:abc", "chain/hello:other"]
    backend, missing = DockerBuildBackend(engine), ImageRef("chain/bye", "abc")
    assert backend.existing([]) == frozenset()
    assert backend.existing(iter([REF, missing])) == frozenset({REF})
    assert scripted.paths() == ["/_ping", "/images/chain/hello:abc/json", "/images/chain/bye:abc/json"]


def test_an_interrupt_leaves_the_engine_at_once(scripted: ScriptedEngine, engine: Engine) -> None:
    """Ctrl-C while the build runs closes the connection, so that the engine gives it up."""
    scripted.builds[:] = [(200, b'{"stream": "Step 1/1 : RUN x"}\n{"stream": "out\\n"}\n')]
    scripted.is_stuck = True

    def interrupt(event: Event) -> None:
        if isinstance(event, BuildLogged):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        DockerBuildBackend(engine).build(IMAGE, interrupt)
    assert scripted.was_left.wait(10)


def test_cancel_ends_builds_in_other_threads(scripted: ScriptedEngine, engine: Engine) -> None:
    """Ctrl-C reaches only the main thread; it cuts off those that wait for the engine."""
    scripted.builds[:] = [(200, b'{"stream": "Step 1/1 : RUN x"}\n{"stream": "out\\n"}\n')]
    scripted.is_stuck = True
    backend, runs = DockerBuildBackend(engine), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        build = pool.submit(backend.build, IMAGE, lambda event: runs.set())
        assert runs.wait(10)
        backend.cancel()
        assert isinstance(build.exception(10), EngineError)
    assert scripted.was_left.wait(10)


def test_a_cancelled_backend_builds_nothing_more(scripted: ScriptedEngine, engine: Engine) -> None:
    """A build that was about to start in another thread is cut off as well."""
    scripted.is_stuck = True
    backend = DockerBuildBackend(engine)
    backend.cancel()
    assert isinstance(raised_by(backend), EngineError)


def test_a_file_that_changed_stops_the_upload(
    scripted: ScriptedEngine, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The error is the file's, not the connection's that was broken off for it."""
    source = tmp_path_factory.mktemp("data") / "m.bin"
    source.write_text("now")
    changed = BuildContext.of([*CONTEXT.files, ContextFile("m.bin", "0" * 64, source)])
    with pytest.raises(BuildError, match=r"m\.bin changed"):
        DockerBuildBackend(engine).build(ImagePlan("Hello", REF, changed, "base:1"), ignore)


ARM = replace(IMAGE, platform="linux/arm64")


def test_a_platform_is_asked_for(scripted: ScriptedEngine, engine: Engine) -> None:
    """Of the build, when the base is of it; nothing is pulled then."""
    scripted.architecture = "arm64"
    DockerBuildBackend(engine).build(ARM, lambda _: None)
    path, query = scripted.asked[-1]
    assert (path, query["platform"]) == ("/build", "linux/arm64")
    assert "/images/create" not in [path for path, _ in scripted.asked]


def test_the_engines_own_platform_is_not_asked_for(scripted: ScriptedEngine, engine: Engine) -> None:
    """So that engines before platforms build as ever."""
    scripted.architecture = "amd64"
    DockerBuildBackend(engine).build(IMAGE, lambda _: None)
    assert "platform" not in scripted.asked[-1][1]


@pytest.mark.parametrize("image", [IMAGE, ARM], ids=["own", "foreign"])
def test_a_base_of_another_platform_is_told(
    scripted: ScriptedEngine, engine: Engine, image: ImagePlan
) -> None:
    """It is pulled for the right one, and where no registry has that, both are named."""
    there, wanted = ("amd64", "arm64") if image.platform else ("arm64", "amd64")
    scripted.architecture = there
    with pytest.raises(BuildError) as caught:
        DockerBuildBackend(engine).build(image, lambda _: None)
    assert f"base:1 is for linux/{there}, and the image is to be for linux/{wanted}" in caught.value.message
    assert caught.value.details == ("pull access denied",)
    assert f"`docker pull --platform linux/{wanted} base:1`" in caught.value.hint
    path, query = scripted.asked[-1]
    assert (path, query.get("platform")) == ("/images/create", image.platform or None)


def test_a_base_that_stays_of_another_platform_is_told(scripted: ScriptedEngine, engine: Engine) -> None:
    """The registry had it for one platform alone."""
    scripted.architecture, scripted.pull = "amd64", (200, b'{"status": "Pull complete"}\n')
    with pytest.raises(BuildError, match=r"is for linux/amd64, and the image is to be for linux/arm64"):
        DockerBuildBackend(engine).build(ARM, lambda _: None)
