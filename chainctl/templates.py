"""A template's name and values in, text out; the only opener of a template or of a page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2

_PACKAGE = Path(__file__).resolve().parent
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]{2,}")
_NOT_PLAIN = frozenset(["true", "false", "null", "none", "yes", "off"])


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
    environment.filters["yaml"] = yaml_scalar
    environment.filters["yamlblock"] = yaml_block
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


def yaml_scalar(value: object) -> str:
    """Write a text, a number or a truth as one scalar of YAML 1.1 and 1.2, whatever the text says.

    Raises TypeError for another value, and ValueError for a text that is not Unicode.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is no scalar")
    value.encode()
    if _PLAIN.fullmatch(value) and value.lower() not in _NOT_PLAIN:
        return value
    return '"' + "".join(map(_yaml_character, value)) + '"'


def yaml_block(text: str, indent: int) -> str:
    """Write a text of several lines as a block that people can read, where YAML has one for it."""
    lines = text.split("\n")
    is_readable = text[:1].strip() and all(line.isprintable() for line in lines) and lines[-1] == ""
    if not is_readable or lines[-2] == "":
        return yaml_scalar(text)
    return "|\n" + "\n".join(" " * indent + line if line else "" for line in lines[:-1])


def _yaml_character(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
