"""What a front door is made with, on a real engine: keys, certificates, ports, and changes of them."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.labels import door_name, retired_door_name
from chainctl.deploy.operations import EnsureFrontDoor
from chainctl.deploy.release import FrontDoor, SecretRef
from chainctl.errors import DeployError
from tests.docker.target_rig import (
    Load,
    Rig,
    call,
    connected,
    engine,
    image,
    rig,
    service_at,
    waited_for,
)

pytestmark = pytest.mark.docker
__all__ = ["engine", "image", "rig"]
KEY = SecretRef("api_key", "f1")
TLS = SecretRef("tls", "f1")


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A certificate of the tests' own with its key."""
    place = tmp_path_factory.mktemp("tls")
    key, certificate = place / "key.pem", place / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=door"
    try:
        subprocess.run(
            [*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return certificate.read_bytes() + key.read_bytes()


@pytest.fixture(scope="module")
def plain(engine: Engine, image: str) -> Iterator[Rig]:
    """A chain that serves at a door without key or certificate; tests leave it serving."""
    rig = Rig(engine, image)
    serving(rig, FrontDoor())
    yield rig
    rig.sweep()


@pytest.fixture(scope="module")
def guarded(engine: Engine, image: str, pem: bytes) -> Iterator[Rig]:
    """A chain that serves at a door with TLS; tests leave it serving."""
    rig = Rig(engine, image, secrets={"tls": pem})
    serving(rig, FrontDoor(tls=TLS))
    yield rig
    rig.sweep()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def serving(rig: Rig, door: FrontDoor) -> str:
    spec = rig.spec()
    rig.start(spec)
    url = rig.open(door)
    rig.route(spec)
    return url


def status(url: str, **headers: str) -> int:
    return call(url, headers={name.replace("_", "-"): value for name, value in headers.items()}).status


def test_a_key_is_wanted_and_can_be_changed(rig: Rig) -> None:
    """As a bearer or in a header of its own; the same container takes another key."""
    rig.secrets["api_key"] = b"older key\n"
    door = FrontDoor(api_key=KEY)
    url = serving(rig, door)
    container = rig.inspect(door_name(rig.chain))["Id"]
    refused = call(url)
    assert (refused.status, refused.json["error"]["kind"]) == (401, "unauthorized")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert [status(url, authorization=f"Bearer {key}") for key in ("other", "", "older key x")] == [401] * 3
    assert status(url, authorization="Api-Key older") == 401
    passed = call(url, headers={"x-api-key": "older key", "authorization": "Bearer other"})
    assert passed.status == 200
    assert {"x-api-key", "authorization"}.isdisjoint(passed.json["headers"])
    with rig.engine.client() as client:
        made = client.exec_create(door_name(rig.chain), ["cat", "/usr/local/etc/haproxy/keys"])
        assert b"older" not in client.exec_start(made["Id"])
    rig.secrets["api_key"] = b"newer"
    rig.open(replace(door, api_key=SecretRef("api_key", "f2")))
    assert status(url, x_api_key="older key") == 401
    assert status(url, authorization="Bearer newer") == 200
    assert rig.inspect(door_name(rig.chain))["Id"] == container


def test_a_door_that_reads_its_files_again_loses_nothing(guarded: Rig) -> None:
    """Callers that keep their connections notice nothing of another certificate."""
    load = Load(guarded.url)
    with load.running(3):
        for number in range(2, 4):
            guarded.open(FrontDoor(tls=SecretRef("tls", f"f{number}")))
    assert load.failures == {}


def test_tls_is_spoken_at_the_same_port(guarded: Rig, pem: bytes) -> None:
    """With the certificate of the vault and the scheme in the URL; services are told of it."""
    url = guarded.url
    assert url.startswith("https://127.0.0.1:")
    assert call(url).json["headers"]["x-forwarded-proto"] == "https"
    connection = connected(url)
    connection.connect()
    shown = connection.sock.getpeercert(binary_form=True)  # type: ignore[union-attr]  # it is a TLS socket
    connection.close()
    assert shown == ssl.PEM_cert_to_DER_cert(pem.decode().partition("-----BEGIN PRIVATE")[0])


@pytest.mark.alone
def test_a_certificate_that_is_none_changes_nothing(guarded: Rig, pem: bytes) -> None:
    """The running door finds out before anything depends on it, and goes on, after a restart too."""
    guarded.secrets["tls"] = b"no certificate"
    with pytest.raises(DeployError, match="HAProxy refuses the settings") as caught:
        guarded.open(FrontDoor(tls=SecretRef("tls", "f9")))
    guarded.secrets["tls"] = pem
    assert "tls.pem" in " ".join(caught.value.details)
    with guarded.engine.client() as client:
        client.restart(door_name(guarded.chain), timeout=1)
    assert waited_for(lambda: service_at(guarded.url))


def test_a_first_door_that_does_not_come_up_shows_why(rig: Rig) -> None:
    """Its last lines are the evidence; it is gone, so that another push begins anew."""
    rig.secrets["tls"] = b"no certificate"
    rig.start()
    with pytest.raises(DeployError, match="did not come up with its settings") as caught:
        rig.open(FrontDoor(tls=TLS))
    assert "tls.pem" in " ".join(caught.value.details)
    assert rig.target.observe(rig.chain).front_door is None


def test_a_port_that_is_taken_is_named(plain: Rig) -> None:
    """And what served before still does, at the port it had."""
    url = plain.url
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(DeployError, match=f"Port {port} on 127.0.0.1 is taken"):
            plain.open(FrontDoor(port=port))
    assert (plain.url, service_at(url) is not None) == (url, True)


def test_two_chains_get_a_port_each(plain: Rig, rig: Rig) -> None:
    """The first free one from 8100 on, whatever else is published."""
    rig.start()
    assert rig.open() != plain.url


@pytest.mark.alone
def test_another_port_keeps_the_route(plain: Rig) -> None:
    """A new container takes the place of the old one, with what it served."""
    url, port = plain.url, free_port()
    moved = plain.open(FrontDoor(port=port))
    assert moved == f"http://127.0.0.1:{port}"
    assert service_at(moved) is not None
    assert service_at(url) is None


@pytest.mark.alone
def test_another_address_keeps_the_port(plain: Rig) -> None:
    """A door for all interfaces is made in place of the local one, at the port the chain has."""
    url = plain.url
    assert plain.open(FrontDoor(bind="0.0.0.0")) == url
    assert service_at(url) is not None


@pytest.mark.alone
def test_an_image_that_does_not_start_is_given_up(plain: Rig) -> None:
    """The old door is put back with its port and its route."""
    url = plain.url
    with pytest.raises(DeployError):
        plain.open(FrontDoor(image="python:3.11-slim"))
    assert (plain.url, service_at(url) is not None) == (url, True)


@pytest.mark.alone
@pytest.mark.parametrize("is_new_made", [False, True], ids=["renamed", "new one made"])
def test_a_replacement_that_was_cut_off_is_taken_up(plain: Rig, is_new_made: bool) -> None:
    """The door that still serves is found under either name and none is left over."""
    url = plain.url
    door, retired = door_name(plain.chain), retired_door_name(plain.chain)
    with plain.engine.client() as client:
        client.rename(door, retired)
        if is_new_made:
            labels = plain.inspect(retired)["Config"]["Labels"]
            client.create_container("haproxy:lts", name=door, labels=labels)
    plain.apply(EnsureFrontDoor(plain.chain, FrontDoor(), "test"))
    assert (plain.url, service_at(url) is not None) == (url, True)
    with plain.engine.client() as client:
        found = client.containers(all=True, filters={"label": [f"chainctl.chain={plain.chain}"]})
    assert len([c for c in found if c["Labels"]["chainctl.role"] == "door"]) == 1
