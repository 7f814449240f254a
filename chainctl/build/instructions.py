"""A chainlet's configuration in; values that stay inside their Dockerfile instruction out."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence

from chainctl.build.base import base_of
from chainctl.build.lock import Lock
from chainctl.build.settings import BuildSettings
from chainctl.errors import ChainDefinitionError, Problem
from chainctl.graph.graph import ChainGraph, ChainletSpec
from chainctl.sdk.config import CustomImage, DockerImage, RemoteConfig

_CHAINLET = re.compile(r"[A-Za-z0-9_-]+")
_IMAGE = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9._:/@\[\]-]*")
_DIGEST = re.compile(r"(sha256:[0-9a-f]{64})?")
_PROGRAM = re.compile(r"[A-Za-z0-9._/+][A-Za-z0-9._/+-]*")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def require_renderable(graph: ChainGraph, settings: BuildSettings, lock: Lock | None = None) -> None:
    """Raise ChainDefinitionError with every value that would end its instruction or change its meaning."""
    problems = [problem for spec in graph.chainlets for problem in _problems(spec, settings, lock)]
    if problems:
        raise ChainDefinitionError(problems)


def _problems(spec: ChainletSpec, settings: BuildSettings, lock: Lock | None) -> Iterator[Problem]:
    config = spec.remote_config
    image = config.docker_image
    base = base_of(image, settings, lock)
    if not _CHAINLET.fullmatch(spec.name):
        yield _problem(spec, f"the chainlet name {spec.name!r}", "use letters, digits, `_` and `-`")
    if not _IMAGE.fullmatch(base.name):
        yield _problem(spec, f"the base image {base.name!r}", "write it as `repository:tag`")
    if not _DIGEST.fullmatch(base.digest) or not _DIGEST.fullmatch(base.id):
        what = f"the locked digest {(base.digest or base.id)!r}"
        yield _problem(spec, what, "lock again: `chainctl lock --upgrade`")
    if not _PROGRAM.fullmatch(python_of(image)):
        yield _problem(spec, f"the Python path {python_of(image)!r}", "use a path without spaces and quotes")
    for name, value in sorted(config.options.env_variables.items()):
        if not _ENV_NAME.fullmatch(name) or "\0" in value:
            yield _problem(spec, f"the environment variable {name!r}", "use letters, digits and `_`")
    file = image.requirements_file or image.pip_requirements_file
    if file is not None and not file.path.name.isprintable():
        yield _problem(spec, f"the requirements file {file.path.name!r}", "rename the file")


def _problem(spec: ChainletSpec, what: str, help_text: str) -> Problem:
    message = f"`{spec.name}`: {what} has no form in a Dockerfile"
    return Problem("CH0503", message, spec.path, spec.line, help=help_text)


def python_of(image: DockerImage) -> str:
    """The interpreter of an image; looked up on its PATH unless the user says where it is."""
    base = image.base_image
    return (base.python_executable_path if isinstance(base, CustomImage) else None) or "python3"


def apt_words(image: DockerImage) -> list[str]:
    """Debian packages, one each; `"git curl"` is two of them."""
    return [word for entry in image.apt_requirements for word in entry.split()]


def shell_words(names: Sequence[str]) -> list[str]:
    return [shlex.quote(name) for name in names]


def run_commands(config: RemoteConfig) -> list[str]:
    """Build commands as RUN takes them: the shell form for one plain line, else the exec form.

    The exec form is a JSON array: a line break in it is no end of the instruction.
    """
    texts = [command.strip() for command in config.build_commands]
    return [_exec_form(text) if _leaves_its_line(text) else text for text in texts if text]


def command_secrets(config: RemoteConfig) -> list[str]:
    """The secrets that each build command mounts, sorted; without commands there are none."""
    return sorted(set(config.build_secret_keys)) if run_commands(config) else []


def build_secrets(config: RemoteConfig, settings: BuildSettings) -> tuple[str, ...]:
    """All secrets that an image's build may ask for, sorted: the build commands' and the package index's."""
    index = [settings.index_credentials_secret] if settings.index_credentials_secret else []
    return tuple(sorted({*command_secrets(config), *index}))


def _leaves_its_line(command: str) -> bool:
    return "\n" in command or command.endswith("\\") or "<<" in command


def _exec_form(command: str) -> str:
    return json.dumps(["/bin/sh", "-c", command], ensure_ascii=False)


def env_pairs(config: RemoteConfig) -> list[tuple[str, str]]:
    """Variables for ENV, sorted. A line break has no form there: such a value arrives at deploy only."""
    return sorted((name, value) for name, value in config.options.env_variables.items() if "\n" not in value)
