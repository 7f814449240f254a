"""Settings, files and variables of this user in; where things are kept, and who asks, out."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from chainctl.adapters.docker.engine_address import EngineAddress, docker_config_dir
from chainctl.adapters.downloads import DownloadCache, Downloads
from chainctl.adapters.vault import SecretSources, Vault
from chainctl.cli.settings import Settings, environment_variables, load_settings
from chainctl.state.ledger import Ledger
from chainctl.state.variables import Variables, variables_of

if TYPE_CHECKING:
    from chainctl.workflows.push import Origin


def settings_for(start: Path | None = None, **given: Any) -> Settings:
    """Load the settings that hold for a chain file, or for the working directory."""
    return load_settings(_directory_of(start), os.environ, given, config_dir() / "config.toml")


def file_variables(start: Path, environment: str | None) -> tuple[tuple[str, str], ...]:
    """The variables that the settings of an environment give to chainlets, sorted. Raises UsageError."""
    found = environment_variables(_directory_of(start), config_dir() / "config.toml", environment)
    return tuple(sorted(found.items()))


def _directory_of(start: Path | None) -> Path:
    where = (start or Path.cwd()).resolve()
    return where if where.is_dir() else where.parent


def downloads(state: Path, vault: Vault) -> Downloads:
    """The files that services read, kept in the state directory."""
    return Downloads(DownloadCache(state / "data"), vault.value_of)


def engine_address(settings: Settings) -> EngineAddress:
    home = Path.home()
    return EngineAddress.resolve(
        os.environ,
        docker_config_dir(os.environ, home),
        host=settings.docker_host,
        context=settings.docker_context,
    )


def this_platform() -> str:
    """The platform of images that run on this machine."""
    return "linux/arm64" if os.uname().machine in ("aarch64", "arm64") else "linux/amd64"


def secret_sources(settings: Settings, given: Mapping[str, str] = MappingProxyType({})) -> SecretSources:
    return SecretSources(os.environ, settings.secrets_file, config_dir() / "secrets", given)


def ledger_of(settings: Settings, target: str) -> Ledger:
    """The releases of a target's chains."""
    return Ledger(state_dir(settings), target, settings.database)


def variables_kept(settings: Settings, target: str) -> Variables:
    """The overrides of environment variables of a target's chains."""
    return variables_of(state_dir(settings), target, settings.database)


def state_dir(settings: Settings) -> Path:
    """Where releases are recorded: `$XDG_STATE_HOME/chainctl`, unless a setting says otherwise."""
    if settings.state_dir is not None:
        return settings.state_dir.resolve()
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "chainctl"


def config_dir() -> Path:
    """Where the user's own settings and secrets are: `$XDG_CONFIG_HOME/chainctl`."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "chainctl"


def origin_of(file: Path) -> Origin:
    """Say who pushes what: file, user, and the commit that is checked out."""
    from chainctl.workflows.push import Origin

    revision = subprocess.run(  # git, with fixed arguments
        ["git", "-C", str(file.parent), "rev-parse", "HEAD"],  # found on PATH, may be absent
        capture_output=True,
        text=True,
        check=False,
    ) if _has_git() else None  # fmt: skip
    found = revision.stdout.strip() if revision and revision.returncode == 0 else ""
    return Origin(str(file), user=this_user(), revision=found)


def _has_git() -> bool:
    import shutil

    return shutil.which("git") is not None


def this_user() -> str:
    """The name of who runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def python_executable() -> str:
    """The interpreter that reads chain files and runs local processes."""
    return sys.executable
