"""`chainctl explain CH0305`: the page of a problem code."""

from __future__ import annotations

from typing import Annotated

import typer


def explain(code: Annotated[str, typer.Argument(metavar="CODE", help="Such as CH0305.")]) -> None:
    """Explain a problem code, with an example and its correction."""
    from chainctl.cli.output import print_result
    from chainctl.errors import UsageError
    from chainctl.templates import page

    text = page(f"errors/{code.upper()}.md") if code.isalnum() else None
    if text is None:
        raise UsageError(f"there is no problem code {code}", hint="codes look like CH0305.")
    print_result(text, {}, as_json=False)
