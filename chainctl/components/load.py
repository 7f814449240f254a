"""A node in; the component that it was made of, with all that it refers to, out. Runs stored code."""

from __future__ import annotations

import json
from collections.abc import Mapping

from chainctl.components.decode import Decoder
from chainctl.components.node import Node
from chainctl.components.nodes import CHAIN
from chainctl.sdk.built_in import ChainDeployment, this_chain
from chainctl.sdk.component import Component


def loaded(
    node: Node,
    blobs: Mapping[str, bytes] | None = None,
    *,
    given: Mapping[str, Component] | None = None,
    chain: ChainDeployment | None = None,
    secrets: Mapping[str, str] | None = None,
) -> Component:
    """Make the component of a node; `blobs` are those that the node does not bring along.

    `given` are components that are loaded already, by `Type:identifier`; `chain` stands in the place of
    `this_chain()`. Raises DecodeError, and what stored code raises.
    """
    data = json.loads(node.data)
    held = {**{blob.sha256: blob.data for blob in node.blobs}, **(blobs or {})}
    known = {**(given or {}), str(CHAIN): chain or this_chain()}
    return Decoder(data.get("_builds", {}), held, given=known, secrets=secrets).component(data)
