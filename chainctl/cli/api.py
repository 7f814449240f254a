"""`chains.push(Entrypoint)` and `chains.connect()`: what the command does, from Python."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chainctl.cli.console import Console
from chainctl.cli.pushing import push_file
from chainctl.deploy.plan import total_of
from chainctl.workflows.call import call

if TYPE_CHECKING:
    from chainctl.sdk.built_in import ChainDeployment
    from chainctl.state.db import Db
    from chainctl.state.values import Change


@dataclass(frozen=True, slots=True)
class PushedChain:
    """A chain that was pushed: its name, its URL, and a way to call it."""

    name: str
    url: str

    @property
    def run_remote_url(self) -> str:
        """The URL that takes POST requests."""
        return f"{self.url}/run_remote"

    def run_remote(self, json_data: dict[str, Any], *, api_key: str | None = None) -> Any:
        """Call the entrypoint with a JSON object of arguments. Raises CallFailedError."""
        body = json.dumps(json_data).encode()
        return json.loads(call(self.url, body, chain=self.name, api_key=api_key).read())


def push(entrypoint: type, chain_name: str | None = None, *, target: str | None = None) -> PushedChain:
    """Push the chain that hangs on a chainlet class, which must be in a file.

    Raises ChainDefinitionError, BuildError, DeployError, EngineError.
    """
    file = inspect.getfile(entrypoint)
    pushed = push_file(f"{file}:{entrypoint.__qualname__}", Console(), target=target, name=chain_name)
    return PushedChain(pushed.chain, pushed.url)


def connect(url: str | None = None, artifacts: str | None = None, *, namespace: str = "default") -> Db:
    """Open the state of components: that of this user and machine, or a database by its URL.

    `artifacts` is a directory, or a URL that fsspec knows. What is not given is as in the settings
    `database` and `artifacts`. Applying a `ChainDeployment` that names its file pushes it.
    Raises StateError.
    """
    from chainctl.cli.applying import open_db
    from chainctl.cli.surroundings import settings_for

    return open_db(settings_for(database=url, artifacts=artifacts), namespace, _deployed)


def _deployed(chain: ChainDeployment) -> Change:
    from chainctl.components.node import NodeKey
    from chainctl.state.values import Action, Change

    pushed = push_file(str(chain.file), Console(), name=chain.identifier)
    chain.url, chain.release = pushed.url, pushed.number
    chain.target, chain.digest = pushed.target, pushed.digest
    action = Action.KEEP if pushed.plan.is_empty else Action.CREATE if pushed.number == 1 else Action.UPDATE
    key = NodeKey(type(chain).__name__, pushed.chain)
    return Change(key, action, pushed.number, pushed.number, total_of(pushed.plan))
