"""`chains.push(Entrypoint)`: what `chainctl push` does, from Python."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from typing import Any

from chainctl.cli.console import Console
from chainctl.cli.pushing import push_file
from chainctl.workflows.call import call


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
