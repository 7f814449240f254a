"""A release as a directory of manifests: which files there are, and what they need besides."""

from __future__ import annotations

from dataclasses import replace

import yaml

from chainctl.deploy.kubernetes.settings import ClusterSettings
from chainctl.deploy.kubernetes.tree import kubernetes_tree
from tests.fakes.full_release import DIGEST, full_release

SETTINGS = ClusterSettings(namespace="models")


def test_files_are_called_as_their_chainlets() -> None:
    """So a new release is a change of files, and the difference can be read."""
    files = [name for name, _ in kubernetes_tree(full_release(), SETTINGS).files]
    services = [name.removeprefix("services/") for name in files if name.startswith("services/")]
    expected = [
        "front.yaml",
        "kustomization.yaml",
        "model.yaml",
        "speak.yaml",
        "volume-shop-cache-models.yaml",
    ]
    assert services == expected
    assert files == sorted(files)


def test_every_file_is_listed() -> None:
    """Whoever applies the directory applies all of it, and the services can be applied alone."""
    files = dict(kubernetes_tree(full_release(), SETTINGS).files)
    for place in ("services", "door"):
        listed = yaml.safe_load(files[f"{place}/kustomization.yaml"])["resources"]
        there = [name.removeprefix(f"{place}/") for name in files if name.startswith(f"{place}/")]
        assert sorted(listed) == sorted(set(there) - {"kustomization.yaml"})
    assert yaml.safe_load(files["kustomization.yaml"])["resources"] == ["door", "services"]


def test_what_is_needed_is_told_with_its_command() -> None:
    """Secrets come from files, and files for services from where they are."""
    needed = {one.what: one.command for one in kubernetes_tree(full_release(), SETTINGS).needed}
    assert len(needed) == 4
    (door,) = [command for what, command in needed.items() if "shop-door" in what]
    assert "--from-file=api-key=secrets/door-key" in door
    assert "--from-file=tls.pem=secrets/door-pem" in door
    (data,) = [command for what, command in needed.items() if what.startswith("ConfigMap")]
    name = "shop-data-" + "ab" * 5
    assert data == f"kubectl -n models create configmap {name} --from-file=data=/project/weights.bin"


def test_what_is_needed_is_what_pods_refer_to() -> None:
    """Each Secret and ConfigMap that is not in the tree, by its name."""
    rendered = kubernetes_tree(full_release(), SETTINGS)
    objects = [
        o for name, text in rendered.files if "kustomization" not in name for o in yaml.safe_load_all(text)
    ]
    there = {o["metadata"]["name"] for o in objects if o["kind"] == "ConfigMap"}
    named = set()
    for deployment in (o for o in objects if o["kind"] == "Deployment"):
        for volume in deployment["spec"]["template"]["spec"]["volumes"]:
            named |= {
                volume[k][n] for k, n in (("secret", "secretName"), ("configMap", "name")) if k in volume
            }
    assert named - there == {one.what.split()[1] for one in rendered.needed}


def test_images_that_no_registry_has_are_told() -> None:
    """A node can not fetch them; one by digest is not among them."""
    (notice,) = kubernetes_tree(full_release(), SETTINGS).notices
    assert "shop/front:" in notice
    assert "speak" not in notice
    release = full_release()
    everywhere = replace(release, services=tuple(replace(s, published=DIGEST) for s in release.services))
    assert kubernetes_tree(everywhere, SETTINGS).notices == ()


def test_chainlets_that_are_called_nearly_the_same_have_files_of_their_own() -> None:
    """No file is written over another."""
    release = full_release()
    twins = tuple(replace(s, chainlet=c) for s, c in zip(release.services, ["A_b", "A-b", "C"], strict=True))
    files = [name for name, _ in kubernetes_tree(replace(release, services=twins), SETTINGS).files]
    assert {f"services/{s.name}.yaml" for s in twins[:2]} <= set(files)
