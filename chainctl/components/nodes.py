"""Components in; their nodes, children first, out. And the nodes as JSON, from one process to another."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chainctl.components.canonical import digest_of, text_of
from chainctl.components.encode import Encoded, Encoder
from chainctl.components.identity import Identities
from chainctl.components.node import Blob, Node, NodeKey, TriggerSpec
from chainctl.sdk.built_in import THIS_CHAIN
from chainctl.sdk.component import Component
from chainctl.sdk.trigger import in_order, triggers_of

CHAIN = NodeKey("ChainDeployment", THIS_CHAIN)


def nodes_of(*components: Component) -> tuple[Node, ...]:
    """Encode components and all that they refer to: children first, each once. Raises EncodeError.

    `this_chain()` has no node of its own; who refers to it has CHAIN among its children.
    """
    encoder = encoded(*components)
    identities = Identities()
    return tuple(
        _node(key, each, encoder, identities) for key, each in encoder.encoded.items() if key != CHAIN
    )


def encoded(*components: Component) -> Encoder:
    """Encode components, without making nodes of them."""
    encoder = Encoder()
    for component in components:
        encoder.add(component)
    encoder.finish()
    return encoder


def _node(key: NodeKey, each: Encoded, encoder: Encoder, identities: Identities) -> Node:
    blobs = sorted(blobs_of(key, encoder))
    return Node(
        key=key,
        uuid=identities.uuid(each.component),
        hash=identities.hash(each.component),
        breaking=identities.breaking(each.component),
        data=text_of({**each.data, "_builds": builds_of(key, encoder), "_blobs": blobs}),
        triggers=trigger_specs(each.component),
        children=tuple(each.children),
        blobs=tuple(Blob(name, encoder.blobs[name]) for name in blobs),
    )


def builds_of(key: NodeKey, encoder: Encoder) -> dict[str, Any]:
    """Return the data of all that a component refers to, by name, sorted."""
    return {str(k): encoder.encoded[k].data for k in sorted(set(below(key, encoder))) if k != CHAIN}


def blobs_of(key: NodeKey, encoder: Encoder) -> set[str]:
    """Return the names of the blobs of a component and of all that it refers to."""
    return {name for each in [key, *below(key, encoder)] for name in encoder.encoded[each].blobs}


def below(key: NodeKey, encoder: Encoder) -> Iterator[NodeKey]:
    """Return all that a component refers to, directly or not, each once."""
    seen: set[NodeKey] = set()
    waiting = list(encoder.encoded[key].children)
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            yield each
            waiting += encoder.encoded[each].children


def trigger_specs(component: Component) -> tuple[TriggerSpec, ...]:
    """Return the triggers of a component in their order. A field is given when it is not None."""
    marks = triggers_of(type(component))
    order = in_order({name: mark.depends_on for name, mark in marks.items()})
    return tuple(
        TriggerSpec(
            name,
            tuple(sorted(marks[name].depends_on)),
            all(getattr(component, field) is not None for field in marks[name].requires),
        )
        for name in order
    )


# --- the chain that they are declared with ---


def reaching(nodes: Iterable[Node]) -> frozenset[NodeKey]:
    """Return the keys of those that refer to `this_chain()`, directly or not. Children come first."""
    found: set[NodeKey] = set()
    for node in nodes:
        if any(child == CHAIN or child in found for child in node.children):
            found.add(node.key)
    return frozenset(found)


def bound(nodes: Iterable[Node], chain: NodeKey, digest: str) -> tuple[Node, ...]:
    """Put a chain in the place of `this_chain()`: its key, and its digest into the hash of who refers to it."""
    nodes = tuple(nodes)
    hit = reaching(nodes)
    return tuple(
        replace(
            node,
            hash=digest_of([node.hash, str(chain), digest]),
            children=tuple(chain if child == CHAIN else child for child in node.children),
        )
        if node.key in hit
        else node
        for node in nodes
    )


def beside(nodes: Iterable[Node], chains: Mapping[NodeKey, str]) -> tuple[Node, ...]:
    """Leave out chains that are deployed elsewhere; their digests count for the hash of who refers to them."""
    kept, digests = list[Node](), dict(chains)
    for node in nodes:
        if node.key in chains:
            continue
        told = sorted((str(child), digests[child]) for child in node.children if child in digests)
        children = tuple(child for child in node.children if child not in chains)
        kept.append(
            replace(node, children=children, hash=digest_of([node.hash, told]) if told else node.hash)
        )
        if told:
            digests[node.key] = kept[-1].hash
    return tuple(kept)


# --- from one process to another ---


@dataclass(frozen=True, slots=True)
class FoundComponent:
    """A component of a chain file, and whether it refers to the chain itself."""

    node: Node
    reaches_chain: bool


def found_text(nodes: tuple[Node, ...]) -> str:
    """Return the nodes of a chain file as JSON; each blob once."""
    hit = reaching(nodes)
    blobs = {blob.sha256: blob.data for node in nodes for blob in node.blobs}
    return text_of(
        {
            "nodes": [{**node_value(node), "reaches_chain": node.key in hit} for node in nodes],
            "blobs": {name: base64.b64encode(data).decode() for name, data in sorted(blobs.items())},
        }
    )


def found_components(text: str) -> tuple[FoundComponent, ...]:
    """Read what `found_text` wrote; "" for none."""
    if not text:
        return ()
    answer = json.loads(text)
    blobs = {name: base64.b64decode(data) for name, data in answer["blobs"].items()}
    return tuple(
        FoundComponent(node_from(each, blobs), bool(each["reaches_chain"])) for each in answer["nodes"]
    )


def node_value(node: Node) -> dict[str, Any]:
    """Return a node as JSON, with only the names of its blobs."""
    return {
        "key": [node.key.component, node.key.identifier],
        "uuid": node.uuid,
        "hash": node.hash,
        "breaking": node.breaking,
        "data": node.data,
        "triggers": [[t.method, list(t.depends_on), t.is_wanted] for t in node.triggers],
        "children": [[child.component, child.identifier] for child in node.children],
        "blobs": [blob.sha256 for blob in node.blobs],
    }


def node_from(value: Mapping[str, Any], blobs: Mapping[str, bytes]) -> Node:
    """Read what `node_value` returned."""
    return Node(
        key=NodeKey(*value["key"]),
        uuid=value["uuid"],
        hash=value["hash"],
        breaking=value["breaking"],
        data=value["data"],
        triggers=tuple(
            TriggerSpec(method, tuple(needs), is_wanted) for method, needs, is_wanted in value["triggers"]
        ),
        children=tuple(NodeKey(*child) for child in value["children"]),
        blobs=tuple(Blob(name, blobs[name]) for name in value["blobs"]),
    )
