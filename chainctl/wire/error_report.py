"""The description of an error that came through some services in; one readable tree, the root at the bottom, out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Optional

from chainctl.wire.error_detail import ErrorLink, RemoteErrorDetail, frame_lines

_TITLE = "(showing chained remote errors, root error at the bottom)"
_RELATIONS = {
    "cause": "Raised from:",
    "context": "Raised while this was handled:",
    "member": "One of the group:",
}


def error_report(chainlet: str, status: int, detail: RemoteErrorDetail) -> str:
    """Render what a call of `chainlet` failed with: one block for each hop and each cause."""
    values = detail.model_dump(exclude={"chain", "chainlet", "status"})
    head = ErrorLink(relation="call", chainlet=chainlet, status=status, **values)
    return "\n".join([_TITLE, *_blocks([head, *detail.chain])])


def local_report(detail: RemoteErrorDetail) -> str:
    """Render what was raised in this service, for its log: the error, its own frames, then what led to it."""
    first, *notes = _headline(ErrorLink(**detail.model_dump(exclude={"chain", "chainlet", "status"})))
    return "\n".join([first, *notes, *frame_lines(detail.user_stack_trace), *_blocks(detail.chain)])


def _blocks(links: Sequence[ErrorLink]) -> Iterator[str]:
    following_ones: list[Optional[ErrorLink]] = [*links[1:], None]
    for link, following in zip(links, following_ones, strict=False):  # of no link nothing follows
        yield f"├─ {_opening(link)}"
        if link.relation == "call" or link.user_stack_trace:
            yield "│   Chainlet-Traceback (most recent call last):"
        yield from (f"│   {line}" for line in frame_lines(link.user_stack_trace))
        if following is None:
            first, *more = _headline(link)
            yield from (f"╰   {first}", *(f"    {line}" for line in more))
        elif not _goes_on(link, following):
            yield from (f"│   {line}" for line in _headline(link))


def _opening(link: ErrorLink) -> str:
    if link.relation != "call":
        return _RELATIONS[link.relation]
    return f"Error calling dependency chainlet `{link.chainlet}`, HTTP status={link.status}."


def _goes_on(link: ErrorLink, following: Optional[ErrorLink]) -> bool:
    """Whether a link only hands on the error of the service that it called, so that its text is told there."""
    return following is not None and following.relation == "call" and link.headline == following.headline


def _headline(link: ErrorLink) -> list[str]:
    text = link.headline if link.exception_cls_name else link.exception_message
    return [*(text.splitlines() or [""]), *(line for note in link.notes for line in note.splitlines())]
