"""What is asked of a cluster before it is reached: a client, a kubeconfig, words for labels."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from chainctl.adapters.kubernetes.api import Api, connect, selected
from chainctl.adapters.kubernetes.settings import KubernetesSettings
from chainctl.adapters.kubernetes.target import KubernetesTarget
from chainctl.errors import EngineError, UsageError
from tests.fakes.data import MemoryData
from tests.fakes.vault import MemoryVault

CONFIG = """\
apiVersion: v1
kind: Config
current-context: one
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: secret-token}}]
contexts: [{name: one, context: {cluster: c, user: u}}]
"""


def settings(tmp_path: Path, context: str | None = None) -> KubernetesSettings:
    path = tmp_path / "config"
    path.write_text(CONFIG)
    return KubernetesSettings(path, context)


def test_without_the_client_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is an extra of the package, which most users do not need."""
    monkeypatch.setitem(sys.modules, "kubernetes.config", None)
    with pytest.raises(UsageError) as raised:
        connect(settings(tmp_path))
    assert "pip install 'chainctl[kubernetes]'" in raised.value.hint


def test_a_context_that_nobody_knows_is_named(tmp_path: Path) -> None:
    """With the command that lists those that there are."""
    with pytest.raises(EngineError, match="other") as raised:
        connect(settings(tmp_path, "other"))
    assert "kubectl config get-contexts" in raised.value.hint


def test_a_cluster_that_does_not_answer_is_named_and_no_token(tmp_path: Path) -> None:
    """Nothing of what proves who asks is in an error."""
    api = Api(settings(tmp_path))
    assert api.host == "http://127.0.0.1:1"
    with pytest.raises(
        EngineError, match=r"No Kubernetes cluster answers at http://127\.0\.0\.1:1"
    ) as raised:
        api.list("Pod")
    assert "secret-token" not in str(raised.value)


def test_nothing_is_read_before_the_first_question(tmp_path: Path) -> None:
    """So that who only plans for another target needs no kubeconfig."""
    target = KubernetesTarget(KubernetesSettings(tmp_path / "missing"), MemoryVault(), data=MemoryData())
    assert (target.name, target.gpus()) == ("kubernetes", None)


def test_labels_are_written_in_order() -> None:
    """The same question is the same text."""
    assert selected({"b": "2", "a": "1"}) == "a=1,b=2"
