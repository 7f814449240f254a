"""A class under check in; what is wrong with its `remote_config`, and with the files that it names, out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from chainctl.errors import Problem
from chainctl.sdk.config import BasetenImage, HTTPOptions, RemoteConfig, WebsocketOptions
from chainctl.sdk.paths import AbsPath
from chainctl.sdk.subject import Subject, shown
from chainctl.sdk.websocket_checks import takes_websocket

_DISPLAY_NAME = re.compile(r"^[a-zA-Z0-9_-]+\Z")


def config_problems(subject: Subject) -> Iterator[Problem]:
    config = getattr(subject.cls, "remote_config", None)
    if not isinstance(config, RemoteConfig):
        yield subject.at("remote_config").problem(
            "CH0502",
            f"`{subject.name}.remote_config` is {shown(config)}, not a `chains.RemoteConfig`",
            help="write `remote_config = chains.RemoteConfig(…)`, or leave it out for the defaults",
        )
        return
    name = config.name or subject.name
    if not _DISPLAY_NAME.match(name):
        yield subject.at("remote_config").problem(
            "CH0501",
            f"the name {name!r} cannot name a chainlet: it must match ^[a-zA-Z0-9_-]+$",
            help='rename it in `RemoteConfig(name="…")`: letters, digits, `_` and `-`',
        )
    yield from _image_problems(subject, config)
    yield from _transport_problems(subject, config)


def _image_problems(subject: Subject, config: RemoteConfig) -> Iterator[Problem]:
    image = config.docker_image
    if image.base_image is BasetenImage.PY39:
        yield subject.at("remote_config").problem(
            "CH0509",
            f"`{subject.name}` asks for Python 3.9, which the runtime in the image does not support",
            help="use `BasetenImage.PY310` or newer",
        )


def file_problems(subject: Subject) -> Iterator[Problem]:
    """Check that the files that the image is made from are there: where it was made already, they are not."""
    config = getattr(subject.cls, "remote_config", None)
    if not isinstance(config, RemoteConfig):
        return  # told by `config_problems`
    image = config.docker_image
    for path in (image.requirements_file, image.pip_requirements_file):
        if path is not None and not path.path.is_file():
            yield _misplaced(subject, path, "a file")
    for path in (image.data_dir, *(image.external_package_dirs or ())):
        if path is not None and not path.path.is_dir():
            yield _misplaced(subject, path, "a directory")


def _misplaced(subject: Subject, path: AbsPath, wanted: str) -> Problem:
    if not path.path.exists():
        return subject.at("remote_config").problem(
            "CH0505",
            f"`{subject.name}` needs `{path.original}`, but there is nothing at {path}",
            help="paths given to `make_abs_path_here` are relative to the file that calls it",
        )
    found = "a directory" if path.path.is_dir() else "a file"
    return subject.at("remote_config").problem(
        "CH0505",
        f"`{subject.name}` needs `{path.original}` to be {wanted}, but {path} is {found}",
        help=f"name {wanted}",
    )


def _transport_problems(subject: Subject, config: RemoteConfig) -> Iterator[Problem]:
    by_websocket = takes_websocket(subject.cls)
    if isinstance(config.options.transport, HTTPOptions if by_websocket else WebsocketOptions):
        yield subject.at("remote_config").problem(
            "CH0511",
            f"`{subject.name}` sets the transport `{type(config.options.transport).__name__}`, but its"
            f" `run_remote` is called by {'websocket' if by_websocket else 'requests'}",
            help=f"{'use `WebsocketOptions(…)`' if by_websocket else 'use `HTTPOptions()`'}, or leave"
            " `transport` out: the argument of `run_remote` decides",
        )
