"""What a chainlet was made from, kept so that it can be made again from edited code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainctl.sdk.resolver import Resolver


@dataclass(frozen=True)
class Origin:
    """The place of the class, what answers the questions in its `__init__`, and the directory of the code."""

    module: str
    qualname: str
    resolver: Resolver
    root: Path

    def found_in(self, module: object) -> Any:
        """Return the class in a module object. Raises AttributeError."""
        found = module
        for part in self.qualname.split("."):
            found = getattr(found, part)
        return found
