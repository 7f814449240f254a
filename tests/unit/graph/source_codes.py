"""The problem codes that chainctl's source contains."""

from __future__ import annotations

import re
from pathlib import Path

import chainctl

PACKAGE = Path(chainctl.__file__).parent
ERROR_PAGES = PACKAGE.parent / "docs" / "errors"


def codes_in_source() -> set[str]:
    """Every code that is written as a literal in the package, except where it only refers to a page."""
    texts = (path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    return {code for text in texts for code in re.findall(r'"(CH\d{4})"', text)}
