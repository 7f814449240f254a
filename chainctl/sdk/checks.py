"""A chainlet class in; everything that is wrong with its declaration out, each with its place."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterable, Iterator
from typing import Any, Optional

import pydantic

from chainctl.errors import Problem
from chainctl.sdk.chainlet import ChainletBase, has_own_init
from chainctl.sdk.config import BasetenImage, CustomImage, RemoteConfig
from chainctl.sdk.context import DeploymentContext
from chainctl.sdk.declaration import (
    CONTEXT,
    ENDPOINT,
    is_iterator,
    item_type,
    resolve_target,
    resolved_hints,
)
from chainctl.sdk.locate import SourceFile, Span
from chainctl.sdk.markers import ContextMarker, DependencyMarker, name_of, target_of

_DISPLAY_NAME = re.compile(r"^[a-zA-Z0-9_-]+\Z")
_POSITIONAL_ONLY = inspect.Parameter.POSITIONAL_ONLY
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def problems_of(cls: type) -> list[Problem]:
    """Check one class: configuration, `__init__`, `run_remote`, `is_healthy`."""
    subject = _Subject(cls)
    checks = (_config_problems, _init_problems, _endpoint_problems, _health_problems)
    return [problem for check in checks for problem in check(subject)]


def is_chainlet(obj: object) -> bool:
    """Say whether an object is a class that derives from ChainletBase."""
    return isinstance(obj, type) and issubclass(obj, ChainletBase) and obj is not ChainletBase


class _Subject:
    """The class under check, with the places of its members looked up once."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.name = cls.__name__
        self._sources: dict[str, SourceFile] = {}

    def owner(self, member: str) -> type:
        """The class in the user's inheritance line that defines a member, the class itself if none does."""
        return next((c for c in self.cls.__mro__ if member in vars(c) and c is not ChainletBase), self.cls)

    def source(self, owner: type) -> SourceFile:
        if owner.__module__ not in self._sources:
            self._sources[owner.__module__] = SourceFile.of_module(owner.__module__)
        return self._sources[owner.__module__]

    def at_class(self) -> Span:
        return self.source(self.cls).of_class(self.cls.__qualname__)

    def at(self, member: str) -> Span:
        owner = self.owner(member)
        return self.source(owner).of_method(owner.__qualname__, member)

    def at_parameter(self, member: str, parameter: str) -> Span:
        owner = self.owner(member)
        return self.source(owner).of_parameter(owner.__qualname__, member, parameter)

    def at_return(self, member: str) -> Span:
        owner = self.owner(member)
        return self.source(owner).of_return(owner.__qualname__, member)


# --- configuration ---------------------------------------------------------------------------


def _config_problems(subject: _Subject) -> Iterator[Problem]:
    config = getattr(subject.cls, "remote_config", None)
    if not isinstance(config, RemoteConfig):
        yield subject.at("remote_config").problem(
            "CH0502",
            f"`{subject.name}.remote_config` is {_a(config)}, not a `chains.RemoteConfig`",
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
    yield from _ineffective(subject, config)


def _image_problems(subject: _Subject, config: RemoteConfig) -> Iterator[Problem]:
    image = config.docker_image
    if image.base_image is BasetenImage.PY39:
        yield subject.at("remote_config").problem(
            "CH0509",
            f"`{subject.name}` asks for Python 3.9, which the runtime in the image does not support",
            help="use `BasetenImage.PY310` or newer",
        )
    paths = [image.requirements_file, image.pip_requirements_file, image.data_dir]
    for path in [*paths, *(image.external_package_dirs or ())]:
        if path is not None and not path.path.exists():
            yield subject.at("remote_config").problem(
                "CH0505",
                f"`{subject.name}` needs `{path.original}`, but there is nothing at {path}",
                help="paths given to `make_abs_path_here` are relative to the file that calls it",
            )


def _ineffective(subject: _Subject, config: RemoteConfig) -> Iterator[Problem]:
    """Warn of what is accepted so that files carry over, and changes nothing here."""
    base = config.docker_image.base_image
    written = {
        "docker_auth": isinstance(base, CustomImage) and base.docker_auth is not None,
        "truss_server_version_override": config.docker_image.truss_server_version_override is not None,
        "instance_type": config.compute.instance_type is not None,
        "cached": bool(config.assets.cached),
        "external_data": bool(config.assets.external_data),
        "weights": bool(config.assets.weights),
        "enable_b10_tracing": config.options.enable_b10_tracing,
        "transport": config.options.transport is not None,
        "streaming_read_timeout": "streaming_read_timeout" in config.options.model_fields_set,
    }
    names = [f"`{name}`" for name, is_written in written.items() if is_written]
    if names:
        yield subject.at("remote_config").problem(
            "CH0510",
            f"`{subject.name}` sets {', '.join(names)}, which has no effect here",
            help="it is accepted so that the file carries over; do not rely on it",
            severity="warning",
        )


# --- __init__ --------------------------------------------------------------------------------


def _init_problems(subject: _Subject) -> Iterator[Problem]:
    if not has_own_init(subject.cls):
        return
    init = inspect.getattr_static(subject.cls, "__init__")
    parameters = list(inspect.signature(init).parameters.values()) if inspect.isfunction(init) else []
    if not parameters or parameters[0].name != "self":
        yield subject.at("__init__").problem(
            "CH0301",
            f"`{subject.name}.__init__` must take `self` first",
            help="write `def __init__(self, …)`",
        )
        return
    hints = _hints(subject, "__init__")
    for parameter in parameters[1:]:
        if parameter.name == CONTEXT or isinstance(parameter.default, ContextMarker):
            last = parameters[-1] is parameter
            yield from _context_problems(subject, parameter, hints, is_last=last)
        else:
            yield from _dependency_problems(subject, parameter, hints)
    yield from _repeated_dependencies(subject, parameters)


def _context_problems(
    subject: _Subject, parameter: inspect.Parameter, hints: dict[str, Any], *, is_last: bool
) -> Iterator[Problem]:
    at = subject.at_parameter("__init__", parameter.name)
    written = "`context: chains.DeploymentContext = chains.depends_context()`"
    if parameter.name != CONTEXT or not isinstance(parameter.default, ContextMarker):
        yield at.problem(
            "CH0302",
            f"`{subject.name}.__init__`: an argument named `context` and the default"
            " `chains.depends_context()` go together",
            help=f"write {written}",
        )
    annotation = hints.get(parameter.name, DeploymentContext)
    if not (isinstance(annotation, type) and issubclass(annotation, DeploymentContext)):
        yield at.problem(
            "CH0303",
            f"`{subject.name}.__init__`: `context` is annotated as {_a(annotation)}",
            help=f"write {written}",
        )
    if not is_last:
        yield at.problem(
            "CH0304",
            f"`{subject.name}.__init__`: `context` must be the last argument",
            help="move it behind the dependencies",
        )


def _dependency_problems(
    subject: _Subject, parameter: inspect.Parameter, hints: dict[str, Any]
) -> Iterator[Problem]:
    at = subject.at_parameter("__init__", parameter.name)
    if parameter.kind in (*_VARIADIC, _POSITIONAL_ONLY):
        yield at.problem(
            "CH0307",
            f"`{subject.name}.__init__` takes `{parameter.name}` by position or collects it, but arguments"
            " are given by name",
            help="name every dependency as an argument of its own",
        )
    elif not isinstance(parameter.default, DependencyMarker):
        yield at.problem(
            "CH0305",
            f"`{subject.name}.__init__`: nothing can give `{parameter.name}` when the chainlet is deployed",
            note="a chainlet's arguments are other chainlets (`chains.depends(…)`) and the context",
            help="make it a class variable, a constant, or an environment variable in"
            " `ChainletOptions(env_variables=…)`",
        )
    else:
        yield from _target_problems(subject, parameter, hints)


def _target_problems(
    subject: _Subject, parameter: inspect.Parameter, hints: dict[str, Any]
) -> Iterator[Problem]:
    at = subject.at_parameter("__init__", parameter.name)
    written = target_of(parameter.default)
    target = resolve_target(subject.cls, written)
    if target is subject.cls:
        yield at.problem(
            "CH0202",
            f"`{subject.name}` depends on itself",
            help="move the repeated part into a chainlet of its own, or call a method",
        )
    elif target is None and isinstance(written, str):
        yield at.problem(
            "CH0207",
            f"`{subject.name}` depends on `{written}`, but its module has no such chainlet",
            help="check the spelling, or import the class and name it without quotes",
        )
    elif target is None or not is_chainlet(target):
        yield at.problem(
            "CH0204",
            f"`{subject.name}` depends on `{name_of(written)}`, which is no chainlet",
            help="derive it from `chains.ChainletBase`, or use it directly without `depends`",
        )
    elif not _fits(hints.get(parameter.name), target):
        yield at.problem(
            "CH0306",
            f"`{parameter.name}` is annotated as {_a(hints[parameter.name])}, but gets `{target.__name__}`",
            help=f"annotate it as `{target.__name__}`, one of its bases, or a `Protocol`",
        )


def _fits(annotation: Any, target: type) -> bool:
    if annotation is None or annotation is Any or inspect.getattr_static(annotation, "_is_protocol", False):
        return True
    return isinstance(annotation, type) and issubclass(target, annotation)


def _repeated_dependencies(subject: _Subject, parameters: Iterable[inspect.Parameter]) -> Iterator[Problem]:
    seen: dict[type, str] = {}
    for parameter in parameters:
        if not isinstance(parameter.default, DependencyMarker):
            continue
        target = resolve_target(subject.cls, target_of(parameter.default))
        if target is not None and target in seen:
            yield subject.at_parameter("__init__", parameter.name).problem(
                "CH0203",
                f"`{subject.name}` takes `{target.__name__}` twice: as `{seen[target]}` and as"
                f" `{parameter.name}`",
                help="one argument is enough: there is one service of each chainlet",
            )
        elif target is not None:
            seen[target] = parameter.name


# --- run_remote ------------------------------------------------------------------------------


def _endpoint_problems(subject: _Subject) -> Iterator[Problem]:
    function = inspect.getattr_static(subject.cls, ENDPOINT, None)
    if function is None:
        yield subject.at_class().problem(
            "CH0401",
            f"`{subject.name}` has no `run_remote`, so it cannot be called",
            help="add `def run_remote(self, …) -> …`; a shared base that is no chainlet should be"
            " a mix-in that does not derive from `ChainletBase`",
        )
        return
    if not inspect.isfunction(function):
        yield subject.at(ENDPOINT).problem(
            "CH0402",
            f"`{subject.name}.run_remote` is {_a(function)}, not a method",
            help="write `def run_remote(self, …) -> …`, without `@staticmethod` or `@classmethod`",
        )
        return
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].name != "self":
        yield subject.at(ENDPOINT).problem(
            "CH0403",
            f"`{subject.name}.run_remote` must take `self` first",
            help="write `def run_remote(self, …)`",
        )
        return
    hints = _hints(subject, ENDPOINT)
    if _unresolved(subject, ENDPOINT) is not None:
        yield _unresolved_problem(subject, ENDPOINT)
        return
    for parameter in parameters[1:]:
        yield from _parameter_problems(subject, parameter, hints)
    yield from _return_problems(subject, function, hints)


def _parameter_problems(
    subject: _Subject, parameter: inspect.Parameter, hints: dict[str, Any]
) -> Iterator[Problem]:
    at = subject.at_parameter(ENDPOINT, parameter.name)
    if parameter.kind in (*_VARIADIC, _POSITIONAL_ONLY):
        yield at.problem(
            "CH0408",
            f"`{subject.name}.run_remote` takes `{parameter.name}` by position or collects it, but"
            " calls between chainlets go by name",
            help="name each argument; for several values take a `list[…]`, for options a model",
        )
    elif parameter.name not in hints:
        yield at.problem(
            "CH0404",
            f"`{subject.name}.run_remote`: argument `{parameter.name}` has no type",
            help=f"annotate it, such as `{parameter.name}: str`",
        )
    else:
        yield from _type_problems(at, f"argument `{parameter.name}`", hints[parameter.name])


def _return_problems(subject: _Subject, function: Any, hints: dict[str, Any]) -> Iterator[Problem]:
    if "return" not in hints:
        yield subject.at(ENDPOINT).problem(
            "CH0405",
            f"`{subject.name}.run_remote` does not say what it returns",
            help="annotate it: `-> str`, `-> SomeModel`, `-> None`",
        )
        return
    at = subject.at_return(ENDPOINT)
    returns = hints["return"]
    yields = inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function)
    if yields or is_iterator(returns):
        yield from _stream_problems(subject, at, function, returns, yields=yields)
    else:
        yield from _type_problems(at, "the result", returns)


def _stream_problems(
    subject: _Subject, at: Span, function: Any, returns: Any, *, yields: bool
) -> Iterator[Problem]:
    name = f"`{subject.name}.run_remote`"
    if not yields:
        yield at.problem(
            "CH0410",
            f"{name} says that it returns an iterator, but it never yields",
            help="use `yield`, or return a `list[…]`",
        )
    elif not is_iterator(returns):
        yield at.problem(
            "CH0411",
            f"{name} yields, but says that it returns {_a(returns)}",
            help="annotate it as `-> AsyncIterator[str]` or `-> AsyncIterator[bytes]`",
        )
    elif inspect.isgeneratorfunction(function):
        yield at.problem(
            "CH0414",
            f"{name} is a sync generator; streams need `async def`",
            help="write `async def run_remote(…) -> AsyncIterator[…]`",
        )
    elif not typing.get_args(returns):
        yield at.problem(
            "CH0412",
            f"{name} streams items without saying of which type",
            help="annotate it as `-> AsyncIterator[str]` or `-> AsyncIterator[bytes]`",
        )
    elif item_type(returns) not in (str, bytes):
        yield at.problem(
            "CH0413",
            f"{name} streams {_a(item_type(returns))}; streams carry `str` or `bytes`",
            help="serialise items yourself, such as `yield item.model_dump_json()`",
        )


def _type_problems(at: Span, what: str, annotation: Any) -> Iterator[Problem]:
    missing = placeholder_in(annotation)
    if missing is not None:
        yield at.problem(
            "CH0409",
            f"the type of {what} is `{missing}`, which is not installed here",
            note="types in a signature must be known to check them and to publish their schema",
            help=f"install `{missing.split('.')[0]}` here, or send a pydantic model, `bytes` or a"
            " built-in type instead",
        )
        return
    try:
        pydantic.TypeAdapter(annotation)
    except Exception as error:  # noqa: BLE001  # a user's own schema hooks run here
        yield at.problem(
            "CH0406",
            f"{what} is {_a(annotation)}, which cannot be sent between services",
            note=str(error).split("\n", maxsplit=1)[0],
            help="use what pydantic can validate: built-in types, containers, enums, dataclasses,"
            " pydantic models",
        )


def placeholder_in(annotation: Any) -> Optional[str]:
    """Return the dotted name of a missing import that an annotation contains, None when it has none."""
    name = inspect.getattr_static(annotation, "__chainctl_missing__", None)
    if isinstance(name, str):
        return name
    for argument in typing.get_args(annotation):
        found = placeholder_in(argument)
        if found:
            return found
    return None


# --- is_healthy ------------------------------------------------------------------------------


def _health_problems(subject: _Subject) -> Iterator[Problem]:
    function = inspect.getattr_static(subject.cls, "is_healthy", None)
    if function is None:
        return
    at = subject.at("is_healthy")
    written = "write `def is_healthy(self) -> bool`"
    if not inspect.isfunction(function):
        yield at.problem(
            "CH0701", f"`{subject.name}.is_healthy` is {_a(function)}, not a method", help=written
        )
        return
    names = list(inspect.signature(function).parameters)
    if not names or names[0] != "self":
        yield at.problem("CH0702", f"`{subject.name}.is_healthy` must take `self` first", help=written)
    elif len(names) > 1:
        yield at.problem(
            "CH0703",
            f"`{subject.name}.is_healthy` takes `{names[1]}`, but nobody gives it arguments",
            help=written,
        )
    if _unresolved(subject, "is_healthy") is not None:
        yield _unresolved_problem(subject, "is_healthy")
        return
    hints = _hints(subject, "is_healthy")
    if "return" not in hints:
        yield at.problem(
            "CH0704",
            f"`{subject.name}.is_healthy` does not say that it returns a bool",
            help=written,
        )
    elif hints["return"] is not bool:
        yield at.problem(
            "CH0705",
            f"`{subject.name}.is_healthy` returns {_a(hints['return'])}, not a bool",
            help=written,
        )


# --- annotations -----------------------------------------------------------------------------


def _hints(subject: _Subject, member: str) -> dict[str, Any]:
    """Resolved annotations of a member, empty when one of them cannot be resolved."""
    function = inspect.getattr_static(subject.cls, member)
    if _unresolved(subject, member) is not None:
        return {}
    return resolved_hints(subject.owner(member), function)


def _unresolved(subject: _Subject, member: str) -> Optional[Exception]:
    try:
        resolved_hints(subject.owner(member), inspect.getattr_static(subject.cls, member))
    except Exception as error:  # noqa: BLE001  # an annotation in a string is code of the user's
        return error
    return None


def _unresolved_problem(subject: _Subject, member: str) -> Problem:
    return subject.at(member).problem(
        "CH0407",
        f"`{subject.name}.{member}`: an annotation cannot be resolved: {_unresolved(subject, member)}",
        help="import the name at module level (not under `if TYPE_CHECKING`)",
    )


def _a(value: object) -> str:
    """Describe a value or a type in a few characters."""
    if isinstance(value, type):
        return f"`{value.__name__}`"
    try:
        shown = repr(value)
    except Exception:  # noqa: BLE001  # a user's own class may do anything when it is printed
        return f"a `{type(value).__name__}`"
    is_short = len(shown) < 60 and " at 0x" not in shown
    return f"`{shown}`" if is_short else f"a `{type(value).__name__}`"
