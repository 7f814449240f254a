"""What uv said when it failed in; problems in our words, with the lines that caused them, out. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable

from chainctl.build.requirement_lines import Asked
from chainctl.build.wanted import Wanted
from chainctl.errors import Problem

Lines = Callable[[Asked], int]
_UNRESOLVED = "No solution found"
_UNAUTHORISED = re.compile(
    r"lack of valid authentication|\b(401 Unauthorized|403 Forbidden)|HTTP status client error \((401|403)"
)
_SILENT = re.compile(
    r"dns error|tcp connect error|Connection refused|timed out|HTTP status server error"
    r"|error sending request|certificate|tls|operation was canceled",
    re.IGNORECASE,
)
_URL = re.compile(r"https?://[^\s`)]+")
_ABSENT = re.compile(
    r"Because (\S+?) was not found in|Because there is no version of (\S+)"
    r"|Because only (\S+) is available and you require|Because (\S+) has no wheels"
)
_OTHER_PYTHON = re.compile(r"requires Python|does not satisfy Python|depends on Python")
_BUILT = re.compile(
    r"Failed to (?:build|download and build|parse metadata)|Git operation failed|build backend", re.IGNORECASE
)
_CAUSE = re.compile(r"^\s*(?:cause|error|hint): ?")
_SHOWN = 12
_TORCH_HOST = "download.pytorch.org"


def failure_problems(wanted: Wanted, said: str, lines: Lines, root: str) -> tuple[Problem, ...]:
    """Explain a failure. `lines` finds the line of what stands in a list in a chain file.

    Places in notes are relative to `root`, where the lock is.
    """
    text = _plain(said)
    if _UNAUTHORISED.search(text):
        return (_unauthorised(wanted, text),)
    if _UNRESOLVED in text:
        return (_unresolved(wanted, text, lines, root),)
    if _BUILT.search(text):
        return (_unbuilt(wanted, text, lines, root),)
    if _SILENT.search(text) and _URL.search(text):
        return (_silent(wanted, text),)
    return (_unbuilt(wanted, text, lines, root),)


def yanked_problems(wanted: Wanted, said: str, lines: Lines, root: str) -> tuple[Problem, ...]:
    """Report pins of versions that their authors took back; uv only warns of them."""
    found = []
    for match in re.finditer(
        r"`([^`=]+)==([^`]+)` is yanked(?: \(reason: (.*?)\))?$", said, flags=re.MULTILINE
    ):
        name, version, reason = match[1], match[2], (match[3] or "").strip('"')
        asked = _of(wanted, [name])
        place = asked[0] if asked else None
        why = f": {reason}" if reason else ""
        found.append(
            Problem(
                "CH0803",
                f"{_who(wanted)}: {name} {version} was withdrawn by its authors{why}",
                place.path if place else "",
                lines(place) if place else 0,
                note=_asked_text(asked, lines, root),
                help=f"ask for another version of {name}, then `chainctl lock`",
            )
        )
    return tuple(found)


def hash_problems(wanted: Wanted, refused: Iterable[Asked], root: str) -> tuple[Problem, ...]:
    """Report lines whose own hashes fit no file of any index."""
    return tuple(
        Problem(
            "CH0802",
            f"{_who(wanted)}: no index has `{one.text}` with one of the hashes that the line allows",
            one.path,
            one.line,
            note=f"{posixpath.relpath(one.path, root)}:{one.line} allows {', '.join(one.hashes)}",
            help="take the hashes anew from where the file comes from; if they should be right, the index is not",
        )
        for one in refused
    )


def _unauthorised(wanted: Wanted, text: str) -> Problem:
    found = _URL.search(text)
    where = _host(found[0]) if found else "an index"
    return Problem(
        "CH0805",
        f"{_who(wanted)}: the package index {where} wants credentials, or other ones than it was given",
        help=f"save a secret with the text `machine {where.partition(':')[0]} login USER password TOKEN` and name it"
        " in the settings: `index_credentials_secret`",
    )


def _silent(wanted: Wanted, text: str) -> Problem:
    found = _URL.search(text)
    where = _host(found[0]) if found else "its host"
    is_torch = bool(wanted.torch_backend) and where == _TORCH_HOST
    other = "`cpu_wheels = false` to take torch from your index" if is_torch else "`index_url` to a mirror"
    return Problem(
        "CH0804",
        f"{_who(wanted)}: the package index {where} cannot be reached",
        note="\n".join(_causes(text)[-3:]),
        help=f"try again when it answers, or set {other}; what is locked stays as it was",
    )


def _unresolved(wanted: Wanted, text: str, lines: Lines, root: str) -> Problem:
    derivation = _derivation(text)
    asked = [one for one in wanted.asked if one.name and _mentions(derivation, one.name)]
    own = [one for one in asked if not one.is_runtime]
    path, line = (own[0].path, lines(own[0])) if own else ("", 0)
    note = "\n".join([_asked_text(asked, lines, root), *derivation.splitlines()])
    absent = _ABSENT.search(derivation)
    if _OTHER_PYTHON.search(derivation):
        message = f"{_who(wanted)}: no version of a package it asks for runs on Python {wanted.python}"
        return Problem("CH0802", message, note=note, help=_help_python(), path=path, line=line)
    if absent and len({one.text for one in asked}) <= 1:
        name = next(group for group in absent.groups() if group)
        message = f"{_who(wanted)}: no index has {name} for Python {wanted.python} on {wanted.platform}"
        return Problem("CH0802", message, note=note, help=_help_absent(wanted), path=path, line=line)
    texts = list(dict.fromkeys(f"`{one.text}`" for one in asked))
    what = " and ".join(
        [", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts or ["its requirements"]
    )
    message = f"{_who(wanted)}: {what} cannot be installed{' together' if len(texts) > 1 else ''}"
    return Problem("CH0801", message, note=note, help=_help_conflict(asked), path=path, line=line)


def _unbuilt(wanted: Wanted, text: str, lines: Lines, root: str) -> Problem:
    asked = [one for one in wanted.asked if one.name and _mentions(text, one.name)]
    asked += [one for one in wanted.asked if not one.name and one.text.split("@")[0] in text]
    own = [one for one in asked if not one.is_runtime]
    first = own[0] if own else None
    head = next((line for line in _causes(text) if line), "uv gave no reason")
    return Problem(
        "CH0813",
        f"{_who(wanted)}: the requirements cannot be resolved: {head}",
        first.path if first else "",
        lines(first) if first else 0,
        note="\n".join([_asked_text(asked, lines, root), *_causes(text)[1:][-_SHOWN:]]).strip(),
        help="make the package buildable here, or ask for a version that has wheels; a repository must be"
        " reachable with the credentials of this machine",
    )


def _help_python() -> str:
    return "choose another Python in `docker_image.base_image`, or other versions"


def _help_absent(wanted: Wanted) -> str:
    where = "the settings `index_url` and `extra_index_urls` say where packages are looked for"
    return f"correct the name or the version; {where}"


def _help_conflict(asked: Iterable[Asked]) -> str:
    if any(one.is_runtime for one in asked):
        return (
            "loosen your line to what `chainctl` allows; where that cannot be, isolate the package: install it"
            ' into an environment of its own with `build_commands=["python3 -m venv /opt/isolated &&'
            ' /opt/isolated/bin/pip install …"]` and run it from there as a process'
        )
    return (
        "loosen one of the lines, or move what needs one of them into a chainlet of its own:"
        " each may have its own environment"
    )


def _asked_text(asked: Iterable[Asked], lines: Lines, root: str) -> str:
    """Every line that takes part, with its place relative to the lock; ours marked as ours."""
    shown = []
    for one in asked:
        if one.is_runtime:
            shown.append(f"chainctl asks for `{one.text}`, for its runtime in the image")
        else:
            number = lines(one)
            path = posixpath.relpath(one.path, root)
            place = f"{path}:{number}" if number else path
            kind = "allows only" if one.is_constraint else "asks for"
            shown.append(f"{place} {kind} `{one.text}`")
    return "\n".join(dict.fromkeys(shown))


def _of(wanted: Wanted, names: Iterable[str]) -> list[Asked]:
    return [one for one in wanted.asked if one.name in set(names)]


def _who(wanted: Wanted) -> str:
    return ", ".join(f"`{name}`" for name in wanted.chainlets)


def _mentions(text: str, name: str) -> bool:
    pattern = re.escape(name).replace(r"\-", "[-_.]")
    return bool(re.search(rf"(?<![\w.-]){pattern}(?![\w-]|\.\w)", text, flags=re.IGNORECASE))


def _derivation(text: str) -> str:
    """uv's own explanation, on lines that each hold one step."""
    body = text.split(_UNRESOLVED, 1)[1].partition("\n\nhint:")[0]
    words = " ".join(line.strip() for line in body.splitlines()[1:])
    return _CAUSE.sub("", words).strip().replace(" And because ", "\nAnd because ")


def _causes(text: str) -> list[str]:
    lines = (
        line for line in text.splitlines() if line.strip() and not line.startswith(("warning:", "Resolved"))
    )
    return [_CAUSE.sub("", line).strip() for line in lines]


def _plain(said: str) -> str:
    """Leave out warnings and progress that come before the error."""
    return said[max(said.find("error:"), 0) :]


def _host(url: str) -> str:
    return url.split("/")[2].rpartition("@")[2]
