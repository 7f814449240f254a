"""Components that come with chainctl, as declarations: the command does their work itself."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Optional
from urllib.parse import unquote, urlsplit

from chainctl.errors import ComponentError, DefinitionError
from chainctl.sdk.component import Component, output
from chainctl.sdk.component_checks import check_identifier
from chainctl.sdk.config import Volume
from chainctl.sdk.trigger import trigger

THIS_CHAIN = "$this"
_SYSTEM = frozenset(["app", "bin", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "sys", "tmp", "usr"])


class ChainDeployment(Component):
    """A chain as a component; its identifier is the chain's name. A push gives its outputs.

    To apply one that names its `file` is to push that file under this name. What refers to it is applied
    after it, and anew after each other release of it.
    """

    file: Optional[str] = None
    url: Optional[str] = output(default=None)
    release: Optional[int] = output(default=None)
    target: Optional[str] = output(default=None)
    digest: Optional[str] = output(default=None)

    def __post_init__(self) -> None:
        self._begin()  # chains may have names that other components may not

    @property
    def urls(self) -> tuple[str, ...]:
        """Where it answers; () before it was pushed."""
        return (self.url,) if self.url else ()


def this_chain() -> ChainDeployment:
    """Stand for the chain of this file: what refers to it is applied after it is deployed."""
    return ChainDeployment(THIS_CHAIN)


class Download(Component):
    """A file that is there before the chain is, for chainlets that list it in `Assets(volumes=[…])`.

    It comes from `url`, or from `path` on the machine of the command, and is checked by its `sha256`.
    Chainlets find it in the directory `dest`, under its own name or `filename`: `location` says where.
    `secret_key` names a secret that is sent to the server as bearer token.
    """

    url: Optional[str] = None
    path: Optional[str] = None
    sha256: str
    dest: str
    filename: Optional[str] = None
    secret_key: Optional[str] = None
    size: Optional[int] = output(default=None)

    breaks = ("dest",)

    def postinit(self) -> None:
        """Check that there is one source, that the digest is one, and where the file is to be."""
        if (self.url is None) == (self.path is None):
            raise _wrong(self, "needs either `url` or `path`", "give one of them.")
        if self.url is not None and not str(self.url).startswith(("http://", "https://")):
            raise _wrong(
                self,
                f"has the url {self.url!r}",
                "give one that begins with https:// or http://, or a file of this machine as `path`.",
            )
        digest = str(self.sha256)
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise _wrong(
                self,
                f"has the sha256 {self.sha256!r}, which is none",
                "give 64 hexadecimal digits in lower case, as `sha256sum FILE` prints them.",
            )
        if not PurePosixPath(self.dest).is_absolute() or ".." in PurePosixPath(self.dest).parts:
            raise _wrong(self, f"has the dest {self.dest!r}", 'give an absolute directory: "/models/phi".')
        if _hides_system(PurePosixPath(self.dest)):
            raise _wrong(
                self,
                f"has the dest {self.dest!r}, which would hide what a container needs",
                'give a directory of its own: "/models/phi".',
            )
        if PurePosixPath(self._name).name != self._name or not self._name:
            raise _wrong(self, f"would have the file name {self._name!r}", "give it a `filename`.")

    @property
    def location(self) -> str:
        """The file's path in a running chainlet; local processes have it elsewhere than in `dest`."""
        known = json.loads(os.environ.get("CHAINCTL_DATA", "{}"))
        return str(known.get(self.identifier) or PurePosixPath(self.dest) / self._name)

    @property
    def volume(self) -> Volume:
        """What a chainlet's configuration records of it."""
        return Volume(
            name=self.identifier,
            source=str(self.url or self.path),
            sha256=self.sha256,
            dest=self.dest,
            filename=self._name,
            secret_key=self.secret_key,
        )

    @property
    def _name(self) -> str:
        source = urlsplit(self.url).path if self.url else str(self.path)
        return self.filename or PurePosixPath(unquote(source)).name

    @trigger("apply")
    def fetch(self) -> Any:
        """Fetch the file, and keep it when its digest is right."""
        raise _not_here(self)


class SmokeTest(Component):
    """A call that a new release must answer; with `gate`, before traffic goes to it.

    `expect` is what the answer must contain: a value to be equal to, or a dict of which each item must be
    in the answer; None asks for any answer that is no error.
    """

    chain: Component
    payload: Any = None
    expect: Any = None
    gate: bool = True
    timeout_sec: float = 60.0

    def postinit(self) -> None:
        """Check what would only be found out when the release is there, or not at all."""
        if not isinstance(self.gate, bool):
            raise _wrong(self, f"has the gate {self.gate!r}", "write `gate=True` or `gate=False`.")
        if self.payload is not None and not isinstance(self.payload, Mapping):
            raise _wrong(
                self,
                "has a payload that is no dictionary",
                'write the arguments by their names: `payload={"text": "x"}`.',
            )

    @trigger("apply")
    def check(self) -> Any:
        """Call the chain, and compare its answer."""
        raise _not_here(self)


class Command(Component):
    """A command that runs when it, or what it refers to, has changed. It must end with 0."""

    argv: Sequence[str]
    after: Optional[Component] = None
    env: Optional[Mapping[str, str]] = None
    cwd: Optional[str] = None
    timeout_sec: float = 600.0

    def postinit(self) -> None:
        """Check that the command is a list of words."""
        is_text = isinstance(self.argv, str)
        if is_text or not self.argv or not all(isinstance(word, str) for word in self.argv):
            raise _wrong(
                self, f"has the argv {self.argv!r}", 'write a list of words: `argv=["make", "warm"]`.'
            )

    @trigger("apply")
    def run(self) -> Any:
        """Run the command."""
        raise _not_here(self)


def _hides_system(dest: PurePosixPath) -> bool:
    """Say whether a volume there is in the place of the root, of a system directory, or of chainctl's own."""
    _, *below = dest.parts
    return not below or below[0] == "app" or (len(below) == 1 and below[0] in _SYSTEM)


def _wrong(component: Component, what: str, hint: str) -> DefinitionError:
    check_identifier(type(component), component.identifier)
    return DefinitionError(f"{component!r} {what}.", code="CH0912", hint=hint)


def _not_here(component: Component) -> ComponentError:
    return ComponentError(
        f"{component!r} is run by the command, not from Python.",
        hint="declare it in a chain file and run `chainctl push`.",
    )
