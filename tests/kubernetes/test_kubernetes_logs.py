"""What pods of a real cluster wrote: merged by time, cut to size, followed until the chain is gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from chainctl.deploy.operations import AwaitReady, EnsureNetwork, StartService
from chainctl.deploy.state import nothing
from chainctl.deploy.target import LogSource
from tests.contract.log_source import LINES, LogSourceContract
from tests.docker.target_rig import waited_for
from tests.kubernetes.cluster_rig import ClusterRig, image, namespace, rig

pytestmark = pytest.mark.kubernetes
__all__ = ["image", "namespace", "rig"]


def start(rig: ClusterRig, *chainlets: str) -> None:
    specs = [rig.spec(chainlet) for chainlet in chainlets]
    rig.apply(EnsureNetwork(rig.chain, "test"))
    rig.apply(*(StartService(spec, "test") for spec in specs))
    rig.apply(*(AwaitReady(spec, "test") for spec in specs))


def say(rig: ClusterRig, chainlet: str, text: str) -> None:
    status, _ = rig.target.invoke(rig.chain, rig.spec(chainlet).name, f"log {text}".encode(), 10.0)
    assert status == 200


class OwnLines:
    """A source that leaves out what the fakes say when they start."""

    def __init__(self, source: LogSource, begun: float) -> None:
        self._source, self._begun = source, begun

    def logs(self, chain: str, **how: object) -> Iterator[object]:
        how["since"] = how.get("since") or self._begun
        return self._source.logs(chain, **how)  # type: ignore[arg-type]  # passed on as they came


class TestKubernetesLogs(LogSourceContract):
    """Two services that speak by turns."""

    @pytest.fixture
    def source(self, rig: ClusterRig) -> LogSource:
        start(rig, "One", "Two")
        begun = [line.time for line in rig.target.logs(rig.chain)][-1] + 0.000_5
        for _, chainlet, text in LINES:
            say(rig, chainlet, text)
        return OwnLines(rig.target, begun)  # type: ignore[return-value]  # as far as the contract asks


def test_a_chain_is_followed_until_it_is_gone(rig: ClusterRig) -> None:
    """Into a service that was not there in the beginning; nothing comes twice."""
    start(rig, "One")
    heard: list[str] = []

    def read() -> None:
        for line in rig.target.logs(rig.chain, follow=True, tail=0):
            heard.append(line.text)

    reader = threading.Thread(target=read)
    reader.start()
    say(rig, "One", "after")
    waited_for(lambda: "after" in heard)
    start(rig, "Two")
    say(rig, "Two", "later")
    waited_for(lambda: "later" in heard)
    rig.push(nothing(rig.chain))
    reader.join(30)
    assert not reader.is_alive()
    assert heard.count("after") == heard.count("later") == 1
