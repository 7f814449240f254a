"""A service and a path in; what the service answers there, asked from within one of its pods, out.

So nothing has to be reached but the API: neither a pod's address, which policies close, nor a port.
"""

from __future__ import annotations

import base64

from chainctl.adapters.kubernetes.api import Api, Object
from chainctl.adapters.kubernetes.exec import run_in
from chainctl.adapters.kubernetes.pods import is_ending, is_ready
from chainctl.deploy.kubernetes.names import service_selector
from chainctl.deploy.release import replica_of
from chainctl.errors import DeployError

CONTAINER = "chainlet"
INTERPRETER = "/proc/1/exe"
"""The very interpreter that runs the service, wherever the image has it."""
_PROBE = "/app/chainctl/server/probe.py"
_SHOWN = 200
_BODY_LIMIT = 90_000
"""Bytes of a call's body: it travels as an argument, of which Linux takes 128 KiB."""
_GRACE_SEC = 10
_NO_ANSWER = "no answer"


def probe(*arguments: str) -> list[str]:
    """Return the command that asks a service in its own container, with the token that it has there."""
    return [INTERPRETER, "-I", _PROBE, *arguments]


def running_pods(api: Api, chain: str, service: str) -> list[Object]:
    """Return the pods of a service, oldest first, those that are ready before others."""
    found = [
        pod
        for pod in api.list("Pod", service_selector(service, chain))
        if not is_ending(pod) and (pod.get("status") or {}).get("phase") == "Running"
    ]
    return sorted(found, key=lambda pod: (not is_ready(pod), pod["metadata"]["creationTimestamp"]))


def pod_of(api: Api, chain: str, service: str, replica: int = 1) -> str:
    """Return the name of the pod that is a replica of a service. Raises DeployError when there is none."""
    found = running_pods(api, chain, service)
    if len(found) < replica:
        raise DeployError(f"The service {service} is not running", hint="push again")
    return str(found[replica - 1]["metadata"]["name"])


def ask_service(api: Api, chain: str, service: str, path: str) -> bytes:
    """Return the body. Raises DeployError when the service is not there or does not answer with 200."""
    said = run_in(api, pod_of(api, chain, *replica_of(service)), CONTAINER, probe(path)).output
    status, _, body = said.partition(" ")
    if status != "200":
        raise DeployError(f"{service} did not answer GET {path}", details=[said[:_SHOWN].strip()])
    return body.removesuffix("\n").encode()


def call_service(api: Api, chain: str, service: str, body: bytes, timeout_sec: float) -> tuple[int, bytes]:
    """Call `run_remote` with JSON; returns the status, 0 for no answer, and the body.

    Raises DeployError when the service is not there.
    """
    pod = pod_of(api, chain, *replica_of(service))
    if len(body) > _BODY_LIMIT:
        raise DeployError(
            f"the call has {len(body)} bytes, of which {_BODY_LIMIT} can be sent to a release without traffic",
            hint="test it with less, or without `gate`: then it is called through the front door.",
        )
    text = base64.b64encode(body).decode()
    command = probe("/run_remote", text, str(timeout_sec))
    said = run_in(api, pod, CONTAINER, command, within_sec=timeout_sec + _GRACE_SEC).output
    status, _, rest = said.partition(" ")
    is_answer = status.isdecimal() and not said.startswith(_NO_ANSWER)
    return (int(status), rest.removesuffix("\n").encode()) if is_answer else (0, said.strip().encode())
