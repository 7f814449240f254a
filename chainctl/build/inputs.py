"""A chainlet and its build context in; all that its image is made of, as named values with digests, out.

An image's name covers its context, so the inputs must say all that is in the context and nothing else.
What is copied is read off the context; what is rendered comes from the configuration, and the texts
themselves are inputs of last resort (`LAST_RESORT`): no difference is without an input that names it.
Inputs are recorded with a release. They hold no value of a variable, no command, no URL and no absolute path.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from chainctl.build.context import BuildContext, ContextFile
from chainctl.build.input_packages import InstallLine, install_lines
from chainctl.build.instructions import apt_words, build_secrets, env_pairs, python_of, run_commands
from chainctl.build.lock import Lock
from chainctl.build.settings import BuildSettings
from chainctl.graph.graph import ChainletSpec
from chainctl.sdk.config import RemoteConfig, WebsocketOptions
from chainctl.version import __version__

_DIGEST_LENGTH = 16


class InputKind(StrEnum):
    """What an input is. In this order differences are told: what costs most to build again comes first."""

    RUNTIME = "chainctl"
    BASE_IMAGE = "base image"
    PYTHON = "python"
    CERTIFICATE = "certificate"
    APT_PACKAGE = "apt package"
    APT_LIST = "apt list"
    REQUIREMENT = "requirement"
    REQUIREMENTS_FILE = "requirements file"
    LOCAL_PACKAGE = "local package"
    BUILD_COMMAND = "build command"
    VARIABLE = "environment variable"
    OPTION = "option"
    DATA = "data"
    PACKAGE_DIRECTORY = "package directory"
    FILE = "file"
    TEMPLATE = "template"


RENDERED = frozenset(InputKind) - {InputKind.FILE, InputKind.TEMPLATE}
# An input of such a kind holds the text that inputs of other kinds are written in. It tells something
# only where none of those has changed: a comment, an order, another wording.
LAST_RESORT = {
    InputKind.APT_LIST: frozenset([InputKind.APT_PACKAGE]),
    InputKind.REQUIREMENTS_FILE: frozenset([InputKind.REQUIREMENT]),
    InputKind.TEMPLATE: RENDERED,
}
_COPIED = {
    "app/data/": InputKind.DATA,
    "app/packages/": InputKind.PACKAGE_DIRECTORY,
    "app/code/": InputKind.FILE,
}
_RUNTIME = "app/chainctl/"
_CERTIFICATES = "certificates/"
_REQUIREMENTS = "requirements/"
# Files that are written from what the user has elsewhere, as the user knows them.
_WRITTEN = {
    "runtime.txt": "needed by chainctl",
    "pip_requirements.txt": "requirements",
    "pyproject.txt": "pyproject.toml",
    "uv_lock.txt": "uv.lock",
    "locked.txt": "chainctl.lock",
}


@dataclass(frozen=True, slots=True)
class Input:
    """One thing that an image is made of.

    `kind` and `name` say which, `digest` says whether it is the same. The rest is for people: `label` is
    what it is called where its name is no good for that, `value` what it is where that may be shown (a
    version, "executable"), `why` what it is there for, such as `imported by chain.py:3`.
    """

    kind: InputKind
    name: str
    digest: str
    label: str = ""
    value: str = ""
    why: str = ""


def image_inputs(
    spec: ChainletSpec, root: str, context: BuildContext, settings: BuildSettings, lock: Lock | None = None
) -> tuple[Input, ...]:
    """Return the inputs of one image, in the order of their kinds. `root` is what paths are told relative to."""
    found = [
        *_configured(spec, settings, lock),
        *_packages(context),
        *_files(spec, context, root),
        *_wholes(context),
    ]
    order = list(InputKind)
    return tuple(sorted(found, key=lambda i: order.index(i.kind)))


def _configured(spec: ChainletSpec, settings: BuildSettings, lock: Lock | None) -> Iterator[Input]:
    """What the Dockerfile and the shim are rendered from."""
    config = spec.remote_config
    image = config.docker_image
    base = settings.image_for(image.base_image)
    pinned = lock.base_images.get(base, "") if lock else ""
    value = f"{base} {pinned[:19]}".strip()
    yield Input(InputKind.BASE_IMAGE, "base", _digest(base, pinned), value=value)
    yield Input(InputKind.PYTHON, "python", _digest(python_of(image)), value=python_of(image))
    apt = apt_words(image)
    for word in apt:
        name, _, version = word.partition("=")
        yield Input(InputKind.APT_PACKAGE, name, _digest(word), value=version)
    yield Input(InputKind.APT_LIST, "apt", _digest(*apt))
    for number, command in enumerate(run_commands(config), 1):
        yield Input(InputKind.BUILD_COMMAND, str(number), _digest(command))
    for name, text in env_pairs(config):
        yield Input(InputKind.VARIABLE, name, _digest(text))
    if secrets := build_secrets(config, settings):
        yield Input(InputKind.OPTION, "build secrets", _digest(*secrets), value=", ".join(secrets))
    for name, shown in _options(spec, config):
        yield Input(InputKind.OPTION, name, _digest(shown), value=shown)


def _options(spec: ChainletSpec, config: RemoteConfig) -> Iterator[tuple[str, str]]:
    transport = config.options.transport
    pings = transport if isinstance(transport, WebsocketOptions) else WebsocketOptions()
    yield "class", f"{spec.module}:{spec.qualname}"
    yield "enable_debug_logs", str(config.options.enable_debug_logs)
    yield "ping_interval_seconds", str(pings.ping_interval_seconds)
    yield "ping_timeout_seconds", str(pings.ping_timeout_seconds)


def _packages(context: BuildContext) -> Iterator[Input]:
    """One input a package. What the user asks for is shown rather than what chainctl itself asks for."""
    by_name: dict[str, list[tuple[str, InstallLine]]] = {}
    for name, file in _below(context, _REQUIREMENTS):
        text = file.content.decode() if isinstance(file.content, bytes) else ""
        for line in install_lines(text):
            by_name.setdefault(line.name, []).append((name, line))
    for package, asked in sorted(by_name.items()):
        shown = [found for found in asked if found[0] != "runtime.txt"] or asked
        values = dict.fromkeys(line.version for _, line in shown if line.version)
        digest = _digest(*(part for name, line in asked for part in (name, line.text)))
        why = _written(shown[-1][0])
        yield Input(InputKind.REQUIREMENT, package, digest, value=", ".join(values), why=why)


def _files(spec: ChainletSpec, context: BuildContext, root: str) -> Iterator[Input]:
    """Everything that is copied as it is, file by file."""
    for name, file in _below(context, _CERTIFICATES):
        label = file.content.name if isinstance(file.content, Path) else name
        yield Input(InputKind.CERTIFICATE, name, _file_digest(file), label=label)
    for name, file in _below(context, _REQUIREMENTS):
        if isinstance(file.content, Path):
            yield _copied(InputKind.LOCAL_PACKAGE, name, file, root, InputKind.LOCAL_PACKAGE.value)
        else:
            yield Input(InputKind.REQUIREMENTS_FILE, name, _file_digest(file), label=_written(name))
    whys = {file.path: file.why for file in spec.files}
    for prefix, kind in _COPIED.items():
        for name, file in _below(context, prefix):
            why = whys.get(name, "") if kind is InputKind.FILE else kind.value
            yield _copied(kind, name, file, root, why)


def _copied(kind: InputKind, name: str, file: ContextFile, root: str, why: str) -> Input:
    label = _label(file, root)
    value = "executable" if file.is_executable else ""
    return Input(kind, name, _file_digest(file), "" if label == name else label, value, why)


def _wholes(context: BuildContext) -> Iterator[Input]:
    """The runtime as one input, and all texts that chainctl writes as another."""
    copied = (*_COPIED, _CERTIFICATES, _REQUIREMENTS)
    runtime = [file for _, file in _below(context, _RUNTIME)]
    written = [file for file in context.files if not file.path.startswith((_RUNTIME, *copied))]
    yield Input(InputKind.RUNTIME, "chainctl", _digest(*_entries(runtime)), value=__version__)
    yield Input(InputKind.TEMPLATE, "Dockerfile", _digest(*_entries(written)))


def _below(context: BuildContext, prefix: str) -> Iterator[tuple[str, ContextFile]]:
    for file in context.files:
        if file.path.startswith(prefix):
            yield file.path.removeprefix(prefix), file


def _written(name: str) -> str:
    return _WRITTEN.get(name) or PurePosixPath(name.removeprefix("user/")).as_posix()


def _label(file: ContextFile, root: str) -> str:
    """Where the user has a file, or "" where that is outside of the project."""
    if isinstance(file.content, bytes):
        return ""
    place = os.path.normpath(str(file.content))
    return place.removeprefix(f"{root}/") if place.startswith(f"{root}/") else ""


def _entries(files: Iterable[ContextFile]) -> Iterator[str]:
    for file in files:
        yield from (file.path, _file_digest(file))


def _file_digest(file: ContextFile) -> str:
    """A digest over content and mode."""
    return file.sha256[:_DIGEST_LENGTH] + ("x" if file.is_executable else "")


def _digest(*texts: str) -> str:
    digest = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogateescape")
        digest.update(b"%d:%b" % (len(data), data))
    return digest.hexdigest()[:_DIGEST_LENGTH]
