"""Settings and a chain in; the targets that are meant out."""

from __future__ import annotations

from collections.abc import Callable

from chainctl.cli.settings import Settings
from chainctl.cli.surroundings import engine_address, ledger_of
from chainctl.cli.target_tables import AUTO
from chainctl.cli.worlds import World, docker_world, kubernetes_world, local_world, swarm_world
from chainctl.errors import EngineError, UsageError
from chainctl.state.ledger import Ledger


def open_world(settings: Settings, notice: Callable[[str], None], chain: str | None = None) -> World:
    """Open the target that the settings name; with `auto`, the one that `chain` was pushed to before.

    With `auto` and no engine, chains run as local processes. Raises EngineError when an engine that was named does
    not answer.
    """
    recorded = _recorded(chain, settings) if chain else []
    is_known = settings.target == AUTO and len(recorded) == 1
    settings = settings.on(recorded[0]) if is_known else settings
    if settings.target != AUTO:
        return target_world(settings)
    try:
        return docker_world(settings)
    except EngineError as error:
        if engine_address(settings).is_chosen:
            other = "to run it as local processes instead: `--target local`"
            hint = "; ".join(filter(None, (error.hint.rstrip("."), other)))
            raise EngineError(error.message, hint=hint, details=error.details) from error
        notice(f"No Docker Engine answers ({error.message}); using local processes (--target local).")
        return local_world(settings)


def world_of(chain: str, settings: Settings, notice: Callable[[str], None]) -> World:
    """Open the target that a chain runs on.

    Raises UsageError when no target has it, or when two have and none was chosen.
    """
    recorded = _recorded(chain, settings)
    if settings.target == AUTO and len(recorded) > 1:
        raise _on_two_targets(chain, recorded)
    if settings.target == AUTO and recorded:
        return open_world(settings, notice, chain)
    known: list[str] = []
    for world in open_worlds(settings):
        known += world.target.chains()
        if chain in known or world.name in recorded:
            return world
    raise UsageError(f"there is no chain called {chain} here", hint=_known(sorted(set(known))))


def _nobody(_text: str) -> None:
    """Tell nobody."""


def open_worlds(settings: Settings, notice: Callable[[str], None] = _nobody) -> list[World]:
    """Open every target that the settings allow. One that was asked for must answer.

    Where none was asked for, those of clusters and of your own are looked at that have chains from here; what
    does not answer, and has some, is told to `notice`.
    """
    if settings.target != AUTO:
        return [target_world(settings)]
    usual = ("docker", "local")
    more = (name for name in settings.target_names if name not in usual)
    worlds = []
    for name in (*usual, *(name for name in more if ledger_of(settings, name).chains())):
        try:
            worlds.append(target_world(settings.on(name)))
        except EngineError as error:
            if ledger_of(settings, name).chains():
                notice(f"{name} is not looked at: {error.message}")
    return worlds


def target_world(settings: Settings) -> World:
    """Open the target that the settings name, which is not `auto`. Raises EngineError when it does not answer."""
    match settings.kind:
        case "docker":
            return docker_world(settings)
        case "swarm":
            return swarm_world(settings)
        case "kubernetes":
            return kubernetes_world(settings)
        case _:
            return local_world(settings)


def recorded_ledger(chain: str, settings: Settings) -> tuple[str, Ledger]:
    """The ledger to compare a chain with where no target is asked, and the name of its target.

    Raises UsageError when two targets have the chain and none was chosen.
    """
    recorded = _recorded(chain, settings)
    if settings.target == AUTO and len(recorded) > 1:
        raise _on_two_targets(chain, recorded)
    name = next(iter(recorded), "docker") if settings.target == AUTO else settings.target
    return name, ledger_of(settings, name)


def _on_two_targets(chain: str, recorded: list[str]) -> UsageError:
    return UsageError(
        f"{chain} runs on {len(recorded)} targets: {' and '.join(recorded)}",
        hint=f"choose one: `--target {recorded[0]}`.",
    )


def _recorded(chain: str, settings: Settings) -> list[str]:
    """The targets that a chain was pushed to from here."""
    return [name for name in settings.target_names if chain in ledger_of(settings, name).chains()]


def _known(chains: list[str]) -> str:
    return f"known chains: {', '.join(chains)}." if chains else "push one: `chainctl push chain.py`."


def ledgers_beside(world: World) -> dict[str, Ledger]:
    """The ledgers of the other targets whose images may be where this one's are: an engine builds for several."""
    if world.kind == "local":
        return {}
    names = (name for name in world.settings.target_names if name not in ("local", world.name))
    return {name: ledger_of(world.settings, name) for name in names}
