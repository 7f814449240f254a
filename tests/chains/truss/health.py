"""A health check of the chainlet's own, and how long a platform may wait for it."""

import truss_chains as chains
from truss.base.truss_config import HealthChecks


@chains.mark_entrypoint
class Healthy(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        options=chains.ChainletOptions(health_checks=HealthChecks(restart_threshold_seconds=60))
    )

    def __init__(self) -> None:
        self._asked = 0

    def is_healthy(self) -> bool:
        self._asked += 1
        return True

    def run_remote(self) -> bool:
        return self._asked > 0
