"""What a cluster refused, or how it was lost, in; errors that name the cause and the way out, out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from chainctl.errors import ChainctlError, DeployError, EngineError

_FORBIDDEN, _UNKNOWN_USER, _MISSING, _TOO_MANY = 403, 401, 404, 429
_QUOTA = "exceeded quota"
LOST_HINT = "check that the cluster answers (`kubectl version`), then run the same command again"


class ForbiddenError(EngineError):
    """The cluster answers, and does not let one look."""


@contextmanager
def cluster_errors(host: str, doing: str) -> Iterator[None]:
    """Turn what the connection to a cluster raises while `doing` something into EngineError."""
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (HTTPError, OSError) as error:
        raise lost(host, doing, error) from error


def lost(host: str, doing: str, error: BaseException) -> EngineError:
    """Return the error for a connection that was not made, or broke."""
    for cause in _causes(error):
        name = type(cause).__name__
        if isinstance(cause, ConnectionRefusedError) or name == "NewConnectionError":
            return EngineError(f"No Kubernetes cluster answers at {host}", hint=LOST_HINT)
        if name in ("NameResolutionError", "gaierror"):
            return EngineError(
                f"The host of the cluster {host} is unknown", hint="check `server` in the kubeconfig"
            )
        if "CERTIFICATE_VERIFY_FAILED" in str(cause):
            return EngineError(
                f"The certificate of the cluster {host} is not trusted",
                hint="check `certificate-authority` in the kubeconfig, or fetch a new one from your provider",
            )
        if isinstance(cause, TimeoutError) or name in ("ReadTimeoutError", "ConnectTimeoutError"):
            return EngineError(f"The cluster {host} did not answer in time", hint=LOST_HINT)
    return EngineError(f"The cluster {host} was lost while trying to {doing}: {error}", hint=LOST_HINT)


def refused(status: int, body: bytes, doing: str, namespace: str, *, is_change: bool) -> ChainctlError:
    """Return the error for an answer that is none of success; what was to change leaves the old release alone."""
    said = message_in(body)
    kind: type[ChainctlError] = DeployError if is_change else EngineError
    if status == _UNKNOWN_USER:
        return EngineError(
            "The cluster does not know who asks",
            hint="log in anew as your provider says, and check with `kubectl auth can-i list pods`",
        )
    if status == _FORBIDDEN and _QUOTA in said:
        return DeployError(
            f"The namespace {namespace} has no room to {doing}: {said}",
            hint="ask for a larger quota (`kubectl describe quota`), or for less in the `Compute` of chainlets",
        )
    if status == _FORBIDDEN:
        forbidden = DeployError if is_change else ForbiddenError
        return forbidden(
            f"You may not {doing} in the namespace {namespace}",
            hint="ask for that right; docs/kubernetes.md lists all that chainctl needs",
            details=[said],
        )
    if status == _TOO_MANY or status >= 500:
        return EngineError(f"The cluster could not {doing}: {said}", hint=LOST_HINT)
    if status == _MISSING and "namespaces" in said:
        return no_namespace(namespace)
    return kind(f"The cluster refused to {doing}: {said}")


def no_namespace(namespace: str) -> DeployError:
    """Return the error for a namespace that is not there."""
    return DeployError(
        f"There is no namespace {namespace} in the cluster",
        hint=f"make it (`kubectl create namespace {namespace}`), or name another in the setting `namespace`",
    )


def message_in(body: bytes) -> str:
    """Return what a cluster said in words."""
    try:
        said: Any = json.loads(body)
    except ValueError:
        return body[:300].decode(errors="replace").strip()
    return str(said.get("message") or said) if isinstance(said, Mapping) else str(said)


def _causes(error: BaseException) -> Iterator[BaseException]:
    waiting, seen = [error], set[int]()
    while waiting:
        here = waiting.pop(0)
        if id(here) in seen:
            continue
        seen.add(id(here))
        yield here
        found = (here.__cause__, here.__context__, getattr(here, "reason", None), *here.args)
        waiting += [one for one in found if isinstance(one, BaseException)]
