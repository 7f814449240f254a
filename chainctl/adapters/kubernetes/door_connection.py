"""A chain in; a socket to its front door that goes through the cluster's API, as `kubectl port-forward` does, out."""

from __future__ import annotations

import socket

from chainctl.adapters.kubernetes.api import Api
from chainctl.adapters.kubernetes.pods import is_ready
from chainctl.deploy.door_config import PORT
from chainctl.deploy.kubernetes.names import door_selector
from chainctl.errors import DeployError


def connect_door(api: Api, chain: str) -> socket.socket | None:
    """Connect to a pod of a chain's door; None where an Ingress leads there.

    Raises DeployError when none is ready, or may not be reached, EngineError.
    """
    if api.cluster().ingress_host:
        return None
    ready = (pod for pod in api.list("Pod", door_selector(chain)) if is_ready(pod))
    pod = next((str(one["metadata"]["name"]) for one in ready), None)
    if pod is None:
        raise DeployError(f"The front door of {chain} is not running", hint="push again")
    from kubernetes.stream.ws_client import PortForward

    path = f"/api/v1/namespaces/{api.namespace}/pods/{pod}/portforward"
    carrier = api.socket(path, [("ports", str(PORT))], f"reach the pod {pod}")
    carried = PortForward(carrier, [PORT]).socket(PORT)  # type: ignore[no-untyped-call]  # so it is
    try:
        found: socket.socket = carried.dup()
    finally:
        carried.close()
    return found
