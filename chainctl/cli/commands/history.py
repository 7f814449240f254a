"""`chainctl history CHAIN`: its releases, the newest first."""

from __future__ import annotations

from chainctl.cli.options import ChainArgument, JsonOption, TargetOption


def history(chain: ChainArgument, target: TargetOption = None, as_json: JsonOption = False) -> None:
    """List the releases of a chain: number, age, who pushed what, what it changed. Asks no engine."""
    from chainctl.cli.console import now
    from chainctl.cli.history_text import history_json, history_text
    from chainctl.cli.output import print_result
    from chainctl.cli.surroundings import settings_for
    from chainctl.cli.wiring import recorded_ledger
    from chainctl.errors import UsageError
    from chainctl.workflows.history import history as history_of

    where, ledger = recorded_ledger(chain, settings_for(target=target))
    past = history_of(ledger, chain)
    if not past:
        raise UsageError(f"no release of {chain} is recorded here", hint=_known(ledger.chains()))
    value = {"chain": chain, "target": where, "releases": history_json(past)}
    print_result(history_text(past, now()), value, as_json=as_json)


def _known(chains: list[str]) -> str:
    return f"known chains: {', '.join(chains)}." if chains else "push one: `chainctl push chain.py`."
