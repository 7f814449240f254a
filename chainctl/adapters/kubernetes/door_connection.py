"""A chain in; a socket to its front door that goes through the cluster's API, as `kubectl port-forward` does, out."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from chainctl.adapters.kubernetes.api import Api
from chainctl.adapters.kubernetes.exec import ExecWire
from chainctl.adapters.kubernetes.pods import is_ready
from chainctl.deploy.door_config import PORT
from chainctl.deploy.kubernetes.names import door_selector
from chainctl.errors import DeployError

_CHUNK = 1 << 16


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
    path = f"/api/v1/namespaces/{api.namespace}/pods/{pod}/portforward"
    return _carried(ExecWire(api.socket(path, [("ports", str(PORT))], f"reach the pod {pod}")))


def _carried(wire: ExecWire) -> socket.socket:
    """Return a socket whose bytes two threads carry, until either side ends.

    The client's own way loses what has come when the other side ends first.
    """
    far, near = socket.socketpair()
    for carry in (_up, _down):
        threading.Thread(target=carry, args=(wire, near), name="front door", daemon=True).start()
    return far


def _up(wire: ExecWire, near: socket.socket) -> None:
    with near, suppress(OSError):
        while data := near.recv(_CHUNK):
            wire.send(data)
    wire.cut()


def _down(wire: ExecWire, near: socket.socket) -> None:
    """The first frame of a channel only names the port; what comes on another channel than the first is an error."""
    begun = set[int]()
    with suppress(OSError):
        while True:
            channel, data = wire.frame()
            if channel is None or (channel > 0 and channel in begun):
                break
            if channel == 0 and channel in begun:
                near.sendall(data)
            begun.add(channel)
    with suppress(OSError):
        near.shutdown(socket.SHUT_RDWR)
    wire.close()
