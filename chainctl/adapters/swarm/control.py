"""A replica in; its control socket out, where its task runs on the node that we talk to."""

from __future__ import annotations

from chainctl.adapters.docker.control import open_control
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.swarm.manager import opened
from chainctl.adapters.swarm.nodes import node_here, nodes_of
from chainctl.adapters.swarm.places import replica_task
from chainctl.deploy.target import Control
from chainctl.errors import DeployError


def open_task_control(engine: Engine, chain: str, replica: str) -> Control:
    """Raises DeployError when the replica does not run, or runs where nothing reaches into it."""
    with opened(engine) as connection:
        task = replica_task(connection, chain, replica)
        if task is None:
            raise DeployError(f"The service {replica} is not running", hint="push again")
        if task.node != node_here(connection):
            names = {node.id: node.hostname for node in nodes_of(connection)}
            raise DeployError(
                f"{replica} runs on the node {names.get(task.node, task.node)}, "
                "and code is edited only on the node that is talked to",
                hint="watch the chain on one engine with `--target docker`",
            )
    return open_control(engine, chain, task.container)
