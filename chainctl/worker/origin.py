"""What a chainlet or a model was made from, kept so that its code can be edited while it serves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from chainctl.sdk.resolver import Resolver


@dataclass(frozen=True)
class Origin:
    """The place of the class, what answers the questions in its `__init__`, and the directory of the code.

    Without a `resolver` it cannot be made again in its process.
    """

    module: str
    qualname: str
    resolver: Optional[Resolver]
    root: Path

    def found_in(self, module: object) -> Any:
        """Return the class in a module object. Raises AttributeError."""
        found = module
        for part in self.qualname.split("."):
            found = getattr(found, part)
        return found
