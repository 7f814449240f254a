"""The inputs of two images in; what differs, as values and in words, out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from chainctl.build.inputs import LAST_RESORT, Input, InputKind

_ORDER = list(InputKind)
_FILES = (InputKind.LOCAL_PACKAGE, InputKind.DATA, InputKind.PACKAGE_DIRECTORY, InputKind.FILE)
# What stands before the label of an input; the others are told by their label alone.
_NOUNS = {
    InputKind.CERTIFICATE: "certificate ",
    InputKind.APT_PACKAGE: "apt package ",
    InputKind.BUILD_COMMAND: "build command ",
    InputKind.VARIABLE: "environment variable ",
}


class Change(StrEnum):
    """What happened to an input."""

    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"


class Circumstance(StrEnum):
    """Why an image is built where no two sets of inputs can be compared, or they are equal."""

    FIRST = "the first of this chain"
    NEW = "new chainlet"
    GONE = "the image is gone from the engine"
    UNRECORDED = "it changed, but the last release has no record of its inputs"


@dataclass(frozen=True, slots=True)
class Difference:
    """One input that differs. `before` and `after` are its values, "" where there are none to show."""

    change: Change
    kind: InputKind
    name: str
    label: str
    before: str
    after: str
    why: str


Reason = Difference | Circumstance


def differences(before: Sequence[Input], after: Sequence[Input]) -> tuple[Difference, ...]:
    """Compare the inputs of two images. What costs most comes first, then changed before added and removed."""
    found = sorted(_all(before, after), key=lambda d: (_ORDER.index(d.kind), list(Change).index(d.change)))
    kinds = {difference.kind for difference in found}
    return tuple(d for d in found if not kinds & LAST_RESORT.get(d.kind, frozenset()))


def _all(before: Sequence[Input], after: Sequence[Input]) -> Iterator[Difference]:
    olds = {(old.kind, old.name): old for old in before}
    news = {(new.kind, new.name): new for new in after}
    for key, new in news.items():
        old = olds.get(key)
        if old is None:
            yield _difference(Change.ADDED, new, "", new.value)
        elif old.digest != new.digest:
            yield _difference(Change.CHANGED, new, old.value, new.value)
    for key, old in olds.items():
        if key not in news:
            yield _difference(Change.REMOVED, old, old.value, "")


def _difference(change: Change, of: Input, before: str, after: str) -> Difference:
    return Difference(change, of.kind, of.name, of.label or of.name, before, after, of.why)


def summary(reasons: Sequence[Reason]) -> str:
    """The first reason, with a count of further ones."""
    if not reasons:
        return ""
    more = len(reasons) - 1
    return reason_text(reasons[0]) + (f", and {more} more" if more else "")


def reason_text(reason: Reason) -> str:
    """One line that says why an image is built."""
    if isinstance(reason, Circumstance):
        return reason.value
    why = f" ({'was ' if _is_left_out(reason) else ''}{reason.why})" if reason.why else ""
    return f"{_what(reason)}{why}"


def _what(difference: Difference) -> str:
    before, after = difference.before, difference.after
    is_told = difference.change is Change.CHANGED and before != after
    match difference.kind:
        case InputKind.RUNTIME:
            return "chainctl itself changed" + (f": {before} → {after}" if is_told else "")
        case InputKind.TEMPLATE:
            return "the Dockerfile that chainctl writes changed"
        case InputKind.APT_LIST:
            return "the order of the apt packages changed"
        case InputKind.BASE_IMAGE:
            return f"base image {before} → {after}"
        case InputKind.PYTHON:
            return f"Python {before} → {after}"
        case InputKind.REQUIREMENTS_FILE if difference.change is Change.CHANGED:
            return f"{difference.label} changed, but no package in it"
        case kind if kind in _FILES and is_told:
            return f"{difference.label} is {'now' if after else 'no longer'} executable"
        case _:
            return _named(difference, is_told=is_told)


def _named(difference: Difference, *, is_told: bool) -> str:
    what = f"{_NOUNS.get(difference.kind, '')}{difference.label}"
    if is_told:
        return f"{what} {difference.before or 'any'} → {difference.after or 'any'}"
    if difference.change is Change.ADDED and difference.kind not in _FILES and difference.after:
        return f"{what} {difference.after} added"
    if _is_left_out(difference):
        return f"{what} is no longer part of it"
    return f"{what} {difference.change}"


def _is_left_out(difference: Difference) -> bool:
    """Say whether a file is gone: it may have been removed, or nothing asks for it any more."""
    return difference.change is Change.REMOVED and difference.kind is InputKind.FILE and bool(difference.why)
