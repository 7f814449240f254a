"""A replica in; its control socket, reached by one command that goes on running in its pod, out.

Nothing of it is on a network: who may run commands in a pod may change its code anyway.
"""

from __future__ import annotations

from chainctl.adapters.control_lines import LineControl
from chainctl.adapters.kubernetes.api import Api
from chainctl.adapters.kubernetes.ask import CONTAINER, INTERPRETER, pod_of
from chainctl.adapters.kubernetes.exec import open_exec
from chainctl.deploy.release import replica_name
from chainctl.deploy.target import Control

_RELAY = """\
import os, socket, threading
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["CHAINCTL_CONTROL"])
def up():
    while d := os.read(0, 65536):
        s.sendall(d)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while d := s.recv(65536):
    while d:
        d = d[os.write(1, d):]
"""


def open_control(api: Api, chain: str, service: str, replica: int) -> Control:
    """Start the relay in a replica's pod. Raises DeployError when it does not run, or may not be entered."""
    pod = pod_of(api, chain, service, replica)
    wire = open_exec(api, pod, CONTAINER, [INTERPRETER, "-I", "-c", _RELAY])
    return LineControl(replica_name(service, replica), wire)
