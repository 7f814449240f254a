"""Peers in, running scenes out, with the reason for each that cannot run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.peers.peer import Peer, Scene
from tests.bench.samples import Samples
from tests.bench.stage import Stage, StartError, resident_bytes
from tests.bench.venvs import InstallError, python_of, version_of


@dataclass(slots=True)
class Player:
    """A peer that runs."""

    peer: Peer
    stage: Stage
    scene: Scene
    version: str


@dataclass(slots=True)
class Troupe:
    """All peers of a run."""

    players: list[Player] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)

    def engage(self, peer: Peer, directory: Path, cache: Path) -> None:
        """Install and start a peer, then pause it; note the reason where it cannot."""
        directory.mkdir()
        stage = Stage(directory)
        try:
            python = python_of(peer.distribution, peer.requirements, cache) if peer.requirements else Path()
            scene = peer.launch(stage, python)
        except (InstallError, StartError) as error:
            stage.end()
            self.absent[peer.name] = str(error)
            return
        version = version_of(python, peer.distribution) if peer.distribution else ""
        player = Player(peer, stage, scene, version)
        self.players.append(player)
        rest(player)

    def note_facts(self, samples: Samples) -> None:
        """Note memory and start-up. To be called before any load."""
        for player in self.players:
            if player.scene.idle:
                most = max(resident_bytes([process]) for process in player.scene.idle)
                samples.add("rss", player.peer.name, most / 1e6)
            for seconds in player.scene.ready_secs:
                samples.add("ready", player.peer.name, seconds)

    def end(self) -> None:
        """End all services."""
        for player in self.players:
            player.stage.end()
        self.players.clear()


def rest(player: Player) -> None:
    """Pause a player, where it can be."""
    if player.peer.is_pausable:
        player.stage.pause()


@contextmanager
def playing(player: Player) -> Iterator[Scene]:
    """Let one player run."""
    if player.peer.is_pausable:
        player.stage.resume()
    try:
        yield player.scene
    finally:
        rest(player)


def in_turn(players: Sequence[Player], round_number: int) -> list[Player]:
    """Return the players in the order of a round: each round begins with another one."""
    if not players:
        return []
    shift = round_number % len(players)
    return [*players[shift:], *players[:shift]]
