"""A template's name and values in, text out; the only opener of a template or of a page."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2

_PACKAGE = Path(__file__).resolve().parent


def render(name: str, values: Mapping[str, object]) -> str:
    """Render a template of `templates/`. Raises jinja2.UndefinedError when a value is missing."""
    return _environment().get_template(name).render(values)


def prepare() -> None:
    """Import jinja2, which takes time, before it is needed."""
    _environment()


def template_root() -> Path:
    """The directory of templates: in the wheel, or at the root of a checkout."""
    return _first_existing(_PACKAGE / "_templates", _PACKAGE.parent / "templates")


def page(name: str) -> str | None:
    """Return a documentation page such as `errors/CH0101.md`, None when there is none."""
    path = _first_existing(_PACKAGE / "_docs", _PACKAGE.parent / "docs") / name
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _first_existing(*candidates: Path) -> Path:
    return next((c for c in candidates if c.is_dir()), candidates[-1])


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_root()),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the output is Dockerfiles and Python, not HTML
    )
    environment.filters["pyrepr"] = _python_literal
    environment.filters["shellquote"] = _shell_quoted
    environment.filters["dockerquote"] = _docker_quoted
    return environment


def _python_literal(value: object) -> str:
    """Write a value as Python source. Raises jinja2.UndefinedError for one that was not given."""
    str(value)
    return repr(value)


def _shell_quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def _docker_quoted(text: str) -> str:
    """Quote a value for ENV and LABEL, so that Docker expands nothing in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\\\n")
    return f'"{escaped}"'
