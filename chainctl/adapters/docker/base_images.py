"""The name of a base image in; its digest, and the Python it has, as one engine knows them, out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chainctl.adapters.docker.build_base import pull_errors
from chainctl.adapters.docker.engine import Engine
from chainctl.build.lock import BaseFacts
from chainctl.errors import LockError, Problem
from chainctl.events import Emit, Notice

if TYPE_CHECKING:
    from docker import APIClient

_TIMEOUT = 60
_QUESTION = (
    "import json, os, sys\n"
    "libc = os.confstr('CS_GNU_LIBC_VERSION') if 'CS_GNU_LIBC_VERSION' in os.confstr_names else 'musl'\n"
    "print(json.dumps(['%d.%d' % sys.version_info[:2], libc]))"
)


@dataclass(frozen=True, slots=True)
class DockerBaseImages:
    """Asks one engine, that is opened when it is first needed."""

    connect: Callable[[], Engine]
    emit: Emit

    def digest(self, image: str) -> tuple[str, bool]:
        """Return the digest that a registry gave, or the image's id and True where none did.

        An image that is not on the engine is asked of its registry. Raises LockError when nobody has it.
        """
        engine = self.connect()
        with engine.client() as client:
            found = _inspected(engine, client, image)
            if found is None:
                return _registry_digest(engine, client, image) or self._pulled(engine, client, image), False
        digests = found.get("RepoDigests") or ()
        own = [name for name in digests if name.rpartition("@")[0] == _repository(image)] or list(digests)
        return (own[0].rpartition("@")[2], False) if own else (str(found["Id"]), True)

    def facts(self, image: str, pythons: Iterable[str]) -> BaseFacts:
        """Ask each interpreter in a container without network, which is removed at once.

        Raises LockError for an image without Python.
        """
        engine = self.connect()
        versions: dict[str, str] = {}
        libc = ""
        with engine.client() as client:
            if _inspected(engine, client, image) is None:
                self._pulled(engine, client, image)
            for python in pythons:
                versions[python], libc = _asked(engine, client, image, python)
        return BaseFacts(versions, libc)

    def _pulled(self, engine: Engine, client: APIClient, image: str) -> str:
        self.emit(Notice(f"Pulling the base image {image}"))
        for reason in pull_errors(engine, client, image):
            raise _absent(image, reason)
        found = _inspected(engine, client, image) or {}
        digests = found.get("RepoDigests") or [str(found.get("Id", ""))]
        return str(digests[0]).rpartition("@")[2]


def _inspected(engine: Engine, client: APIClient, image: str) -> dict[str, Any] | None:
    from docker.errors import APIError, NotFound

    with engine.errors(f"inspect the image {image}"):
        try:
            found: dict[str, Any] = client.inspect_image(image)  # type: ignore[no-untyped-call]  # so in types-docker
        except NotFound:
            return None
        except APIError as error:
            if "invalid reference format" in str(error.explanation or error):
                raise _misnamed(image) from error
            raise
        return found


def _registry_digest(engine: Engine, client: APIClient, image: str) -> str:
    """What the registry of an image says, "" when it says nothing."""
    from docker.errors import APIError

    with engine.errors(f"ask the registry of {image}"):
        try:
            found: dict[str, Any] = client.inspect_distribution(image)  # type: ignore[no-untyped-call]  # so in types-docker
        except APIError:
            return ""
    return str(found.get("Descriptor", {}).get("digest", ""))


def _repository(image: str) -> str:
    """The name of an image without its tag and digest."""
    bare = image.partition("@")[0]
    head, _, tag = bare.rpartition(":")
    return head if head and "/" not in tag else bare


def _asked(engine: Engine, client: APIClient, image: str, python: str) -> tuple[str, str]:
    from docker.errors import APIError

    with engine.errors(f"ask the image {image} for its Python"):
        made = client.create_container(
            image,
            entrypoint=[python, "-I", "-c", _QUESTION],
            command=[],
            host_config=client.create_host_config(network_mode="none"),
            labels={"chainctl.question": "python"},
        )
        try:
            try:
                client.start(made["Id"])
                code = client.wait(made["Id"], timeout=_TIMEOUT)["StatusCode"]
            except APIError as error:
                raise _without_python(image, python, str(error.explanation or error)) from error
            said = client.logs(made["Id"], stdout=True, stderr=False)
            errors = client.logs(made["Id"], stdout=False, stderr=True)
        finally:
            client.remove_container(made["Id"], force=True, v=True)
    return _answer(image, python, int(code), said, errors)


def _answer(image: str, python: str, code: int, said: bytes, errors: bytes) -> tuple[str, str]:
    try:
        version, libc = json.loads(said)
    except ValueError as error:
        last = errors.decode(errors="replace").strip().splitlines()[-1:] or [
            f"it ended with exit code {code}"
        ]
        raise _without_python(image, python, last[0]) from error
    return str(version), str(libc)


def _without_python(image: str, python: str, why: str) -> LockError:
    return LockError([
        Problem(
            "CH0811",
            f"the base image {image} has no Python that starts as `{python}`",
            note=why.strip(),
            help="install Python in that image, or say where it is: `CustomImage(python_executable_path=…)`",
        )
    ])  # fmt: skip


def _misnamed(image: str) -> LockError:
    return LockError([
        Problem(
            "CH0812",
            f"the base image {image!r} has a name that no image can have",
            help="write `[HOST/]NAME[:TAG]` in lower case, as in `python:3.12-slim`; in the setting `base_image`,"
            " `{version}` stands for the version of Python, and nothing else is filled in",
        )
    ])  # fmt: skip


def _absent(image: str, reason: str) -> LockError:
    return LockError([
        Problem(
            "CH0812",
            f"the base image {image} is not on the engine and no registry gives it",
            note=reason,
            help="name another one in `docker_image.base_image` or the setting `base_image`, or load it with"
            " `docker load`",
        )
    ])  # fmt: skip
