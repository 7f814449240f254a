"""What is wanted in; uv's command line, the files that it reads and its environment out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chainctl.build.lock import Environment
from chainctl.build.settle import Task, Upgrade
from chainctl.build.wanted import Wanted

OUTPUT = "locked.txt"
# What uv may hear of the user's environment: how to reach the network and other programs, where its cache
# is. Indexes and versions come from the settings only, so that a lock does not depend on who makes it.
_KEPT = frozenset(
    ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "NETRC", "SSH_AUTH_SOCK",
     "SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
     "http_proxy", "https_proxy", "all_proxy", "no_proxy", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
     "UV_CACHE_DIR", "UV_HTTP_TIMEOUT", "UV_HTTP_RETRIES", "UV_OFFLINE", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS",
     "UV_CONCURRENT_DOWNLOADS", "UV_CONCURRENT_BUILDS", "UV_INSECURE_HOST", "CC", "CXX", "CFLAGS"]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sources:
    """The files that uv reads: name → text, and name → the user's file that stands behind it."""

    texts: Mapping[str, str]
    origins: Mapping[str, str]

    @property
    def requirements(self) -> list[str]:
        return [name for name in sorted(self.texts) if name.startswith("r")]

    @property
    def constraints(self) -> list[str]:
        return [name for name in sorted(self.texts) if name.startswith("c")]


def sources_of(wanted: Wanted) -> Sources:
    """Write down what is asked for, one file for each file that it stands in."""
    lines: dict[tuple[bool, str], list[str]] = {}
    for asked in wanted.asked:
        lines.setdefault((asked.is_constraint, asked.path), []).append(asked.text)
    texts: dict[str, str] = {}
    origins: dict[str, str] = {}
    for number, ((is_constraint, path), found) in enumerate(sorted(lines.items())):
        name = f"{'c' if is_constraint else 'r'}{number:03}.txt"
        texts[name] = "".join(f"{text}\n" for text in found)
        origins[name] = path
    return Sources(texts, origins)


def preferences_of(task: Task, upgrade: Upgrade) -> str:
    """The former pins as uv takes them from an existing output file; none when all may change."""
    if task.before is None or upgrade.everything:
        return ""
    return "".join(f"{p.requirement}\n" for p in task.before.packages if "==" in p.requirement and not p.path)


def compile_command(uv: str, python: str, wanted: Wanted, sources: Sources, upgrade: Upgrade) -> list[str]:
    """Return the arguments of `uv pip compile`; `python` builds what has to be built to be understood."""
    return [
        uv, "--no-config", "--color", "never", "--no-progress", "pip", "compile", *sources.requirements,
        *(f"--constraints={name}" for name in sources.constraints),
        f"--output-file={OUTPUT}",
        f"--python={python}",
        f"--python-version={wanted.python}",
        f"--python-platform={wanted.target}",
        "--generate-hashes", "--no-header", "--annotation-style=split", "--emit-index-annotation",
        *([f"--default-index={wanted.index_url}"] if wanted.index_url else []),
        *(f"--index={url}" for url in wanted.indexes),
        *(f"--find-links={url}" for url in wanted.find_links),
        *([] if wanted.has_index else ["--no-index"]),
        *(["--prerelease=allow"] if wanted.prereleases else []),
        *([f"--torch-backend={wanted.torch_backend}"] if wanted.torch_backend else []),
        *(["--upgrade"] if upgrade.everything else []),
        *(f"--upgrade-package={name}" for name in upgrade.packages),
    ]  # fmt: skip


def venv_command(uv: str, python: str, place: Path) -> list[str]:
    """Return the arguments that make an empty environment for a version of Python that is on this machine."""
    return [uv, "--no-config", "--color", "never", "--no-progress", "venv", "--no-project",
            "--python", python, str(place)]  # fmt: skip


def install_command(uv: str, place: Path, environment: Environment, file: str) -> list[str]:
    """Return the arguments that install a locked file into an environment: these files and no others.

    The last index stands for the public one.
    """
    indexes = environment.indexes
    return [
        uv, "--no-config", "--color", "never", "--no-progress", "pip", "install",
        "--python", str(place / "bin" / "python"),
        "--no-deps", "--verify-hashes", "--compile-bytecode",
        "--index-strategy", "unsafe-best-match",
        *([f"--default-index={indexes[-1]}"] if indexes else []),
        *(f"--index={url}" for url in indexes[:-1]),
        *(f"--find-links={url}" for url in environment.find_links),
        "--requirement", file,
    ]  # fmt: skip


def compile_environ(environ: Mapping[str, str], *, netrc: str = "", certificates: str = "") -> dict[str, str]:
    """Return uv's environment; `netrc` and `certificates` are files made for this call."""
    kept = {name: value for name, value in environ.items() if name in _KEPT or name.startswith("GIT_")}
    given = {"NETRC": netrc, "SSL_CERT_FILE": certificates}
    return {
        **kept,
        **{name: path for name, path in given.items() if path},
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_KEYRING_PROVIDER": "disabled",
        "GIT_TERMINAL_PROMPT": "0",
    }
