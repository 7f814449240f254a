"""Rules as clusters list them, and the rights that they leave out."""

from __future__ import annotations

from pathlib import Path

from chainctl.adapters.kubernetes.rights import INGRESSES, NEEDED, Right, lacking, told

ROOT = Path(__file__).resolve().parents[4]


def rule(verbs: str, groups: str, resources: str, **more: object) -> dict[str, object]:
    return {"verbs": verbs.split(), "apiGroups": groups.split(","), "resources": resources.split(), **more}


def test_stars_give_everything() -> None:
    """As an administrator has them."""
    assert lacking(NEEDED, [rule("*", "*", "*")]) == []


def test_rules_add_up() -> None:
    """What one gives of a kind, another may complete."""
    some = [
        Right("apps", "deployments", "get"),
        Right("apps", "deployments", "patch"),
        Right("", "pods", "list"),
    ]
    given = [rule("get list", "apps,", "deployments pods"), rule("patch", "apps", "deployments")]
    assert lacking(some, given) == []
    assert lacking(some, given[:1]) == [some[1]]


def test_a_rule_for_some_names_gives_no_right_to_all() -> None:
    """A chain's objects have names that nobody knows before."""
    wanted = [Right("", "secrets", "get")]
    assert lacking(wanted, [rule("get", "", "secrets", resourceNames=["mine"])]) == wanted
    assert lacking(wanted, []) == wanted


def test_what_is_missing_is_told_kind_by_kind() -> None:
    """As `kubectl auth can-i` has it."""
    missing = [
        Right("apps", "deployments", "create"),
        Right("apps", "deployments", "patch"),
        Right("", "pods", "list"),
    ]
    assert list(told(missing)) == ["create, patch deployments.apps", "list pods"]


def test_the_page_lists_all_of_them() -> None:
    """It is what errors refer to."""
    page = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    (listed,) = (part for part in page.split("\n\n") if part.startswith("**What you have to be allowed,**"))
    for right in (*NEEDED, *INGRESSES):
        assert f"`{right.resource}`" in listed
        assert right.verb in listed
