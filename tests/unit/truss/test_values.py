"""What files configure in the words of Truss, and how they find services by hand."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import chainctl as chains
from chainctl.errors import ChainsUsageError, MissingDependencyError
from chainctl.truss import kinds, push
from chainctl.truss.config import Accelerator, DockerAuthSettings, ExternalDataItem, ModelRepo, WeightsSource
from chainctl.truss.engines import EngineSetting
from chainctl.truss.handle import CallArgs, TrussHandle, get_baseten_chain_api_key, get_service_urls


def test_configuration_survives_its_json_form() -> None:
    """Also what means nothing here, with fields that nobody knows, since it is written into releases."""
    assets = chains.Assets(
        cached=[ModelRepo(repo_id="a/b", revision="main", kind="hf")],
        external_data=[ExternalDataItem(url="https://a.b/c", local_data_path="c")],
        weights=[WeightsSource(source="hf://a/b", mount_location="/models")],
    )
    image = chains.DockerImage(
        base_image=chains.CustomImage(image="a.b/c:1", docker_auth=DockerAuthSettings(auth_method="AWS_IAM"))
    )
    config = chains.RemoteConfig(
        assets=assets,
        docker_image=image,
        compute=chains.Compute(gpu=Accelerator.H100_40GB),
    )
    written = json.loads(config.model_dump_json(exclude_unset=True))
    assert written["compute"] == {"gpu": "H100_40GB"}
    assert written["assets"]["cached"] == [{"repo_id": "a/b", "revision": "main", "kind": "hf"}]
    assert json.loads(chains.RemoteConfig.from_json(written).model_dump_json(exclude_unset=True)) == written


def test_settings_of_engines_are_whatever_is_written() -> None:
    """Names, members and calls, to any depth; only private names are none."""
    setting = EngineSetting("Build").LLAMA(max_seq_len=1).more
    assert repr(setting) == "Build.LLAMA(…).more"
    assert not hasattr(setting, "__wrapped__")


def test_an_engine_can_be_stood_in_for() -> None:
    """Locally a stand-in is given by name; the engine itself only says that it is none."""

    class Engine(kinds.EngineBuilderLLMChainlet):
        pass

    async def first() -> str:
        return await anext(Engine().run_remote(kinds.EngineBuilderLLMInput(messages=[])))

    with pytest.raises(NotImplementedError, match="`Engine` is an engine"):
        asyncio.run(first())


def test_push_ignores_what_only_a_platform_has() -> None:
    """It says so, and does not pretend to write Truss directories. The push itself needs a file."""
    with pytest.raises(ChainsUsageError, match="does not make"):
        push.push(int, only_generate_trusses=True)
    with pytest.warns(UserWarning, match="`environment`, `remote`"), pytest.raises(TypeError):
        push.push(int, "name", remote="baseten", environment="production")


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the process of a service is told; its directory of secrets."""
    own = {"Echo": "http://echo-1234:8000", "Local": "unix:/run/x.sock"}
    monkeypatch.setenv("CHAINCTL_SERVICES", json.dumps(own))
    monkeypatch.setenv("CHAINCTL_OUTSIDE", json.dumps({"Other": "https://a.b/run_remote"}))
    monkeypatch.setenv("CHAINCTL_SECRETS_DIR", str(tmp_path))
    (tmp_path / ".chainctl-token").write_text("t0ken\n", encoding="utf-8")
    return tmp_path


@pytest.mark.usefixtures("deployed")
def test_a_handle_says_how_a_chainlet_is_called() -> None:
    """By name or class; with the chain's token, and the key where there is one."""
    handle = TrussHandle("Echo")
    headers = {"x-chainctl-token": "t0ken"}
    assert handle.http_call_args() == CallArgs("http://echo-1234:8000/run_remote", headers)
    assert handle.http_call_args(sync_path="/v1/x").url == "http://echo-1234:8000/v1/x"
    keyed = {**headers, "Authorization": "Api-Key k"}
    assert handle.ws_call_args(api_key="k") == CallArgs("ws://echo-1234:8000/run_remote", keyed)
    named = type("E", (chains.ChainletBase,), {"remote_config": chains.RemoteConfig(name="Echo")})
    assert get_service_urls(named) == handle.urls


@pytest.mark.usefixtures("deployed")
def test_the_token_stays_in_the_chain() -> None:
    """Another chain that stands for a chainlet is not shown it."""
    assert TrussHandle("Other").http_call_args(api_key="k") == CallArgs(
        "https://a.b/run_remote", {"Authorization": "Api-Key k"}
    )


def test_what_is_not_known_is_a_missing_dependency(deployed: Path) -> None:
    """An unknown chainlet, one without a URL, a key without a value; and a number names nobody."""
    with pytest.raises(MissingDependencyError, match="no service is known for `Nobody`"):
        get_service_urls("Nobody")
    with pytest.raises(MissingDependencyError, match="`Local` has no URL here"):
        get_service_urls("Local")
    with pytest.raises(MissingDependencyError, match="has no value here"):
        get_baseten_chain_api_key()
    with pytest.raises(ChainsUsageError, match="not by a `int`"):
        get_service_urls(1)  # type: ignore[arg-type]
    (deployed / "baseten_chain_api_key").write_text("key\n", encoding="utf-8")
    assert get_baseten_chain_api_key() == "key"
