"""A service's name covers what it is, as a Merkle tree over the graph."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chainctl.build.plan import plan_build
from chainctl.build.settings import BuildSettings
from chainctl.deploy.compose_release import callees_first, compose_release, secret_names
from chainctl.deploy.generations import restarted
from chainctl.deploy.release import (
    Call,
    DataMount,
    Fingerprint,
    FrontDoor,
    Gpu,
    Release,
    SecretRef,
    ServiceSpec,
    digest_of,
    in_dependency_order,
    service_name,
)
from chainctl.deploy.settings import DeploySettings
from chainctl.graph.graph import ChainGraph
from tests.fakes.chains import chainlet, graph_of, release_of, snapshot_of

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
PRINTS = st.builds(
    Fingerprint, image=st.text(max_size=5), config=st.text(max_size=5), calls=st.text(max_size=5)
)


@given(NAMES, NAMES, PRINTS)
def test_a_service_name_is_a_dns_label(chain: str, name: str, fingerprint: Fingerprint) -> None:
    """Letters, digits and dashes, at most 63, no dash at the ends; whatever the names."""
    label = service_name(chain, name, fingerprint)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label)


@given(NAMES, NAMES, PRINTS, NAMES, NAMES, PRINTS)
def test_different_services_have_different_names(
    chain: str, name: str, one: Fingerprint, other_chain: str, other_name: str, two: Fingerprint
) -> None:
    """Chain, chainlet and each part of the fingerprint count, also where the readable part is the same."""
    assume((chain, name, one) != (other_chain, other_name, two))
    assert service_name(chain, name, one) != service_name(other_chain, other_name, two)


def test_readable_service_names() -> None:
    """Chain, chainlet, digest; unicode and underscores become dashes, long names are cut."""
    print_ = Fingerprint("i", "c", "c")
    digest = service_name("shop", "Leaf", print_)[-8:]
    assert service_name("shop", "Leaf", print_) == f"shop-leaf-{digest}"
    assert service_name("my_shop", "Größe", print_)[:-8] == "my-shop-gr--e-"
    assert len(service_name("s" * 40, "L" * 100, print_)) == 63
    assert re.fullmatch("[0-9a-f]{8}", service_name("音", "声", print_))


def test_causes_name_the_parts_that_differ() -> None:
    """In a fixed order."""
    one = Fingerprint("i", "c", "k")
    assert one.causes(one) == []
    assert one.causes(Fingerprint("j", "d", "l")) == [
        "its image changed",
        "its configuration changed",
        "a chainlet that it calls changed",
    ]


@st.composite
def dags(draw: st.DrawFn) -> dict[str, list[str]]:
    """Chains without circles: C0 is the entrypoint, each calls some later ones."""
    size = draw(st.integers(1, 7))
    pairs = [(a, b) for a in range(size) for b in range(a + 1, size)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return {f"C{n}": [f"C{b}" for a, b in sorted(edges) if a == n] for n in range(size)}


def callers_of(name: str, calls: dict[str, list[str]]) -> set[str]:
    """A chainlet and everything that leads to it."""
    found = {name}
    while True:
        more = {caller for caller, callees in calls.items() if found & set(callees)} - found
        if not more:
            return found
        found |= more


def graph_with(calls: dict[str, list[str]], **configs: Mapping[str, object]) -> ChainGraph:
    """Every chainlet has a file of its own besides the chain file."""
    specs = [chainlet(n, files=["chain.py", f"{n}.py"], config=configs.get(n)) for n in calls]
    return graph_of(calls, specs=specs)


def released(calls: dict[str, list[str]], edited: str | None = None) -> Release:
    """The release of a DAG; `edited` has another text in its file."""
    files = {"chain.py": "", **{f"{n}.py": "edited" if n == edited else n for n in calls}}
    return release_of(graph_with(calls), snapshot_of(files))


def renamed(one: Release, other: Release) -> set[str]:
    """The chainlets whose service has another name."""
    return {s.chainlet for s in one.services if other.service_of(s.chainlet).name != s.name}


@settings(max_examples=50, deadline=None)
@given(dags(), st.data())
def test_an_edit_renames_its_service_and_all_its_callers(
    calls: dict[str, list[str]], data: st.DataObject
) -> None:
    """And nothing else, so the rest keeps running."""
    edited = data.draw(st.sampled_from(sorted(calls)))
    assert renamed(released(calls), released(calls, edited)) == callers_of(edited, calls)


@settings(max_examples=50, deadline=None)
@given(dags(), st.data())
def test_a_configuration_renames_its_service_and_all_its_callers(
    calls: dict[str, list[str]], data: st.DataObject
) -> None:
    """Resources are part of what a service is, and the cause says so."""
    name = data.draw(st.sampled_from(sorted(calls)))
    files = {"chain.py": "", **{f"{n}.py": n for n in calls}}
    changed = release_of(graph_with(calls, **{name: {"compute": {"cpu_count": 2}}}), snapshot_of(files))
    before = released(calls)
    assert renamed(before, changed) == callers_of(name, calls)
    causes = changed.service_of(name).fingerprint.causes(before.service_of(name).fingerprint)
    assert causes == ["its configuration changed"]


@settings(max_examples=50, deadline=None)
@given(dags())
def test_callees_come_first(calls: dict[str, list[str]]) -> None:
    """In the graph, in the release, and when services are put in order again."""
    graph = graph_with(calls)
    order = callees_first(graph)
    assert sorted(order) == sorted(calls)
    assert all(order.index(callee) < order.index(caller) for caller in calls for callee in calls[caller])
    release = released(calls)
    assert [s.chainlet for s in release.services] == order
    names = [s.name for s in in_dependency_order(reversed(release.services))]
    assert all(names.index(c.service) < names.index(s.name) for s in release.services for c in s.calls)


@settings(max_examples=50, deadline=None)
@given(dags())
def test_calls_lead_to_the_services_of_this_release(calls: dict[str, list[str]]) -> None:
    """A caller reaches only the version that it was released with."""
    release = released(calls)
    for service in release.services:
        assert service.calls == tuple(
            Call(c, release.service_of(c).name) for c in sorted(calls[service.chainlet])
        )
    assert release.entrypoint == release.service_of("C0").name


def test_a_chainlet_that_is_called_twice_is_one_call() -> None:
    """Two edges to one chainlet, such as with other options."""
    graph = graph_of({"Root": ["Leaf", "Leaf"], "Leaf": []})
    assert len(release_of(graph).service_of("Root").calls) == 1


@pytest.mark.parametrize(("least", "sleepers"), [(0, ("Leaf",)), (1, ())])
def test_callers_know_who_may_sleep(least: int, sleepers: tuple[str, ...]) -> None:
    """Only a chainlet that may has another name for its callers; those of all others keep theirs."""
    bounds = {"compute": {"min_replicas": least, "max_replicas": 3}}
    graph = graph_of({"Root": ["Leaf"], "Leaf": []}, specs=[chainlet("Leaf", config=bounds)])
    release = release_of(graph)
    root, leaf = release.service_of("Root"), release.service_of("Leaf")
    assert root.sleepers == sleepers
    assert root.calls == (Call("Leaf", leaf.name, may_sleep=bool(sleepers)),)
    assert restarted(release, ["Leaf"]).service_of("Root").sleepers == sleepers
    plain = release_of(graph_of({"Root": ["Leaf"], "Leaf": []}))
    assert (root.name != plain.service_of("Root").name) is bool(sleepers)


def test_an_unknown_chainlet_has_no_service() -> None:
    """KeyError, as for any mapping."""
    with pytest.raises(KeyError):
        released({"C0": []}).service_of("Nobody")


def service(config: dict[str, object], settings: DeploySettings | None = None, **prints: str) -> ServiceSpec:
    """The one service of a chain with this configuration."""
    graph = graph_of({"Leaf": []}, specs=[chainlet("Leaf", config=config)])
    return release_of(graph, settings=settings, fingerprints=prints).services[0]


def test_resources_are_what_was_asked_for() -> None:
    """Limits in the engine's units; process limits come from the settings."""
    compute = {"cpu_count": 2, "memory": "512Mi", "gpu": "L4", "gpu_count": 2}
    resources = service({"compute": compute}, DeploySettings(pids=99)).resources
    assert (resources.cpus, resources.memory_bytes, resources.pids) == (2.0, 512 * 2**20, 99)
    assert resources.gpu == Gpu("L4", 2)
    assert service({}).resources.gpu is None
    assert service({"compute": {"gpu": "T4"}}).resources.gpu == Gpu("T4", 1)


def test_a_gpu_may_be_written_with_its_count() -> None:
    """`L4:2` is two of them, as `gpu="L4", gpu_count=2` is."""
    assert service({"compute": {"gpu": "L4:2"}}).resources.gpu == Gpu("L4", 2)


def test_gpus_of_any_model_and_parts_of_them() -> None:
    """A service that names no part is called as before there were any."""
    assert service({"compute": {"gpu": "any"}}).resources.gpu == Gpu(None, 1)
    part = service({"compute": {"gpu": "L4", "gpu_memory": "1Gi"}})
    assert part.resources.gpu == Gpu("L4", 1, 1 << 30)
    assert part.name != service({"compute": {"gpu": "L4"}}).name
    assert repr(Gpu("L4", 1)) == "Gpu(model='L4', count=1)"


def test_a_new_internal_token_is_a_change_of_every_service_and_of_the_door() -> None:
    """Services with different tokens could not call each other."""
    one, two = (DeploySettings(FrontDoor(token_fingerprint=t), token_fingerprint=t) for t in ("1", "2"))
    assert service({}, one).name != service({}, two).name
    assert one.front_door.digest != two.front_door.digest


def test_variables_are_sorted_and_the_environment_wins() -> None:
    """The user's own, and the name of the environment that is deployed to."""
    config: dict[str, object] = {
        "options": {"env_variables": {"B": "1", "A": "2", "CHAINCTL_ENVIRONMENT": "no"}}
    }
    assert service(config, DeploySettings(environment="staging")).env == (
        ("A", "2"), ("B", "1"), ("CHAINCTL_ENVIRONMENT", "staging"),
    )  # fmt: skip
    assert service({}).env == ()


def test_the_start_timeout_is_the_chainlets_or_the_settings() -> None:
    """In seconds; it is no part of a name, so that a longer one restarts nothing."""
    checks: dict[str, object] = {"options": {"health_checks": {"startup_threshold_seconds": 42}}}
    assert service(checks).start_timeout_sec == 42.0
    assert service({}, DeploySettings(start_timeout_sec=7)).start_timeout_sec == 7
    assert service({}, DeploySettings(start_timeout_sec=7)).name == service({}).name


def test_secrets_are_references_and_a_rotation_is_no_other_service() -> None:
    """Sorted, each once; their names are in the name of the service, their values beside it."""
    config: dict[str, object] = {"assets": {"secret_keys": ["b", "a", "b"]}}
    one, two = service(config, a="1", b="2"), service(config, a="1", b="3")
    assert one.secrets == (SecretRef("a", "1"), SecretRef("b", "2"))
    assert one.name == two.name
    assert one.secrets_digest != two.secrets_digest
    assert service({}).secrets_digest == ""
    assert service({}).name != one.name


def test_declared_secrets_are_listed_with_their_chainlets() -> None:
    """Sorted by secret."""
    specs = [
        chainlet("Root", config={"assets": {"secret_keys": ["b", "a"]}}),
        chainlet("Leaf", config={"assets": {"secret_keys": ["b"]}}),
    ]
    graph = graph_of({"Root": ["Leaf"], "Leaf": []}, specs=specs)
    assert secret_names(graph) == {"a": ["Root"], "b": ["Leaf", "Root"]}
    assert list(secret_names(graph)) == ["a", "b"]


@pytest.mark.parametrize(
    "door",
    [
        FrontDoor(bind="0.0.0.0"),
        FrontDoor(port=80),
        FrontDoor(image="x"),
        FrontDoor(api_key=SecretRef("k", "1")),
        FrontDoor(tls=SecretRef("k", "1")),
    ],
)
def test_every_setting_of_a_door_is_in_its_digest(door: FrontDoor) -> None:
    """So a changed one is a new door, and a new release."""
    assert door.digest != FrontDoor().digest
    release = released({"C0": []})
    assert replace(release, front_door=door).digest != release.digest


def test_a_release_is_its_services_in_any_order() -> None:
    """Two equal releases have one digest; another chain, entrypoint or service has another."""
    release = released({"C0": ["C1"], "C1": []})
    assert replace(release, services=release.services[::-1]).digest == release.digest
    for other in (
        replace(release, chain="other"),
        replace(release, entrypoint="other"),
        replace(release, services=release.services[:1]),
    ):
        assert other.digest != release.digest


def test_images_do_not_know_where_they_run() -> None:
    """Settings of the deploy change no image."""
    graph = graph_of({"Leaf": []})
    images = plan_build(graph, "shop", snapshot_of(), BuildSettings())
    one = compose_release(graph, "shop", images, DeploySettings(), {})
    two = compose_release(graph, "shop", images, DeploySettings(environment="prod", pids=1), {})
    assert one.services[0].image == two.services[0].image
    assert one.services[0].name != two.services[0].name


def test_digests_are_canonical() -> None:
    """The order of keys and the kind of sequence do not matter."""
    assert digest_of({"a": 1, "b": (1, 2)}) == digest_of({"b": [1, 2], "a": 1})


VOLUME = {"name": "weights", "source": "https://a/w", "sha256": "0" * 64, "dest": "/m", "filename": "w"}


def test_data_are_what_they_hold_not_where_they_come_from() -> None:
    """Another mirror is no other service; another file or place is. A server's secret is asked for."""

    def leaf(**changes: str) -> ServiceSpec:
        config = {"assets": {"volumes": [{**VOLUME, **changes}]}}
        graph = graph_of({"Leaf": []}, specs=[chainlet("Leaf", config=config)])
        return release_of(graph).service_of("Leaf")

    first = leaf()
    assert first.data == (DataMount("weights", "https://a/w", "0" * 64, "/m", "w"),)
    assert leaf(source="https://b/w", name="other").name == first.name
    names = {leaf(sha256="1" * 64).name, leaf(dest="/n").name, leaf(filename="v").name, first.name}
    assert len(names) == 4
    config = {"assets": {"volumes": [{**VOLUME, "secret_key": "hub"}]}}
    assert secret_names(graph_of({"Leaf": []}, specs=[chainlet("Leaf", config=config)])) == {"hub": ["Leaf"]}
