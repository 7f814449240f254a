"""Past releases in; a table of them, or JSON values, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainctl.cli.durations import age_text
from chainctl.cli.output import table
from chainctl.workflows.history import PastRelease

_REVISION = 8


def history_text(past: Sequence[PastRelease], now: float) -> str:
    """Render releases as a table, the newest first; a star marks the one that was recorded last."""
    rows = [
        [
            f"{one.record.number}{' *' if one.is_latest else ''}",
            age_text(now - one.record.time),
            one.record.user,
            one.record.revision[:_REVISION],
            "; ".join(one.changes) or "nothing that is recorded",
        ]
        for one in past
    ]
    return table(["RELEASE", "AGE", "USER", "REVISION", "CHANGES"], rows)


def history_json(past: Sequence[PastRelease]) -> list[dict[str, Any]]:
    """Describe releases as JSON values."""
    return [
        {
            "release": one.record.number,
            "is_latest": one.is_latest,
            "time": one.record.time,
            "user": one.record.user,
            "source": one.record.source,
            "revision": one.record.revision,
            "changes": list(one.changes),
            "entrypoint": one.record.release.entrypoint,
            "services": [
                {"name": s.name, "chainlet": s.chainlet, "image": s.image, "published": s.published}
                for s in one.record.release.services
            ],
        }
        for one in past
    ]
