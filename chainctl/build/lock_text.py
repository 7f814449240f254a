"""A Lock in, the text of `chainctl.lock` out, and back. Pure.

The text is TOML in a stable order. Each environment carries a checksum, so that an edit by hand is
noticed, and two branches that changed different environments still merge.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pydantic

from chainctl.build.lock import BaseFacts, Environment, Lock, LockedPackage, OtherChain
from chainctl.errors import LockError, Problem

FILE_NAME = "chainctl.lock"
FORMAT = 1
_HEAD = "# Written by `chainctl lock`, not by hand. Commit it: every image is built from what it says.\n"
_MERGE = "take either side (`git checkout --ours chainctl.lock`, or `--theirs`), then `chainctl lock`"
_RESTORE = (
    "take the file from version control again, or remove it and run `chainctl lock`"
    " (that may choose other versions)"
)


def lock_text(lock: Lock, chain: str) -> str:
    """Render the lock of `FILE:ENTRYPOINT` and of the chains beside it; equal locks give equal bytes."""
    lines = [f"format = {FORMAT}"]
    used = OtherChain(lock.chainlets, lock.own_base_images)
    chains = {**lock.others, chain: used}
    for name in sorted(chains):
        lines += _chain_lines(name, chains[name])
    for image in sorted(lock.base_images):
        lines += _base_lines(image, lock.base_images[image], lock.base_facts.get(image, BaseFacts()))
    for name in sorted(lock.environments):
        lines += _environment_lines(name, lock.environments[name])
    return _HEAD + "\n".join(lines) + "\n"


def read_lock(text: str, chain: str, path: str = FILE_NAME) -> Lock:
    """Read what `lock_text` wrote, as the chain `FILE:ENTRYPOINT` sees it. Raises LockError for anything else."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        if "\n<<<<<<< " in f"\n{text}":
            raise LockError(
                [Problem("CH0807", "the lock has a merge conflict in it", path, help=_MERGE)]
            ) from error
        raise _damaged(path, f"is no TOML: {error}") from error
    version = values.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise LockError([
            Problem("CH0807", "the lock was written by a newer chainctl", path,
                    help="upgrade: `pip install -U chainctl`")
        ])  # fmt: skip
    try:
        lock = _lock(_File.model_validate(values), chain)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise _damaged(path, f"is no lock: `{place}`: {first['msg']}") from error
    _require_whole(lock, values, path)
    return lock


def checksum(environment: Environment) -> str:
    """Return 16 hex digits over everything that an environment says."""
    value = [
        environment.inputs, environment.python, environment.platform, environment.torch_backend,
        *environment.indexes, "", *environment.find_links, "",
        *([p.name, p.requirement, p.marker, p.path, *p.hashes, "", *p.via] for p in environment.packages),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True)


class _Package(_Model):
    name: str
    requirement: str
    marker: str = ""
    path: str = ""
    via: list[str] = []
    hashes: list[str] = []


class _Environment(_Model):
    checksum: str
    inputs: str
    python: str
    platform: str
    torch_backend: str = ""
    indexes: list[str] = []
    find_links: list[str] = []
    package: list[_Package] = []


class _Base(_Model):
    digest: str = pydantic.Field(pattern=r"^sha256:[0-9a-f]{64}$")
    libc: str = ""
    local: bool = False
    pythons: dict[str, str] = {}


class _Chain(_Model):
    base_images: list[str] = []
    chainlets: dict[str, str] = {}


class _File(_Model):
    format: int = pydantic.Field(ge=1, le=FORMAT)
    chains: dict[str, _Chain] = {}
    base_images: dict[str, _Base] = {}
    environments: dict[str, _Environment] = {}


def _lock(file: _File, chain: str) -> Lock:
    own = file.chains.get(chain, _Chain())
    others = {name: other for name, other in sorted(file.chains.items()) if name != chain}
    return Lock(
        {name: _environment(environment) for name, environment in sorted(file.environments.items())},
        dict(sorted(own.chainlets.items())),
        {image: base.digest for image, base in sorted(file.base_images.items())},
        {
            image: BaseFacts(base.pythons, base.libc, base.local)
            for image, base in sorted(file.base_images.items())
            if base.pythons or base.libc or base.local
        },
        tuple(own.base_images),
        {
            name: OtherChain(dict(sorted(other.chainlets.items())), tuple(other.base_images))
            for name, other in others.items()
        },
    )


def _environment(read: _Environment) -> Environment:
    packages = tuple(
        LockedPackage(p.name, p.requirement, tuple(p.hashes), p.marker, tuple(p.via), p.path)
        for p in read.package
    )
    return Environment(
        read.inputs, read.python, read.platform, packages,
        tuple(read.indexes), tuple(read.find_links), read.torch_backend,
    )  # fmt: skip


def _require_whole(lock: Lock, values: Mapping[str, Any], path: str) -> None:
    for name, environment in lock.environments.items():
        if values["environments"][name]["checksum"] != checksum(environment):
            raise _damaged(path, f"was changed by hand: `environments.{name}` does not fit its checksum")
    for chain in (lock.chainlets, *(other.chainlets for other in lock.others.values())):
        for chainlet, name in chain.items():
            if name not in lock.environments:
                raise _damaged(path, f"is not whole: the environment `{name}` of {chainlet} is not there")


def _damaged(path: str, why: str) -> LockError:
    return LockError([Problem("CH0807", f"the lock {why}", path, help=_RESTORE)])


def _chain_lines(name: str, chain: OtherChain) -> Iterator[str]:
    yield from ("", f"[chains.{_key(name)}]")
    yield from _list("base_images", sorted(chain.base_images))
    yield from ("", f"[chains.{_key(name)}.chainlets]")
    yield from (
        f"{_key(chainlet)} = {_text(chain.chainlets[chainlet])}" for chainlet in sorted(chain.chainlets)
    )


def _base_lines(image: str, digest: str, facts: BaseFacts) -> Iterator[str]:
    yield from ("", f"[base_images.{_key(image)}]", f"digest = {_text(digest)}")
    if facts.is_local:
        yield "local = true"
    if facts.libc:
        yield f"libc = {_text(facts.libc)}"
    if facts.pythons:
        pairs = ", ".join(f"{_key(name)} = {_text(facts.pythons[name])}" for name in sorted(facts.pythons))
        yield f"pythons = {{ {pairs} }}"


def _environment_lines(name: str, environment: Environment) -> Iterator[str]:
    yield from ("", f"[environments.{_key(name)}]")
    yield f"checksum = {_text(checksum(environment))}"
    yield f"inputs = {_text(environment.inputs)}"
    yield f"python = {_text(environment.python)}"
    yield f"platform = {_text(environment.platform)}"
    if environment.torch_backend:
        yield f"torch_backend = {_text(environment.torch_backend)}"
    yield from _list("indexes", environment.indexes)
    yield from _list("find_links", environment.find_links)
    for package in environment.packages:
        yield from ("", f"[[environments.{_key(name)}.package]]")
        yield f"name = {_text(package.name)}"
        yield f"requirement = {_text(package.requirement)}"
        if package.marker:
            yield f"marker = {_text(package.marker)}"
        if package.path:
            yield f"path = {_text(package.path)}"
        if package.via:
            yield f"via = [{', '.join(map(_text, package.via))}]"
        yield from _list("hashes", package.hashes)


def _list(key: str, values: Iterable[str]) -> Iterator[str]:
    lines = [f"    {_text(value)}," for value in values]
    if lines:
        yield from (f"{key} = [", *lines, "]")


def _key(name: str) -> str:
    is_bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if is_bare else _text(name)


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes, without its halves of characters, and no DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
