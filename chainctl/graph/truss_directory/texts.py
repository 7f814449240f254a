"""One text of a configuration in; the same, known to be what it must be, or why it is not, out."""

from __future__ import annotations

import math
import posixpath
import re
from urllib.parse import urlsplit

from chainctl.graph.requirements import is_requirement
from chainctl.graph.truss_directory.kinds import RefusedError
from chainctl.sdk.config import parse_memory

_CPU = re.compile(r"(\d{1,6})(m|\.\d{1,6})?")
_MEMORY = re.compile(r"[0-9.]{1,12}[A-Za-z]{0,3}")
_ACCELERATOR = re.compile(r"([A-Za-z0-9][A-Za-z0-9_ .-]*?)(?::([1-9]\d{0,2}))?")
_PYTHON = re.compile(r"(?:py3|3\.)(\d{1,2})")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_SECRET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_OLDEST, _NEWEST = 9, 14
_RESERVED = ("PORT", "HOSTNAME")


def cpu(text: str) -> str:
    """A quantity of CPUs as Kubernetes writes it: "1", "1.5", "500m"."""
    if _CPU.fullmatch(text) and _cpus(text) > 0:
        return text
    raise RefusedError("which is no number of CPUs", "write it as `2`, `1.5` or `500m`")


def whole_cpus(text: str) -> int:
    """Round a quantity of CPUs up to whole ones."""
    return math.ceil(_cpus(text))


def _cpus(text: str) -> float:
    return int(text[:-1]) / 1000 if text.endswith("m") else float(text)


def memory(text: str) -> str:
    """A quantity of memory."""
    try:
        if _MEMORY.fullmatch(text):
            parse_memory(text)
            return text
    except ValueError:
        pass
    raise RefusedError("which is no amount of memory", "write it as `512Mi` or `2Gi`")


def accelerator(text: str) -> str | None:
    """A type of GPU, with how many of it: "L4", "L4:4"."""
    if not text:
        return None
    if _ACCELERATOR.fullmatch(text):
        return text
    raise RefusedError("which names no GPUs", "write a type, as in `L4`, or a type and how many: `L4:4`")


def gpus(text: str | None) -> tuple[str, int] | None:
    """Split an accelerator into the type and how many."""
    match = _ACCELERATOR.fullmatch(text or "")
    return (match[1], int(match[2] or 1)) if match else None


def python_version(text: str) -> str:
    """A version of Python, as "py311"; "3.11" is the same."""
    match = _PYTHON.fullmatch(text)
    if match and _OLDEST <= int(match[1]) <= _NEWEST:
        return f"py3{int(match[1])}"
    raise RefusedError(
        "which is no version of Python that there are images of",
        f"write one from `py310` to `py3{_NEWEST}`" + _hint_of_version(text),
    )


def _hint_of_version(text: str) -> str:
    exact = re.fullmatch(r"(?:py)?3\.?(\d{1,2})(?:\.\d+)?", text)
    is_known = exact is not None and _OLDEST < int(exact[1]) <= _NEWEST
    return f": here `py3{int(exact[1])}`" if is_known and exact else ""


def requirement(text: str) -> str:
    """A line that pip takes."""
    if is_requirement(text):
        return text
    raise RefusedError(
        "which is no pip requirement", 'write it as "package", "package==1.2" or "package @ https://…"'
    )


def filled(text: str) -> str:
    """A text with something in it."""
    if text.strip():
        return text
    raise RefusedError("which says nothing", "write a value, or take the key out")


def web_address(text: str) -> str:
    """A URL of HTTP, with a host."""
    try:
        parts = urlsplit(text)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", text)
        _ = parts.port
    except ValueError:
        is_one = False
    if is_one:
        return text
    raise RefusedError("which is no URL of HTTP", "write it as `https://host/path`")


def route(text: str) -> str:
    """A path of a server."""
    if text.startswith("/") and not re.search(r"[\s?#]", text):
        return text
    raise RefusedError("which is no path of a server", "begin it with `/`, as in `/health`")


def inner_path(text: str) -> str:
    """A relative path to a file, from which nothing leads outside."""
    parts = text.split("/")
    is_inside = not text.startswith(("/", "~")) and "\\" not in text and ".." not in parts
    if is_inside and text.isprintable() and posixpath.normpath(text) != "." and parts[-1] not in ("", "."):
        return text
    raise RefusedError("which is no path inside a directory", "write a relative path without `..`")


def inner_directory(text: str) -> str:
    """A relative path to a directory, from which nothing leads outside."""
    return inner_path(text.rstrip("/") if len(text) > 1 else text)


def folder(text: str) -> str:
    """The name of one directory."""
    if re.fullmatch(r"[\w.-]+", text, re.ASCII) and text.strip("."):
        return text
    raise RefusedError("which is no name of a directory", "use letters, digits, `_`, `.` and `-`")


def repository(text: str) -> str:
    """A repository of the Hugging Face Hub: "org/name"."""
    if _REPOSITORY.fullmatch(text) and ".." not in text:
        return text
    raise RefusedError(
        "which is no repository of the Hugging Face Hub",
        "write it as `organisation/name`; what is in a bucket, download in the model's `load`",
    )


def secret_name(text: str) -> str:
    """A name that a secret's file can have."""
    if _SECRET.fullmatch(text):
        return text
    raise RefusedError("which cannot name a secret", "use letters, digits, `_`, `.` and `-`")


def variable_name(text: str) -> str:
    """A name that an environment variable can have here."""
    if text in _RESERVED:
        raise RefusedError("which the container sets itself", "give the variable another name")
    if _VARIABLE.fullmatch(text):
        return text
    raise RefusedError("which cannot name an environment variable", "use letters, digits and `_`")


def module_file(text: str) -> str:
    """The name of a Python file that can be imported."""
    stem = text.removesuffix(".py")
    if text.endswith(".py") and stem.isidentifier():
        return text
    raise RefusedError("which is no file that Python can import", "write a name like `model.py`")


def module_directory(text: str) -> str:
    """A directory that Python can import from."""
    parts = [part for part in text.removeprefix("./").rstrip("/").split("/") if part != "."]
    if parts and all(part.isidentifier() for part in parts):
        return "/".join(parts)
    raise RefusedError(
        "which is no directory that Python can import from", "write a relative path, such as `model`"
    )


def class_name(text: str) -> str:
    """The name of a class."""
    if text.isidentifier():
        return text
    raise RefusedError("which is no name of a class", "write the name that the class has in its file")
