"""Names and values of secrets in; the user's directory of secrets changed, and who reads them, out."""

from __future__ import annotations

import getpass
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chainctl.adapters.secret_directory import SIZE_LIMIT, SecretDirectory, require_name
from chainctl.adapters.vault import Vault
from chainctl.cli.secret_listing import ListedSecret, Reader, secret_rows
from chainctl.cli.settings import Settings
from chainctl.cli.surroundings import config_dir, ledger_of, secret_sources, settings_for
from chainctl.errors import UsageError

_VARIABLE = "CHAINCTL_SECRET_"


@dataclass(frozen=True, slots=True)
class Saved:
    """A secret that was saved. `shadowed_by` is the place that is looked at first and has it, too."""

    name: str
    is_changed: bool
    readers: tuple[Reader, ...]
    shadowed_by: str | None


def directory() -> SecretDirectory:
    return SecretDirectory(config_dir() / "secrets")


def read_value(name: str, file: Path | None) -> bytes:
    """Read a value from a file, or from stdin; typed on a terminal it is one line that is not shown."""
    require_name(name)
    if file is not None:
        return file.read_bytes()
    if sys.stdin.isatty():
        return getpass.getpass(f"Value of {name} (not shown): ").encode()
    value = sys.stdin.buffer.read(SIZE_LIMIT + 2)
    return value.removesuffix(b"\n").removesuffix(b"\r") if value.endswith(b"\n") else value


def save_secret(name: str, value: bytes) -> Saved:
    """Save a value. Raises UsageError."""
    is_changed = directory().save(name, value)
    settings = settings_for()
    place = secret_sources(settings).place_of(name)
    is_own = place is not None and place.endswith(str(directory().path))
    return Saved(name, is_changed, tuple(_readers(settings).get(name, ())), None if is_own else place)


def set_text(done: Saved) -> Iterator[str]:
    """Say what was done and what is next."""
    yield f"{done.name} is saved." if done.is_changed else f"{done.name} has this value already."
    if done.shadowed_by:
        yield f"But {done.shadowed_by} has it, too, and is looked at first."
    chains = sorted({reader.chain for reader in done.readers if reader.is_older})
    if chains:
        readers = ", ".join(f"{r.chain}/{r.chainlet}" for r in done.readers if r.is_older)
        yield f"The next push of {', '.join(chains)} gives it to its readers: {readers}."


def listed_secrets(*, secrets_file: Path | None, target: str | None) -> list[ListedSecret]:
    """Every secret that has a value here or is read by a chain that was pushed from here."""
    settings = settings_for(secrets_file=secrets_file, target=target)
    sources, readers = secret_sources(settings), _readers(settings)
    names = {*readers, *directory().names(), *sources.in_file(), *_unclaimed(readers)}
    places = {name: place for name in names if (place := sources.place_of(name))}
    return secret_rows(places, readers)


def remove_secret(name: str, *, is_forced: bool) -> bool:
    """Remove a saved value. Raises UsageError while somebody reads it, unless it is forced."""
    require_name(name)
    readers = _readers(settings_for()).get(name, [])
    if readers and not is_forced:
        raise UsageError(
            f"the secret {name} is read by {', '.join(f'{r.chain}/{r.chainlet}' for r in readers)}",
            hint="their next push would fail; `--force` removes it all the same.",
        )
    return directory().remove(name)


def _readers(settings: Settings) -> dict[str, list[Reader]]:
    """Who reads which secret, by the last release of every chain that was pushed from here."""
    found: dict[str, list[Reader]] = defaultdict(list)
    for target in settings.wanted_targets:
        ledger = ledger_of(settings, target)
        vault = Vault(secret_sources(settings), ledger.token)
        for chain in ledger.chains():
            record = ledger.latest(chain)
            for service in record.release.services if record else ():
                for secret in service.secrets:
                    is_older = vault.fingerprint(chain, secret.name) not in (None, secret.fingerprint)
                    found[secret.name].append(Reader(chain, target, service.chainlet, is_older))
    return found


def _unclaimed(readers: dict[str, list[Reader]]) -> set[str]:
    """Names in the environment that stand for none of the names that are known already."""
    known = {name.upper().replace("-", "_").replace(".", "_") for name in {*readers, *directory().names()}}
    given = {v.removeprefix(_VARIABLE) for v in os.environ if v.startswith(_VARIABLE)}
    return {name for name in given if name and name.upper() not in known}
