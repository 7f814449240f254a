"""Explained images in; their JSON form out, the same for every verb that prints it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainctl.build.differences import Difference, Reason, reason_text
from chainctl.workflows.reasons import ExplainedImage


def images_json(explained: Sequence[ExplainedImage], doing: str) -> list[dict[str, Any]]:
    """Return one object an image; `doing` is the action of those that are not reused."""
    return [
        {
            "chainlet": one.image.chainlet,
            "image": str(one.image.ref),
            "action": "reuse" if one.is_reused else doing,
            "reasons": [_reason(reason) for reason in one.reasons],
        }
        for one in explained
    ]


def _reason(reason: Reason) -> dict[str, Any]:
    text = {"text": reason_text(reason)}
    if not isinstance(reason, Difference):
        return text
    return {**text, "input": reason.kind.value, "name": reason.name, "change": reason.change.value}
