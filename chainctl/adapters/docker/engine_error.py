"""Exceptions of docker-py and its HTTP layer in; EngineErrors that name the cause and the way out."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from chainctl.errors import EngineError

_QUERY = re.compile(r"(\S*/[^\s?]*)\?[^\s'\")]*")
_HELPER = "The credential helper that Docker's configuration names for a registry fails or is not installed"
_HELPER_HINT = "install it, or log in anew with `docker login`, then push again"
LOST_HINT = "check that the engine runs (`docker info`), then run the same command again"


@contextmanager
def engine_errors(url: str, doing: str, *, hint: str = LOST_HINT) -> Iterator[None]:
    """Turn what docker-py raises while `doing` something into EngineError.

    `doing` completes "the engine refused to …"; `hint` is for connections that break midway.
    """
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except APIError as error:
        raise EngineError(f"The engine refused to {doing}: {refusal(error)}") from error
    except DockerException as error:
        if str(error).startswith("Credentials store error"):
            raise EngineError(_HELPER, hint=_HELPER_HINT) from None  # its words may hold what it keeps
        raise unreachable(url, doing, error, hint) from error
    except (
        RequestException,
        HTTPError,
        http.client.HTTPException,
        OSError,
    ) as error:
        raise unreachable(url, doing, error, hint) from error


def refusal(error: Exception) -> str:
    """Return what the engine itself said, without the client's wrapping."""
    said = getattr(error, "explanation", None) or without_query(str(error))
    return str(said).strip()


def without_query(text: str) -> str:
    """Take the queries of URLs out: they hold build arguments, which are nobody's business."""
    return _QUERY.sub(r"\1", text)


def unreachable(url: str, doing: str, error: BaseException, hint: str) -> EngineError:
    """Return the EngineError for a connection that failed or broke."""
    for cause in _causes(error):
        match cause:
            case PermissionError():
                return EngineError(
                    f"No permission to open the engine's socket {url}",
                    hint="add yourself to the socket's group (`sudo usermod -aG docker $USER`) "
                    "and log in again, or name another engine in DOCKER_HOST",
                )
            case FileNotFoundError() | ConnectionRefusedError():
                return EngineError(
                    f"No Docker Engine listens at {url}",
                    hint="start the engine (`sudo systemctl start docker`, or Docker Desktop), "
                    "or name another one in DOCKER_HOST",
                )
            case socket.gaierror():
                return EngineError(
                    f"The host of the engine {url} is unknown",
                    hint="check DOCKER_HOST and the setting `docker_host`",
                )
            case ssl.SSLError():
                return EngineError(
                    f"No TLS connection to the engine {url}: {cause}",
                    hint="check DOCKER_TLS_VERIFY and the files in DOCKER_CERT_PATH",
                )
            case TimeoutError():
                return EngineError(f"The engine {url} did not answer in time", hint=hint)
            case _ if "Invalid bind address" in str(cause):
                return EngineError(
                    f"{url} is no address of an engine",
                    hint="give one such as unix:///var/run/docker.sock or tcp://HOST:2376 "
                    "in DOCKER_HOST or the setting `docker_host`",
                )
    return EngineError(
        f"The engine {url} was lost while trying to {doing}: {without_query(str(error))}", hint=hint
    )


def _causes(error: BaseException) -> list[BaseException]:
    """Return the error and all that it wraps: requests and urllib3 hide causes in `args` too."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        here = waiting.pop(0)
        if not isinstance(here, BaseException) or here in found:
            continue
        found.append(here)
        waiting += [here.__cause__, here.__context__, getattr(here, "reason", None), *here.args]
    return found
