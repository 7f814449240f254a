"""Images of a real engine in real registries on loopback: by digest, once, with and without a login."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from chainctl.adapters.docker.builder import DockerBuildBackend
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress, docker_config_dir
from chainctl.adapters.docker.registry import DockerRegistry
from chainctl.build.context import BuildContext, ContextFile, ImageRef
from chainctl.build.plan import ImagePlan
from chainctl.build.registry import RegistryAddress
from chainctl.errors import RegistryError
from tests.docker.registry_server import PASSWORD, RegistryServer, docker_config, free_port, serving

pytestmark = pytest.mark.docker
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The engine that the environment names."""
    return Engine.connect(EngineAddress.resolve(os.environ, docker_config_dir(os.environ, Path.home())))


@pytest.fixture(scope="module")
def image(engine: Engine) -> Iterator[ImageRef]:
    """A small image of our own; it goes in the end, with every name that a test gave it."""
    mark = uuid.uuid4().hex[:12]
    text = f"FROM scratch\nCOPY Dockerfile /\nLABEL chainctl.test={mark}\n"
    context = BuildContext.of([ContextFile.of_text("Dockerfile", text)])
    ref = ImageRef(f"registry-{mark}/hello", context.digest[:16])
    DockerBuildBackend(engine, use_buildkit=True).build(
        ImagePlan("Hello", ref, context, "scratch"), lambda _: None
    )
    yield ref
    with engine.client() as client:
        for found in client.images(filters={"label": f"chainctl.test={mark}"}):
            client.remove_image(found["Id"], force=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RegistryServer]:
    """A registry that anybody may use."""
    with serving(tmp_path) as found:
        yield found


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RegistryServer]:
    """A registry that one user may use."""
    with serving(tmp_path, has_auth=True) as found:
        yield found


def registry(engine: Engine, host: str, config_dir: Path, prefix: str = "models") -> DockerRegistry:
    return DockerRegistry(engine, RegistryAddress(host, prefix), config_dir)


def refused(engine: Engine, image: ImageRef, host: str, config_dir: Path) -> RegistryError:
    """Return why a push fails; whatever it is, no password is in it."""
    with pytest.raises(RegistryError) as caught:
        registry(engine, host, config_dir).publish(image)
    error = caught.value
    assert PASSWORD not in "".join((error.message, error.hint, *error.details))
    return error


def test_an_image_is_published_by_digest_and_once(
    engine: Engine, image: ImageRef, server: RegistryServer, tmp_path: Path
) -> None:
    """The registry says the digest; the same name is not sent again."""
    there = registry(engine, server.host, tmp_path / "none")
    first = there.publish(image)
    name, _, digest = first.image.partition("@")
    assert name == f"{server.host}/models/{image.repository}"
    assert DIGEST.fullmatch(digest)
    assert first.was_there is False
    blobs = server.blobs()
    assert blobs > 0
    again = there.publish(image)
    assert (again.image, again.was_there, server.blobs()) == (first.image, True, blobs)


def test_an_image_is_found_without_sending_it(
    engine: Engine, image: ImageRef, server: RegistryServer, tmp_path: Path
) -> None:
    """Nothing where it is not, and then what publishing it said."""
    there = registry(engine, server.host, tmp_path / "none")
    assert there.find(image) is None
    assert server.blobs() == 0
    assert there.publish(image).image == there.find(image)


def test_what_is_named_by_digest_can_be_pulled(
    engine: Engine, image: ImageRef, server: RegistryServer, tmp_path: Path
) -> None:
    """What a release records is enough to find the image again."""
    published = registry(engine, server.host, tmp_path / "none").publish(image)
    with engine.client() as client:
        client.pull(published.image)
        assert client.inspect_image(published.image)["Id"] == client.inspect_image(str(image))["Id"]  # type: ignore[no-untyped-call]  # so in types-docker


def test_a_login_is_used(engine: Engine, image: ImageRef, guarded: RegistryServer, tmp_path: Path) -> None:
    """What `docker login` stored opens the registry."""
    config = docker_config(tmp_path / "docker", guarded.host)
    assert DIGEST.search(registry(engine, guarded.host, config).publish(image).image)


def test_a_credential_helper_is_asked(
    engine: Engine, image: ImageRef, guarded: RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the `docker` command does; one that fails is named, and what it said is not repeated."""
    helper = tmp_path / "docker-credential-test"
    helper.write_text(f'#!/bin/sh\necho \'{{"Username": "ada", "Secret": "{PASSWORD}"}}\'\n')
    helper.chmod(0o755)
    config = tmp_path / "docker"
    config.mkdir()
    (config / "config.json").write_text(f'{{"credHelpers": {{"{guarded.host}": "test"}}}}')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert registry(engine, guarded.host, config).publish(image).image
    helper.write_text(f"#!/bin/sh\necho '{PASSWORD}'; exit 1\n")
    assert "The credential helper that" in refused(engine, image, guarded.host, config).message


def test_a_login_is_asked_for(
    engine: Engine, image: ImageRef, guarded: RegistryServer, tmp_path: Path
) -> None:
    """Without one, and with a wrong one; the hint is the command."""
    without = refused(engine, image, guarded.host, tmp_path / "none")
    assert without.message == f"The registry {guarded.host} wants credentials"
    assert f"docker login {guarded.host}" in without.hint
    config = docker_config(tmp_path / "docker", guarded.host, password=f"not the {PASSWORD}")
    assert refused(engine, image, guarded.host, config).message == (
        f"The registry {guarded.host} refuses your credentials"
    )


def test_a_registry_that_does_not_listen_is_named(engine: Engine, image: ImageRef, tmp_path: Path) -> None:
    """The engine is told apart from the registry."""
    host = f"127.0.0.1:{free_port()}"
    assert refused(engine, image, host, tmp_path).message == f"The registry {host} does not answer"


def test_a_push_that_is_denied_is_told(engine: Engine, image: ImageRef, tmp_path: Path) -> None:
    """The user is known, but may not write here."""
    with denying() as host:
        config = docker_config(tmp_path / "docker", host)
        error = refused(engine, image, host, config)
    assert error.message == f"The registry {host} does not let you push {host}/models/{image.repository}"
    assert "another prefix" in error.hint


def test_an_image_that_is_not_there_is_told(engine: Engine, server: RegistryServer, tmp_path: Path) -> None:
    """It was removed since it was built."""
    gone = ImageRef(f"registry-{uuid.uuid4().hex[:12]}/gone", "1")
    assert refused(engine, gone, server.host, tmp_path).message == f"The image {gone} is not on the engine"


class Denying(BaseHTTPRequestHandler):
    """A registry that has every layer and lets nobody name an image.

    An engine tries to send a layer five times, however plainly it is told no.
    """

    def do_GET(self) -> None:
        self._answer(200 if self.path == "/v2/" else 404)

    def do_HEAD(self) -> None:
        self._answer(200 if "/blobs/" in self.path else 404)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(403)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""

    def _answer(self, status: int) -> None:
        said = b'{"errors": [{"code": "DENIED", "message": "requested access to the resource is denied"}]}'
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said)


@contextmanager
def denying() -> Iterator[str]:
    """Serve `Denying` in a thread; yields its host."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Denying)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
