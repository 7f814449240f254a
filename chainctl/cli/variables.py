"""Arguments of `chainctl env` in; overrides kept in the state changed, listed, and given to releases, out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chainctl.adapters.secret_directory import SecretDirectory
from chainctl.cli.imaging import LoadedChain
from chainctl.cli.settings import Settings
from chainctl.cli.surroundings import (
    config_dir,
    file_variables,
    ledger_of,
    secret_sources,
    settings_for,
    variables_kept,
)
from chainctl.cli.wiring import recorded_ledger
from chainctl.deploy.compose_release import secret_names
from chainctl.deploy.overrides import OWN_PREFIX, Override, wrong_variable
from chainctl.deploy.settings import DeploySettings
from chainctl.errors import UsageError

_SECRET_PREFIX = "CHAINCTL_SECRET_"


@dataclass(frozen=True, slots=True)
class Changed:
    """What was changed: of which chain on which target, and which variables; `unknown` were not set."""

    chain: str
    target: str
    overrides: tuple[Override, ...]
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListedOverride:
    """An override, and where it holds."""

    chain: str
    target: str
    override: Override


def set_variables(
    where: str, assignments: Sequence[str], *, environment: str | None, target: str | None
) -> Changed:
    """Keep overrides for the next push, all or none. Raises UsageError, StateError."""
    settings = settings_for(target=target)
    chain, chainlet = _split(where)
    found, released = _released(chain, settings)
    if chainlet and chainlet not in released:
        raise UsageError(
            f"{chain} has no chainlet called {chainlet}", hint=f"it has: {', '.join(sorted(released))}."
        )
    wanted = tuple(_override(text, chainlet, _environment(environment, settings)) for text in assignments)
    _refuse_twice(wanted)
    _refuse_secrets(((one.name, one.value) for one in wanted), settings, _read_secrets(settings))
    variables_kept(settings, found).save(chain, wanted)
    return Changed(chain, found, wanted)


def remove_variables(
    where: str, names: Sequence[str], *, environment: str | None, target: str | None
) -> Changed:
    """Take overrides away from the next push. Raises UsageError, StateError."""
    settings = settings_for(target=target)
    chain, chainlet = _split(where)
    found, released = _released(chain, settings)
    kept = variables_kept(settings, found)
    there = kept.of(chain)
    if chainlet and chainlet not in {*released, *(one.chainlet for one in there)}:
        raise UsageError(
            f"{chain} has no chainlet called {chainlet}", hint=f"it has: {', '.join(sorted(released))}."
        )
    chosen = _environment(environment, settings)
    mine = {one.name: one for one in there if (one.environment, one.chainlet) == (chosen, chainlet)}
    gone = tuple(mine[name] for name in dict.fromkeys(names) if name in mine)
    if gone:
        kept.remove(chain, gone)
    return Changed(chain, found, gone, tuple(name for name in dict.fromkeys(names) if name not in mine))


def listed_variables(chain: str | None, *, target: str | None) -> list[ListedOverride]:
    """Every override of a chain, or of all of them. Raises UsageError for a chain that is not known."""
    settings = settings_for(target=target)
    found = []
    targets = settings.wanted_targets
    for name in targets:
        kept = variables_kept(settings, name)
        for one in (chain,) if chain else kept.chains():
            found += [ListedOverride(one, name, override) for override in kept.of(one)]
    if chain and not found and not any(chain in ledger_of(settings, n).chains() for n in targets):
        raise _unknown(chain, settings)
    return found


def with_variables(deploy: DeploySettings, loaded: LoadedChain, target: str) -> DeploySettings:
    """Add what the environment's settings and the state give to chainlets. Raises UsageError, StateError."""
    settings = loaded.settings
    variables = file_variables(Path(loaded.graph.path), settings.environment)
    overrides = variables_kept(settings, target).of(loaded.ships_as)
    given = [*variables, *((one.name, one.value) for one in overrides)]
    if given:
        _refuse_secrets(given, settings, {*secret_names(loaded.graph)} | _read_secrets(settings))
    return replace(deploy, variables=variables, overrides=overrides)


def with_file_variables(deploy: DeploySettings, loaded: LoadedChain) -> DeploySettings:
    """Add what the settings of the environment give to chainlets, but nothing of the state. Raises UsageError."""
    settings = loaded.settings
    variables = file_variables(Path(loaded.graph.path), settings.environment)
    if variables:
        _refuse_secrets(variables, settings, {*secret_names(loaded.graph)} | _read_secrets(settings))
    return replace(deploy, variables=variables)


def _split(where: str) -> tuple[str, str]:
    """Take `CHAIN/CHAINLET` apart; the chainlet is "" for all."""
    chain, slash, chainlet = where.partition("/")
    if not chain or (slash and not chainlet):
        raise UsageError(f"{where!r} names no chain", hint="write `CHAIN` or `CHAIN/CHAINLET`.")
    return chain, chainlet


def _override(text: str, chainlet: str, environment: str) -> Override:
    """The value is never told: it may be a secret that was typed in the wrong place."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError("a variable has no value", hint="write `NAME=VALUE`; `NAME=` for an empty one.")
    wrong = wrong_variable(name, value)
    if wrong:
        own = "choose another name: those that begin with `CHAINCTL_` are chainctl's own."
        plain = "write `NAME=VALUE`, with letters, digits and `_` in the name."
        raise UsageError(wrong, hint=own if name.startswith(OWN_PREFIX) else plain)
    return Override(environment, chainlet, name, value)


def _refuse_twice(wanted: Sequence[Override]) -> None:
    """Raise UsageError for a variable that is given twice with two values."""
    values: dict[str, str] = {}
    for one in wanted:
        if values.setdefault(one.name, one.value) != one.value:
            raise UsageError(f"two values are given for {one.name}", hint="write it once.")


def _environment(given: str | None, settings: Settings) -> str:
    """The environment that is meant, "" for every one."""
    return settings.environment or "" if given is None else given


def _released(chain: str, settings: Settings) -> tuple[str, frozenset[str]]:
    """The target of a chain and its chainlets by the last release. Raises UsageError."""
    target, ledger = recorded_ledger(chain, settings)
    record = ledger.latest(chain)
    if record is None:
        raise _unknown(chain, settings)
    return target, frozenset(service.chainlet for service in record.release.services)


def _unknown(chain: str, settings: Settings) -> UsageError:
    known = sorted(
        {name for target in settings.target_names for name in ledger_of(settings, target).chains()}
    )
    hint = f"known chains: {', '.join(known)}." if known else "push it first: `chainctl push chain.py`."
    return UsageError(f"there is no chain called {chain} here", hint=hint)


def _read_secrets(settings: Settings) -> set[str]:
    """Names of all secrets that have a value here, or that a chain pushed from here reads."""
    names = {*SecretDirectory(config_dir() / "secrets").names(), *secret_sources(settings).in_file()}
    names |= {v.removeprefix(_SECRET_PREFIX) for v in os.environ if v.startswith(_SECRET_PREFIX)}
    names |= {name for name in (settings.api_key_secret, settings.tls_secret) if name}
    for target in settings.target_names:
        ledger = ledger_of(settings, target)
        for record in filter(None, map(ledger.latest, ledger.chains())):
            names |= {secret.name for service in record.release.services for secret in service.secrets}
    return {name for name in names if name}


def _refuse_secrets(given: Iterable[tuple[str, str]], settings: Settings, names: Iterable[str]) -> None:
    """Raise UsageError for a value that is a secret's. Variables can be read by whoever may see a service."""
    sources = secret_sources(settings)
    values = {value.strip(): name for name in sorted(names) if (value := sources.find(name))}
    values.pop(b"", None)
    for variable, text in given:
        secret = values.get(text.strip().encode("utf-8", "surrogateescape"))
        if secret is not None:
            raise UsageError(
                f"the value of {variable} is that of the secret {secret}",
                hint=f"let the chainlet declare it, and save it with `chainctl secret set {secret}`;"
                " variables can be read by anybody who may look at a service.",
            )
