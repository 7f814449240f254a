"""`chainctl jobs CHAIN`: its components and what their triggers came to."""

from __future__ import annotations

from chainctl.cli.options import ChainArgument, JsonOption, TargetOption


def jobs(chain: ChainArgument, target: TargetOption = None, as_json: JsonOption = False) -> None:
    """List the components that were applied with a chain, and their jobs. Runs nothing of them."""
    from chainctl.cli.applying import open_components
    from chainctl.cli.jobs_text import jobs_json, jobs_text
    from chainctl.cli.output import print_result
    from chainctl.cli.surroundings import settings_for
    from chainctl.cli.wiring import recorded_ledger
    from chainctl.errors import UsageError

    settings = settings_for(target=target)
    where, ledger = recorded_ledger(chain, settings)
    with open_components(settings, where, chain) as db:
        keys = set(db.owned_by(chain))
        components = [revision for revision in db.show() if revision.key in keys]
        found = [job for job in db.jobs() if job.key in keys]
    if not components and chain not in ledger.chains():
        raise UsageError(
            f"nothing is recorded here of a chain called {chain}", hint="`chainctl ps` shows the names."
        )
    value = {"chain": chain, "target": where, "components": jobs_json(components, found)}
    print_result(jobs_text(components, found), value, as_json=as_json)
