"""A pip requirements file in; what it asks for, line by line with the place of each, out. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement

from chainctl.errors import Problem

RUNTIME = "chainctl"
_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTION = re.compile(r"^(--?[A-Za-z][a-z-]*)(?:[\s=]+(.*))?$|^(-[A-Za-z])(\S.*)$")
_INDEX = frozenset(["-i", "--index-url", "--pypi-url"])
_EXTRA_INDEX = frozenset(["--extra-index-url"])
_FIND_LINKS = frozenset(["-f", "--find-links"])
_INCLUDE = {"-r": False, "--requirement": False, "-c": True, "--constraint": True}
_EDITABLE = frozenset(["-e", "--editable"])
# Said to pip about how it works, not what it installs: nothing of it has a meaning for a lock.
_IDLE = frozenset(
    ["--prefer-binary", "--require-hashes", "--trusted-host", "--use-feature", "--no-cache-dir"]
)
_WORDS_AFTER = re.compile(r"\s+--?[a-z].*$")
_HASH = re.compile(r"--hash[=\s]([a-z0-9]+:[0-9a-f]+)")
_GIT_HELP = (
    "write the URL without them: repositories are fetched with the credentials that git has on this machine"
)
_VCS = re.compile(r"^(git|hg|svn|bzr)\+")
_ARCHIVE = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tgz")


@dataclass(frozen=True, slots=True)
class Asked:
    """One requirement. `path` is the file it stands in, or `chainctl` for what the runtime needs.

    `hashes` are those that the line itself allows, as `sha256:…`; none allows any.
    """

    text: str
    path: str
    line: int = 0
    is_constraint: bool = False
    hashes: tuple[str, ...] = ()

    @property
    def is_runtime(self) -> bool:
        return self.path == RUNTIME

    @property
    def name(self) -> str:
        """The package it names, "" where only its archive knows."""
        found = re.match(
            r"^\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:$|[\[@<>=!~;(\s])", self.text
        )
        return re.sub(r"[-_.]+", "-", found[1]).lower() if found else ""


@dataclass(frozen=True, slots=True)
class Lines:
    """All that one requirements file and what it includes ask for."""

    asked: tuple[Asked, ...] = ()
    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    has_index: bool = True
    prereleases: bool = False
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _Reading:
    """What was found so far."""

    texts: Mapping[str, str]
    asked: list[Asked] = field(default_factory=list)
    index_url: str = ""
    extra_index_urls: list[str] = field(default_factory=list)
    find_links: list[str] = field(default_factory=list)
    has_index: bool = True
    prereleases: bool = False
    problems: list[Problem] = field(default_factory=list)
    seen: set[tuple[str, bool]] = field(default_factory=set)

    def lines(self) -> Lines:
        return Lines(
            tuple(self.asked), self.index_url, tuple(self.extra_index_urls), tuple(self.find_links),
            self.has_index, self.prereleases, tuple(self.problems),
        )  # fmt: skip


def read_lines(start: str, texts: Mapping[str, str]) -> Lines:
    """Read a file and all that it includes; `texts` maps absolute paths to text."""
    reading = _Reading(texts)
    _read(start, reading, is_constraint=False, included_by=Problem("", "", start))
    return reading.lines()


def read_list(given: Iterable[str], path: str, line: int, texts: Mapping[str, str]) -> Lines:
    """Read a list as it stands in a chain file; paths in it are relative to that file."""
    reading = _Reading(texts)
    for text in given:
        _take(_COMMENT.sub("", text).strip(), path, line, reading, is_constraint=False)
    return reading.lines()


def joined(one: Lines, other: Lines) -> Lines:
    """Return what two sources ask for together; the first one's index counts."""
    return Lines(
        one.asked + other.asked,
        one.index_url or other.index_url,
        one.extra_index_urls + other.extra_index_urls,
        one.find_links + other.find_links,
        one.has_index and other.has_index,
        one.prereleases or other.prereleases,
        one.problems + other.problems,
    )


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines without comments, those that a backslash continues as one, with the number of their first."""
    number, held = 0, ""
    for count, line in enumerate(text.splitlines(), 1):
        number = number or count
        if line.rstrip().endswith("\\") and not line.lstrip().startswith("#"):
            held += line.rstrip()[:-1].strip() + " "
            continue
        whole = _COMMENT.sub("", held + line.strip()).strip()
        if whole:
            yield number, whole
        number, held = 0, ""
    if held.strip():
        yield number, held.strip()


def one_requirement(text: str, path: str, line: int, *, is_constraint: bool = False) -> Asked | Problem:
    """Check one requirement; local paths in it become absolute, hashes are taken out of it."""
    found = _plain_requirement(_WORDS_AFTER.sub("", text).strip(), path, line, is_constraint=is_constraint)
    hashes = tuple(sorted(_HASH.findall(text)))
    return replace(found, hashes=hashes) if isinstance(found, Asked) and hashes else found


def _plain_requirement(plain: str, path: str, line: int, *, is_constraint: bool) -> Asked | Problem:
    if has_credentials(plain):
        problem = credentials_problem(path, line)
        return replace(problem, help=_GIT_HELP) if "git+" in plain else problem
    if _is_place(plain):
        return Asked(_local_or_url(plain, path), path, line, is_constraint)
    try:
        wanted = Requirement(plain)
    except InvalidRequirement as error:
        return _unusable(f"{plain!r} is no requirement: {str(error).splitlines()[0]}", path, line)
    if wanted.url is not None and _is_local(wanted.url):
        marker = f" ; {wanted.marker}" if wanted.marker else ""
        return Asked(f"{wanted.name} @ {_absolute(wanted.url, path)}{marker}", path, line, is_constraint)
    return Asked(plain, path, line, is_constraint)


def has_credentials(text: str) -> bool:
    """Whether a URL in a text carries a password or a token; the user name of SSH is none."""
    for word in re.findall(r"\S+://\S+", text):
        parts = urlsplit(word)
        user, at, _ = parts.netloc.rpartition("@")
        if at and (":" in user or not parts.scheme.endswith("ssh")):
            return True
    return False


def credentials_problem(path: str, line: int = 0) -> Problem:
    """Report a URL with credentials, without showing it."""
    return Problem(
        "CH0809",
        "a URL carries credentials, which would end up in images and in the lock",
        path,
        line,
        help="write the URL without them, put `machine HOST login USER password TOKEN` into a secret and name"
        ' it in the settings: `index_credentials_secret = "NAME"`',
    )


def _read(path: str, reading: _Reading, *, is_constraint: bool, included_by: Problem) -> None:
    if path not in reading.texts:
        where = included_by.path
        reading.problems.append(
            _unusable(f"the file {posixpath.basename(path)} does not exist", where, included_by.line)
        )
        return
    if (path, is_constraint) in reading.seen:
        return
    reading.seen.add((path, is_constraint))
    for line, text in logical_lines(reading.texts[path]):
        _take(text, path, line, reading, is_constraint=is_constraint)


def _take(text: str, path: str, line: int, reading: _Reading, *, is_constraint: bool) -> None:
    if text.startswith("-"):
        _option(text, path, line, reading, is_constraint=is_constraint)
    elif text:
        _keep(one_requirement(text, path, line, is_constraint=is_constraint), reading)


def _keep(found: Asked | Problem, reading: _Reading) -> None:
    if isinstance(found, Problem):
        reading.problems.append(found)
    else:
        reading.asked.append(found)


def _option(text: str, path: str, line: int, reading: _Reading, *, is_constraint: bool) -> None:
    found = _OPTION.match(text)
    name, value = (found[1] or found[3], found[2] or found[4] or "") if found else (text, "")
    value = value.strip().strip("'\"")
    if has_credentials(value):
        reading.problems.append(credentials_problem(path, line))
    elif name in _INCLUDE:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), value))
        if "://" in value:
            reading.problems.append(_unusable("a file from the network cannot be included", path, line))
            return
        _read(
            target,
            reading,
            is_constraint=is_constraint or _INCLUDE[name],
            included_by=Problem("", "", path, line),
        )
    elif name in _EDITABLE:
        _keep(one_requirement(value, path, line, is_constraint=is_constraint), reading)
    elif name in _INDEX:
        reading.index_url = value
    elif name in _EXTRA_INDEX:
        reading.extra_index_urls.append(value)
    elif name in _FIND_LINKS and "://" in value and not value.startswith("file:"):
        reading.find_links.append(value)
    elif name == "--no-index":
        reading.has_index = False
    elif name == "--pre":
        reading.prereleases = True
    elif name not in _IDLE:
        reading.problems.append(_unusable(f"the option `{name}` has no meaning for a lock", path, line))


def _is_place(text: str) -> bool:
    """Whether a requirement is only a place, not a name."""
    head = text.split(" ;")[0].split("[")[0]
    return bool(_VCS.match(text)) or "://" in text.split("@")[0].split(" ")[0] or _is_local(head)


def _is_local(text: str) -> bool:
    if _VCS.match(text):
        return False
    scheme = text.partition(":")[0]
    is_path = text.startswith((".", "/")) or ("/" in text and "://" not in text and " " not in text)
    return scheme == "file" or is_path or (text.endswith(_ARCHIVE) and "://" not in text and "@" not in text)


def _local_or_url(text: str, path: str) -> str:
    return _absolute(text, path) if _is_local(text) else text


def _absolute(place: str, path: str) -> str:
    """The file URL of a place that is relative to the directory of a requirements file."""
    bare = (
        unquote(place.removeprefix("file://").removeprefix("file:")) if place.startswith("file:") else place
    )
    return f"file://{posixpath.normpath(posixpath.join(posixpath.dirname(path), bare))}"


def _unusable(why: str, path: str, line: int) -> Problem:
    return Problem("CH0810", why, path, line, help="`chainctl explain CH0810` shows what can stand there")
