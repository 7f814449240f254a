"""The variables that a target sets in; what a service needs to share buffers with its neighbours out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from chainctl.segments.pool import MOST_BYTES, SegmentPool
from chainctl.segments.store import SegmentStore

DIRECTORY_VARIABLE = "CHAINCTL_SHARED_DIR"
BYTES_VARIABLE = "CHAINCTL_SHARED_BYTES"


@dataclass(frozen=True, slots=True)
class SegmentSharing:
    """A pool and a store of one directory.

    `identity` is the same in all processes that see the directory, and in no others: a reference is
    of use only to who has said that it has this identity.
    """

    pool: SegmentPool
    store: SegmentStore
    identity: str

    @classmethod
    def opened(cls, environ: Mapping[str, str]) -> Optional[SegmentSharing]:
        """Open what the target has provided; None where buffers can not be shared."""
        if not (place := environ.get(DIRECTORY_VARIABLE)):
            return None
        store = SegmentStore(Path(place))
        most_bytes = int(environ.get(BYTES_VARIABLE, MOST_BYTES))
        pool = SegmentPool(Path(place), store=store, most_bytes=most_bytes)
        sharing = cls(pool, store, store.identity or "")
        if pool.is_usable and sharing.identity:
            return sharing
        sharing.close()
        return None

    def close(self) -> None:
        """Remove what was placed, and forget what was found; views that were given out stay good."""
        self.pool.close()
        self.store.close()
