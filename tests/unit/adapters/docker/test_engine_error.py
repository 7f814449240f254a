"""What is said when docker-py or the connection under it raises."""

from __future__ import annotations

import socket
import ssl

import pytest
from docker.errors import APIError, DockerException
from requests.exceptions import ConnectionError as RequestsConnectionError
from urllib3.exceptions import ProtocolError

from chainctl.adapters.docker.engine_error import engine_errors
from chainctl.errors import BuildError, EngineError

URL = "unix:///x.sock"


def raised_for(error: BaseException) -> EngineError:
    with pytest.raises(EngineError) as caught, engine_errors(URL, "list images", hint="go on"):
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("cause", "message", "hint"),
    [
        (PermissionError(13, "no"), "No permission to open the engine's socket", "usermod"),
        (FileNotFoundError(2, "no"), "No Docker Engine listens at", "start the engine"),
        (ConnectionRefusedError(111, "no"), "No Docker Engine listens at", "start the engine"),
        (socket.gaierror(-2, "no"), "is unknown", "docker_host"),
        (ssl.SSLError(1, "bad"), "No TLS connection", "DOCKER_CERT_PATH"),
        (TimeoutError("slow"), "did not answer in time", "go on"),
        (ConnectionResetError(104, "reset"), "was lost while trying to list images", "go on"),
    ],
)
def test_causes_are_found_inside_wrappers(cause: Exception, message: str, hint: str) -> None:
    """requests keeps urllib3's error in its args, which keeps the real one in its own."""
    error = raised_for(RequestsConnectionError(ProtocolError("Connection aborted.", cause)))
    assert message in error.message
    assert hint in error.hint


def test_addresses_that_can_not_be_used_are_explained() -> None:
    """docker-py says that only in words."""
    assert "no address" in raised_for(DockerException("Invalid bind address protocol: x")).message


def test_refusals_carry_the_engines_own_words() -> None:
    """An API error shows what the engine said, without docker-py's URL."""
    error = raised_for(APIError("409 for url x", explanation="name is in use"))
    assert error.message == "The engine refused to list images: name is in use"


def test_loops_among_causes_end() -> None:
    """An exception may name itself as its cause's cause."""
    first, second = DockerException("a"), DockerException("b")
    first.__cause__, second.__cause__ = second, first
    assert "was lost" in raised_for(first).message


def test_our_own_errors_pass() -> None:
    """What the code inside raises on purpose is not the engine's fault."""
    with pytest.raises(BuildError), engine_errors(URL, "build"):
        raise BuildError("A", "", ())
