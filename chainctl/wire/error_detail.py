"""An exception in; a bounded description of it and of what led to it, with a JSON form, out.

An exception that came from another service carries its Origin, so that it goes on to the next caller
as what it was there: each hop adds its own frames, and no text is told twice.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Optional

import pydantic
from typing_extensions import Self

from chainctl.wire.stack_frames import MOST_FRAMES, user_frames

LONGEST_MESSAGE = 8000
LONGEST_LINE = 500
MOST_LINKS = 24
_MOST_NOTES = 10
_MOST_MEMBERS = 8
_DEEPEST_GROUP = 4
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ORIGIN = "__chainctl_origin__"

Clean = Callable[[str], str]
Relation = Literal["call", "cause", "context", "member"]


def unchanged(text: str) -> str:
    """Return a text as it is: for who has no secrets to take out of it."""
    return text


class StackFrame(pydantic.BaseModel):
    """One line of a traceback."""

    filename: str
    lineno: Optional[int] = None
    name: str
    line: Optional[str] = None


class ErrorLink(pydantic.BaseModel):
    """One exception on the way to the root of an error.

    `relation` says how the one before came by it: it `call`ed the chainlet that raised it, it was
    raised from it (`cause`), while it was handled (`context`), or it is a group with this `member`.
    `status` is the HTTP status of the answer that told of it.
    """

    relation: Relation = "call"
    chainlet: Optional[str] = None
    status: Optional[int] = None
    exception_cls_name: str = ""
    exception_module_name: Optional[str] = None
    exception_message: str = ""
    user_stack_trace: list[StackFrame] = []
    notes: list[str] = []

    @property
    def headline(self) -> str:
        """The last line of a traceback."""
        return f"{self.exception_cls_name}: {self.exception_message}"


class RemoteErrorDetail(pydantic.BaseModel):
    """What a caller learns of an exception in a remote chainlet: type, message, the user's frames.

    `chainlet` is where it was raised, `status` the HTTP status that user code set, `chain` what led
    to it, the root last.
    """

    exception_cls_name: str
    exception_module_name: Optional[str] = None
    exception_message: str
    user_stack_trace: list[StackFrame] = []
    chainlet: Optional[str] = None
    status: Optional[int] = None
    notes: list[str] = []
    chain: list[ErrorLink] = []

    @classmethod
    def of(
        cls, error: BaseException, *, chainlet: Optional[str] = None, clean: Clean = unchanged
    ) -> RemoteErrorDetail:
        """Describe an exception without the framework's own frames; `clean` takes secrets out of each text."""
        link = _link(error, "call", clean)
        return cls(
            **link.model_dump(exclude={"relation", "chainlet", "status"}),
            chainlet=chainlet,
            status=status_set_by(error),
            chain=_trimmed([_cleaned(link, clean) for link in itertools.islice(_links(error, clean), 500)]),
        )

    def format(self) -> str:
        """Render it as Python renders a traceback."""
        shown = f"{self.exception_cls_name}: {self.exception_message}"
        return "\n".join(
            ["Chainlet-Traceback (most recent call last):", *frame_lines(self.user_stack_trace), shown]
        )

    def bounded(self) -> Self:
        """Return a copy of a description by a stranger that is safe to print and not larger than our own."""
        links = [_cleaned(link, unchanged) for link in _trimmed(self.chain)]
        head = _cleaned(ErrorLink(**self.model_dump(exclude={"chainlet", "status", "chain"})), unchanged)
        status = self.status if _is_error_status(self.status) else None
        values = head.model_dump(exclude={"relation", "chainlet", "status"})
        return self.model_copy(
            update={
                **{name: getattr(head, name) for name in values},
                "chainlet": shortened(self.chainlet or "", LONGEST_LINE) or None,
                "status": status,
                "chain": links,
            }
        )


@dataclass(frozen=True)
class Origin:
    """Where an exception came from: the chainlet that was called, the HTTP status and kind of its answer."""

    chainlet: str
    status: int
    kind: str
    detail: RemoteErrorDetail


def with_origin(error: Exception, origin: Origin) -> Exception:
    """Note on an exception where it came from."""
    vars(error)[_ORIGIN] = origin
    return error


def origin_of(error: BaseException) -> Optional[Origin]:
    """Return where an exception came from, None when it was raised in this process."""
    origin = getattr(error, "__dict__", {}).get(_ORIGIN)
    return origin if isinstance(origin, Origin) else None


def status_set_by(error: BaseException) -> Optional[int]:
    """Return the HTTP status of an error that user code gave it, here or in a service below, None for none.

    The exceptions of web frameworks hold it in `status_code`. A group has the status on which all
    its members agree.
    """
    origin = origin_of(error)
    if origin is not None:
        return origin.detail.status
    members = members_of(error)
    if members:
        statuses = {status_set_by(member) for member in members}
        return statuses.pop() if len(statuses) == 1 else None
    try:
        status = getattr(error, "status_code", None)
    except Exception:  # noqa: BLE001  # a property of the user's class
        return None
    return int(status) if status is not None and _is_error_status(status) else None


def _is_error_status(status: Any) -> bool:
    return isinstance(status, int) and not isinstance(status, bool) and 400 <= status <= 599


def members_of(error: BaseException) -> Sequence[BaseException]:
    """The exceptions that an exception group holds, none for another exception."""
    if not any(base.__name__ == "BaseExceptionGroup" for base in type(error).__mro__):  # Python 3.10 has none
        return ()
    return tuple(e for e in getattr(error, "exceptions", ()) if isinstance(e, BaseException))


def frame_lines(frames: Sequence[StackFrame]) -> list[str]:
    """Frames as Python prints them; source lines come from the frames only, never from files here."""
    lines = []
    for frame in frames:
        lines.append(f'  File "{frame.filename}", line {frame.lineno or 0}, in {frame.name}')
        lines += [f"    {frame.line.strip()}"] if frame.line and frame.line.strip() else []
    return lines


def shortened(text: str, longest: int) -> str:
    """Return a text that can be printed anywhere: valid Unicode, no control characters, its middle left out.

    `longest` is in characters, at least 100. What was shortened once stays as it is.
    """
    length = len(text)
    if length > 2 * longest:
        text = text[:longest] + text[-longest:]
    text = _CONTROLS.sub(_escaped, text.replace("\r\n", "\n")).encode("utf-8", "backslashreplace").decode()
    if len(text) <= longest:
        return text
    gap = f" … ({max(length, len(text)) - longest} characters left out) … "
    room = longest - len(gap)
    return f"{text[: room * 2 // 3]}{gap}{text[-(room // 3) :]}"


def _escaped(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]):02x}"


def _links(error: BaseException, clean: Clean, depth: int = 0) -> Iterator[ErrorLink]:
    """What led to an exception, the root last."""
    seen: set[int] = set()
    current: Optional[BaseException] = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        origin = origin_of(current)
        if origin is not None:
            yield from _links_from(origin)
            return
        yield from _member_links(current, clean, depth)
        current, relation = _before(current)
        if current is not None and id(current) not in seen and not _is_internal(current):
            yield _link(current, relation, clean)


def _before(error: BaseException) -> tuple[Optional[BaseException], Relation]:
    if error.__cause__ is not None:
        return error.__cause__, "cause"
    return (None if error.__suppress_context__ else error.__context__), "context"


def _is_internal(error: BaseException) -> bool:
    """Whether an exception was raised and handled where the user's code is not: it explains nothing to the user."""
    return error.__traceback__ is not None and origin_of(error) is None and not user_frames(error)


def _member_links(error: BaseException, clean: Clean, depth: int) -> Iterator[ErrorLink]:
    if depth == _DEEPEST_GROUP:
        return
    for member in members_of(error)[:_MOST_MEMBERS]:
        yield _link(member, "member", clean)
        yield from _links(member, clean, depth + 1)


def _links_from(origin: Origin) -> Iterator[ErrorLink]:
    detail = origin.detail
    values = detail.model_dump(exclude={"chain", "chainlet", "status"})
    yield ErrorLink(relation="call", chainlet=origin.chainlet, status=origin.status, **values)
    yield from detail.chain


def _link(error: BaseException, relation: Relation, clean: Clean) -> ErrorLink:
    origin = origin_of(error)
    name, module = type(error).__name__, type(error).__module__
    if origin is not None:
        name = origin.detail.exception_cls_name
        module = origin.detail.exception_module_name or module
    notes = getattr(error, "__notes__", None)
    link = ErrorLink(
        relation=relation,
        exception_cls_name=name,
        exception_module_name=module,
        exception_message=origin.detail.exception_message if origin else _message(error),
        user_stack_trace=[
            StackFrame(filename=f.filename, lineno=f.lineno, name=f.name, line=f.line)
            for f in user_frames(error)
        ],
        notes=[n for n in notes if isinstance(n, str)] if isinstance(notes, (list, tuple)) else [],
    )
    return _cleaned(link, clean)


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  # the user's class may do anything when it is printed
        return "<the message cannot be printed>"


def _cleaned(link: ErrorLink, clean: Clean) -> ErrorLink:
    """Bound all texts of a link. Secrets go first: a cut may leave a part of one that is not known as one."""

    def line(text: str) -> str:
        return shortened(clean(text), LONGEST_LINE)

    return ErrorLink(
        relation=link.relation,
        chainlet=line(link.chainlet) if link.chainlet else None,
        status=link.status if _is_error_status(link.status) else None,
        exception_cls_name=line(link.exception_cls_name),
        exception_module_name=line(link.exception_module_name) if link.exception_module_name else None,
        exception_message=shortened(clean(link.exception_message), LONGEST_MESSAGE),
        user_stack_trace=[
            StackFrame(
                filename=line(f.filename),
                lineno=f.lineno if f.lineno is not None and 0 <= f.lineno < 1 << 31 else None,
                name=line(f.name),
                line=line(f.line) if f.line else None,
            )
            for f in link.user_stack_trace[-MOST_FRAMES:]
        ],
        notes=[shortened(clean(note), LONGEST_MESSAGE) for note in link.notes[:_MOST_NOTES]],
    )


def _trimmed(links: Sequence[ErrorLink]) -> list[ErrorLink]:
    """Leave the middle out of a long chain: the root is at its end."""
    if len(links) <= MOST_LINKS:
        return list(links)
    half = MOST_LINKS // 2
    gap = ErrorLink(relation="context", exception_message=f"({len(links) - 2 * half + 1} more left out)")
    return [*links[: half - 1], gap, *links[-half:]]
