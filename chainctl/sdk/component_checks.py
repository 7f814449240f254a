"""A class of components in; what is wrong with its declaration out."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chainctl.errors import DefinitionError
from chainctl.sdk.trigger import EVENTS, as_written, circle_in, triggers_of

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
GENERATED = "__chainctl_generated__"


@dataclass(frozen=True)
class _Fault:
    code: str
    message: str
    hint: str


def check_identifier(cls: type, identifier: object) -> None:
    """Raise DefinitionError for an identifier that is no plain name."""
    if not isinstance(identifier, str) or not _IDENTIFIER.fullmatch(identifier):
        raise DefinitionError(
            f"`{cls.__name__}` cannot be called {identifier!r}.",
            code="CH0907",
            hint='use up to 128 letters, digits, ".", "_" and "-", beginning with a letter or a digit.',
        )


def check_names(cls: type, reserved: frozenset[str]) -> None:
    """Check, before a class becomes a dataclass, what it defines. Raises DefinitionError."""
    faults: list[_Fault] = []
    init = vars(cls).get("__init__")
    if init is not None and not hasattr(init, GENERATED):
        faults.append(
            _Fault(
                "CH0906",
                f"`{cls.__name__}` defines `__init__`, which is made from its fields.",
                "annotate the arguments as fields, and move the work into `postinit`.",
            )
        )
    faults += _reserved(cls, reserved)
    _raise(faults)


def _reserved(cls: type, reserved: frozenset[str]) -> Iterator[_Fault]:
    annotated = inspect.get_annotations(cls)
    for name in sorted({*annotated, *vars(cls)} & reserved):
        kind = "field" if name in annotated else "name"
        yield _Fault(
            "CH0905",
            f"`{cls.__name__}.{name}` takes a {kind} that every component has already.",
            f"give it another name, such as `{cls.__name__.lower()}_{name.strip('_')}`.",
        )


def check_triggers(cls: type, breaks: object) -> None:
    """Check the triggers and `breaks` of a class that is a dataclass. Raises DefinitionError."""
    fields = {field.name for field in dataclasses.fields(cls)}
    faults = [*_trigger_faults(cls, fields), *_circles(cls), *_breaks(cls, breaks, fields)]
    _raise(faults)


def _trigger_faults(cls: type, fields: set[str]) -> Iterator[_Fault]:
    triggers = triggers_of(cls)
    for name, mark in triggers.items():
        method = f"`{cls.__name__}.{name}`"
        if not mark.events or set(mark.events) - EVENTS:
            unknown = ", ".join(repr(e) for e in mark.events if e not in EVENTS) or "no event"
            yield _Fault(
                "CH0904",
                f"{method} is triggered by {unknown}.",
                'the one event is "apply": `@trigger("apply")`.',
            )
        for other in sorted(set(mark.depends_on) - set(triggers)):
            known = _known([t for t in triggers if t != name])
            yield _Fault(
                "CH0902", f"{method} depends on `{other}`, which is no trigger of the class.",
                f"name one of its triggers: {known}." if known else f'put `@trigger("apply")` on `{other}`.',
            )  # fmt: skip
        for other in sorted(set(mark.requires) - fields):
            yield _Fault(
                "CH0903", f"{method} requires `{other}`, which is no field of the class.",
                f"name one of its fields: {_known(fields)}.",
            )  # fmt: skip
        function = as_written(inspect.getattr_static(cls, name))
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            yield _Fault(
                "CH0911", f"{method} is a generator, so calling it does nothing.",
                "return the result instead of yielding it.",
            )  # fmt: skip
        asked = _asked_for(function)
        if asked:
            yield _Fault(
                "CH0911", f"{method} asks for {_known(asked)}, which nothing gives to a trigger.",
                "take only `self`, and read what it needs from fields.",
            )  # fmt: skip


def _asked_for(function: object) -> list[str]:
    """Name the parameters after `self` that have no default."""
    if not inspect.isfunction(function):
        return []
    _, *others = inspect.signature(function).parameters.values() or [None]
    fixed = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [one.name for one in others if one and one.default is one.empty and one.kind not in fixed]


def _circles(cls: type) -> Iterator[_Fault]:
    waits: Mapping[str, Sequence[str]] = {n: m.depends_on for n, m in triggers_of(cls).items()}
    circle = circle_in(waits)
    if circle:
        yield _Fault(
            "CH0901",
            f"triggers of `{cls.__name__}` wait for each other: {' → '.join(circle)}.",
            f"take one of them out of a `depends_on`, such as `{circle[1]}` out of that of `{circle[0]}`.",
        )


def _breaks(cls: type, breaks: object, fields: set[str]) -> Iterator[_Fault]:
    names = breaks if isinstance(breaks, (tuple, list)) else (breaks,)
    for name in sorted(str(name) for name in names if name not in fields):
        yield _Fault(
            "CH0903",
            f"`{cls.__name__}.breaks` names `{name}`, which is no field of the class.",
            f"name some of its fields: {_known(fields)}.",
        )


def _known(names: Sequence[str] | set[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _raise(faults: Sequence[_Fault]) -> None:
    if faults:
        first, *others = faults
        details = [fault.message for fault in others]
        raise DefinitionError(first.message, code=first.code, hint=first.hint, details=details)
