"""Images of one engine in; the same images in a registry, named by the digest that it answers, out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_error import refusal
from chainctl.adapters.docker.registry_credentials import credentials_for
from chainctl.adapters.docker.registry_refusal import is_silent, registry_refusal
from chainctl.build.context import ImageRef
from chainctl.build.registry import Published, RegistryAddress
from chainctl.errors import RegistryError

if TYPE_CHECKING:
    from docker import APIClient

_SECRETS = frozenset({"password", "Password", "IdentityToken"})
_DIGEST = re.compile(r"digest: (sha256:[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class DockerRegistry:
    """A registry that the engine reaches; the user's docker config has the credentials for it."""

    engine: Engine
    address: RegistryAddress
    config_dir: Path

    def publish(self, ref: ImageRef) -> Published:
        """Push an image unless its name is there. The engine keeps the name in the registry, too."""
        repository = self.address.repository_of(ref)
        auth = credentials_for(self.config_dir, self.address.host)
        with self.engine.client() as client:
            there = self._digest(client, f"{repository}:{ref.tag}", auth)
            digest = there or self._push(client, ref, repository, auth)
        return Published(f"{repository}@{digest}", was_there=there is not None)

    def find(self, ref: ImageRef) -> str | None:
        """Return an image by digest, None when the registry does not have it. Nothing is sent."""
        repository = self.address.repository_of(ref)
        auth = credentials_for(self.config_dir, self.address.host)
        with self.engine.client() as client:
            digest = self._digest(client, f"{repository}:{ref.tag}", auth)
        return f"{repository}@{digest}" if digest else None

    def _digest(self, client: APIClient, name: str, auth: Mapping[str, str]) -> str | None:
        """Ask the registry for the digest of a name; None when a push must tell why there is none."""
        from docker.errors import APIError

        with self.engine.errors(f"ask {self.address.host} for {name}"):
            try:
                said = client.inspect_distribution(name, auth_config=dict(auth))  # type: ignore[no-untyped-call]  # so in types-docker
            except APIError as error:
                if is_silent(refusal(error)):
                    raise self._refused(name, refusal(error), auth) from None
                return None
        return str(said["Descriptor"]["digest"])

    def _push(self, client: APIClient, ref: ImageRef, repository: str, auth: Mapping[str, str]) -> str:
        from docker.errors import APIError, NotFound

        with self.engine.errors(f"push {repository}"):
            try:
                client.tag(str(ref), repository, ref.tag)
                with closing(
                    client.push(repository, ref.tag, stream=True, decode=True, auth_config=dict(auth))
                ) as lines:
                    digest = self._digest_told(lines, repository, auth)
            except NotFound:
                raise RegistryError(
                    f"The image {ref} is not on the engine", hint="push again: it is built then"
                ) from None
            except APIError as error:
                raise self._refused(repository, refusal(error), auth) from None
        if digest is None:
            raise self._refused(repository, "it told no digest", auth)
        return digest

    def _digest_told(
        self, lines: Iterable[Mapping[str, object]], repository: str, auth: Mapping[str, str]
    ) -> str | None:
        digest = None
        for line in lines:
            if "error" in line:
                raise self._refused(repository, str(line["error"]), auth)
            told = _DIGEST.search(str(line.get("status", "")))
            digest = told[1] if told else digest
        return digest

    def _refused(self, name: str, said: str, auth: Mapping[str, str]) -> RegistryError:
        for name_of_secret in _SECRETS & auth.keys():
            said = said.replace(auth[name_of_secret], "[REDACTED]")
        return registry_refusal(self.address.host, name, said, has_credentials=bool(auth))
