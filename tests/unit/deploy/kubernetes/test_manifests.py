"""A release as objects of Kubernetes: their text, that clusters take them, and what they say of hostile values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from chainctl.deploy.kubernetes.manifests import (
    Callers,
    Manifest,
    callers_of,
    door_manifests,
    entry_manifest,
    network_policy,
    release_manifests,
    service_manifests,
)
from chainctl.deploy.kubernetes.names import SERVICE, door_labels, service_labels, service_selector
from chainctl.deploy.kubernetes.nodes import node_terms, products_of
from chainctl.deploy.kubernetes.settings import ApiVersions, ClusterSettings
from chainctl.deploy.release import FrontDoor, Gpu, Release, Scaling, ServiceSpec
from chainctl.errors import UsageError
from tests.fakes.chains import graph_of, release_of
from tests.fakes.full_release import full_release

VERSIONS = ["1.28", "1.31", "1.34"]
PLAIN = ClusterSettings()
FULL = ClusterSettings(
    namespace="models",
    ingress_class="nginx",
    ingress_host="shop.example.com",
    ingress_tls_secret="shop-tls",
    image_pull_secret="registry",
    storage_class="fast",
    cache_bytes=200 << 30,
    queue_metric="chainctl_calls_waiting",
    monitoring_namespace="monitoring",
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def objects(manifests: tuple[Manifest, ...]) -> dict[tuple[str, str], Any]:
    return {(one.kind, one.name): yaml.safe_load(one.text) for one in manifests}


def spec_of(release: Release, chainlet: str, cluster: ClusterSettings = PLAIN) -> Any:
    """The pods' part of a chainlet's Deployment."""
    name = release.service_of(chainlet).name
    return objects(release_manifests(release, cluster))["Deployment", name]["spec"]["template"]["spec"]


def joined(manifests: tuple[Manifest, ...]) -> str:
    return "---\n".join(one.text for one in manifests)


@pytest.mark.parametrize(("name", "cluster"), [("plain", PLAIN), ("full", FULL)])
def test_a_release_as_text(golden: Callable[[str, str], None], name: str, cluster: ClusterSettings) -> None:
    """All that a service can have, in a cluster of which nothing is known and in one with everything."""
    golden(f"kubernetes/{name}.yaml", joined(release_manifests(full_release(), cluster)))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("cluster", [PLAIN, FULL], ids=["plain", "full"])
def test_clusters_take_the_objects(version: str, cluster: ClusterSettings) -> None:
    """The schemas of three versions of Kubernetes know every field, and miss none."""
    for one in release_manifests(full_release(), cluster):
        kubernetes_validate.validate(yaml.safe_load(one.text), version, strict=True)


def test_the_schemas_refuse_what_is_wrong() -> None:
    """Else the test above would say nothing."""
    text = release_manifests(full_release(), PLAIN)[0].text + "more: 1\n"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(yaml.safe_load(text), "1.31", strict=True)


def test_objects_are_what_they_are_called() -> None:
    """A manifest's own words say what its text says; none comes twice, and all are in the namespace."""
    manifests = release_manifests(full_release(), FULL)
    for one in manifests:
        value = yaml.safe_load(one.text)
        said = (value["apiVersion"], value["kind"], value["metadata"]["name"])
        assert said == (one.api_version, one.kind, one.name)
        assert value["metadata"]["namespace"] == "models"
    assert len(objects(manifests)) == len(manifests)


@pytest.mark.parametrize("chainlet", ["Front", "Speak", "Model"])
def test_pods_may_do_nothing_that_they_need_not(chainlet: str) -> None:
    """No root, no capabilities, no writing to the image, no key to the cluster's API."""
    pod = spec_of(full_release(), chainlet)
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    asked, most = container["resources"]["requests"], container["resources"]["limits"]
    assert {**asked, "cpu": 0} == {**most, "cpu": 0}
    assert milli(asked["cpu"]) * 4 == milli(most["cpu"])


def milli(cpus: str) -> int:
    """Read CPUs as Kubernetes writes them, in thousandths."""
    return int(cpus[:-1]) if cpus.endswith("m") else int(cpus) * 1000


def test_values_of_secrets_are_nowhere_but_referred_to() -> None:
    """A Secret by name, as files that only the service's user reads; other values are another Secret."""
    release = full_release()
    pod = spec_of(release, "Model")
    secret = next(volume["secret"] for volume in pod["volumes"] if volume["name"] == "secrets")
    assert [item["key"] for item in secret["items"]] == [".chainctl-token", "hf_token", "other.key"]
    assert secret["defaultMode"] == 0o400
    references = [one["valueFrom"] for one in pod["containers"][0]["env"] if "valueFrom" in one]
    assert references == [{"fieldRef": {"fieldPath": "spec.nodeName"}}]
    rotated = spec_of(release.with_secrets({"hf_token": "66"}), "Model")
    other = next(volume["secret"] for volume in rotated["volumes"] if volume["name"] == "secrets")
    assert other["secretName"] != secret["secretName"]


def test_the_door_has_two_replicas_and_no_secret_in_its_configuration() -> None:
    """Token, key and certificate are files; the configuration says only where they are."""
    release = full_release()
    found = objects(door_manifests("shop", release.front_door, release.entrypoint, PLAIN))
    assert found["Deployment", "shop-door"]["spec"]["replicas"] == 2
    (config,) = [value["data"]["haproxy.cfg"] for (kind, _), value in found.items() if kind == "ConfigMap"]
    assert "x-chainctl-token %[str(token),map(/run/door/token)]" in config
    assert "del-header ^x[-_]chainctl[-_] -m reg" in config
    assert "ssl crt /run/secrets/tls.pem" in config


def test_a_flip_is_the_selector_of_one_service() -> None:
    """Nothing else differs between two releases of an entrypoint, and before the first nobody is selected."""
    before, after = (yaml.safe_load(entry_manifest("shop", name, PLAIN).text) for name in ("a-1", "b-2"))
    assert before["spec"].pop("selector")[SERVICE] == "a-1"
    assert after["spec"].pop("selector")[SERVICE] == "b-2"
    assert before == after
    nobody = yaml.safe_load(entry_manifest("shop", None, PLAIN).text)
    assert nobody["spec"]["selector"][SERVICE] == "nobody"


def test_another_key_is_another_secret_of_the_door() -> None:
    """So the door's pods are replaced, one after the other."""
    door = full_release().front_door
    one, other = (
        objects(door_manifests("shop", replace(door, token_fingerprint=f), None, PLAIN))[
            "Deployment", "shop-door"
        ]
        for f in ("1", "2")
    )
    assert one["spec"]["template"] != other["spec"]["template"]


def hpa_of(scaling: Scaling, cluster: ClusterSettings) -> Any:
    spec = replace(full_release().service_of("Front"), scaling=scaling)
    found = objects(service_manifests(spec, Callers(), cluster))
    return found["HorizontalPodAutoscaler", spec.name]["spec"]


def test_replicas_follow_the_queue_where_it_is_measured() -> None:
    """Else the CPU; never to none, which no cluster does by itself."""
    scaling = Scaling(0, 6, 4, 90.5)
    queue = hpa_of(scaling, replace(PLAIN, queue_metric="calls"))
    assert queue["metrics"][0]["pods"]["target"] == {"type": "AverageValue", "averageValue": "4"}
    assert (queue["minReplicas"], queue["maxReplicas"]) == (1, 6)
    assert queue["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 91
    assert hpa_of(scaling, PLAIN)["metrics"][0]["resource"]["target"]["averageUtilization"] == 320
    first = replace(PLAIN, versions=ApiVersions(hpa="autoscaling/v1"))
    assert hpa_of(scaling, first)["targetCPUUtilizationPercentage"] == 320


def test_what_a_cluster_does_not_have_is_left_out() -> None:
    """An old cluster gets no object that it would refuse."""
    old = replace(FULL, versions=ApiVersions(hpa="", pdb="", ingress=""))
    kinds = {one.kind for one in release_manifests(full_release(), old)}
    assert not kinds & {"HorizontalPodAutoscaler", "PodDisruptionBudget", "Ingress"}


def test_the_number_of_what_follows_its_load_is_not_said() -> None:
    """Applying the same manifests again must not undo what the autoscaler did."""
    found = objects(release_manifests(full_release(), PLAIN))
    release = full_release()
    assert "replicas" not in found["Deployment", release.service_of("Model").name]["spec"]
    assert found["Deployment", release.service_of("Speak").name]["spec"]["replicas"] == 3


def test_a_budget_is_only_for_several_replicas() -> None:
    """One that allows one of one to be away would say nothing."""
    release = full_release()
    budgets = {
        name for kind, name in objects(release_manifests(release, PLAIN)) if kind == "PodDisruptionBudget"
    }
    assert budgets == {release.service_of("Speak").name, "shop-door"}


def test_a_gpu_is_any_product_of_its_model() -> None:
    """The operator's labels name products; what the user says of them himself is left alone."""
    assert "NVIDIA-L4" in products_of("L4")
    assert "Tesla-T4" in products_of("T4")
    assert "NVIDIA-A100-SXM4-80GB" in products_of("A100")
    assert "NVIDIA-H100-80GB-HBM3-SHARED" in products_of("NVIDIA H100")
    assert "NVIDIA-L40" not in products_of("L4")
    assert node_terms(Gpu("L4", 1), {"nvidia.com/gpu.product": "NVIDIA-L4"}) == ()
    (memory,) = node_terms(Gpu(None, 1, 24 << 30), {})
    assert (memory.operator, memory.values) == ("Gt", ("23837",))
    assert node_terms(None, {}) == ()


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """What the kubelet makes of a value: `$$` is a dollar, `$(NAME)` a variable that there is."""

    def said(found: re.Match[str]) -> str:
        whole = found[0]
        return "$" if whole == "$$" else variables.get(whole[2:-1], whole)

    return re.sub(r"\$\$|\$\([^)]*\)", said, text)


@given(st.dictionaries(TEXTS.filter(lambda name: not name.startswith("CHAINCTL_")), TEXTS, max_size=3), TEXTS)
@settings(deadline=None, max_examples=40)
def test_hostile_texts_stay_what_they_are(env: dict[str, str], chainlet: str) -> None:
    """A value that looks like YAML, a template or a reference is the same text in the container."""
    env.pop("PYTHONPATH", None)
    spec = replace(full_release().service_of("Front"), env=tuple(sorted(env.items())), chainlet=chainlet)
    found = objects(service_manifests(spec, Callers((chainlet,)), PLAIN))
    deployment = found["Deployment", spec.name]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    told = {
        one["name"]: expanded(one["value"], {"HOME": "/root"}) for one in container["env"] if "value" in one
    }
    assert {name: told[name] for name in env} == env
    assert told["CHAINCTL_CHAINLET"] == chainlet
    assert deployment["metadata"]["annotations"]["chainctl.dev/chainlet"] == chainlet
    assert set(found) == {(kind, spec.name) for kind in ("NetworkPolicy", "Service", "Deployment")}


@given(
    st.integers(1, 7).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.tuples(*[st.integers(0, n - 1)] * 2)))
    )
)
@settings(deadline=None, max_examples=40)
def test_policies_allow_the_edges_of_the_graph_and_no_others(drawn: tuple[int, set[tuple[int, int]]]) -> None:
    """Who may reach whom is what the chain file says; the door reaches the entrypoint alone."""
    count, pairs = drawn
    edges = {(a, b) for a, b in pairs if a < b}
    names = [f"C{number}" for number in range(count)]
    calls = {names[i]: sorted({names[b] for a, b in edges if a == i}) for i in range(count)}
    release = release_of(graph_of(calls))
    pods = {spec.chainlet: service_labels(spec) for spec in release.services} | {"": door_labels("shop")}
    callers = callers_of(release)
    allowed = set()
    for spec in release.services:
        policy = yaml.safe_load(network_policy(spec, callers[spec.name], PLAIN).text)["spec"]
        assert selects(policy["podSelector"], pods[spec.chainlet])
        assert policy["policyTypes"] == ["Ingress"]
        peers = [peer for rule in policy["ingress"] for peer in rule["from"]]
        allowed |= {
            (name, spec.chainlet)
            for name, labels in pods.items()
            if any(selects(peer["podSelector"], labels) for peer in peers)
        }
    wanted = {(names[a], names[b]) for a, b in edges}
    entry = next(spec.chainlet for spec in release.services if spec.name == release.entrypoint)
    assert allowed == wanted | {("", entry)}


def selects(selector: Any, labels: Mapping[str, str]) -> bool:
    wanted: Mapping[str, str] = selector["matchLabels"]
    return wanted.items() <= labels.items()


def test_a_policy_selects_one_service_alone() -> None:
    """Those of another chain with the same chainlets are not meant."""
    spec: ServiceSpec = full_release().service_of("Front")
    other = replace(spec, chain="other")
    assert not selects({"matchLabels": service_selector(spec.name, spec.chain)}, service_labels(other))


@pytest.mark.parametrize(
    "wrong",
    [
        {"namespace": "No"},
        {"namespace": ""},
        {"cluster_domain": 'a"\nb'},
        {"ingress_host": "https://shop.example.com"},
        {"ingress_host": "shop.example.com/v1"},
    ],
)
def test_settings_that_no_cluster_has_are_refused(wrong: dict[str, str]) -> None:
    """A domain is written into HAProxy's configuration, so nothing else may be in it."""
    with pytest.raises(UsageError):
        replace(PLAIN, **wrong)  # type: ignore[arg-type]  # mypy can not know which


@pytest.mark.parametrize(
    ("name", "value"),
    [("disk", "s s d"), ("disk", "x" * 64), ("", "ssd"), ("a/b/c", "ssd"), ("Org/disk", "ssd")],
)
def test_labels_that_no_node_has_are_refused(name: str, value: str) -> None:
    """With the chainlet that asks for them, before a cluster says it in its own words."""
    spec = replace(full_release().service_of("Front"), node_labels=((name, value),))
    with pytest.raises(UsageError, match="Front asks for nodes with the label"):
        service_manifests(spec, Callers(), PLAIN)


def test_labels_that_nodes_have_are_taken() -> None:
    """Those that clusters set themselves, too, and one without a value."""
    labels = (("example.org/pool", "a.b_c-d"), ("node-role.kubernetes.io/worker", ""))
    spec = replace(full_release().service_of("Front"), node_labels=labels)
    assert service_manifests(spec, Callers(), PLAIN)


def test_an_open_door_asks_for_no_key() -> None:
    """Plain HTTP at port 80 of its Service, and a port of its own where one was asked for."""
    found = objects(door_manifests("shop", FrontDoor(), None, PLAIN))
    assert found["Service", "shop-door"]["spec"]["ports"][0]["port"] == 80
    own = objects(door_manifests("shop", FrontDoor(port=9000), None, PLAIN))
    assert own["Service", "shop-door"]["spec"]["ports"][0]["port"] == 9000
