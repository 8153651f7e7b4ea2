"""The bends of several frames as one chain, so that one call of the network can serve them all."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from oscbend.frame import Armed, Structure, Values, branched


class Asked(Protocol):
    """What was asked for: a frame of batch 1."""

    @property
    def structure(self) -> Structure:
        """Its structure; the very object that the chain was made of."""

    @property
    def values(self) -> Values:
        """Its values."""


class Shared:
    """The bends of several structures as one chain, each structure's own in its own order.

    Args:
        structures: that differ in nothing but their bends; the oldest first.
    """

    def __init__(self, structures: Sequence[Structure]) -> None:
        self.structures = structures
        bends: list[Armed] = []
        for structure in structures:
            bends = _merged(bends, structure.bends)
        places = {id(structure): _places(structure.bends, bends) for structure in structures}
        inside = np.array([branched(bend.site) for bend in bends], bool)
        self.inside = Share(bends, places, inside)
        self.outside = Share(bends, places, ~inside)

    def joins(self, structures: Sequence[Structure]) -> bool:
        """True if it is the chain of these very structures."""
        return len(structures) == len(self.structures) and all(
            new is old for new, old in zip(structures, self.structures)
        )


class Share:
    """Those bends of a chain that stand inside the network, or outside.

    Args:
        bends: the whole chain.
        places: by the identity of each structure, where the bends of the chain stand in it; -1 for nowhere.
        chosen: bool, which of the chain's bends belong to the part.
    """

    def __init__(self, bends: Sequence[Armed], places: Mapping[int, np.ndarray], chosen: np.ndarray) -> None:
        self.bends = tuple(bend for bend, here in zip(bends, chosen, strict=True) if here)
        self._places = {structure: place[chosen] for structure, place in places.items()}
        self._nowhere = np.full(len(self.bends), -1)

    def places(self, structure: Structure) -> np.ndarray:
        """Where each bend of the part stands in a structure, int [bends]; -1 for nowhere."""
        return self._places.get(id(structure), self._nowhere)

    def weights(self, frame: Asked, size: tuple[int, ...]) -> np.ndarray:
        """A frame's weights, float32 [bends, S + 1, G]; 0 for bends that it does not know.

        Args:
            frame: whose.
            size: S + 1, G.
        """
        weights = np.zeros((len(self.bends), *size), np.float32)
        place = self.places(frame.structure)
        known = place >= 0
        if known.any():
            weights[known] = frame.values.weights[place[known], ..., 0]
        return weights

    def params(self, u: int, riders: Sequence[Asked], crew: Sequence[Asked]) -> dict[str, np.ndarray]:
        """Live parameters of bend `u` for some frames, each [B] or [B, n].

        Args:
            u: which bend of the part.
            riders: the B frames; one that does not know the bend gets another's, at weight 0.
            crew: all frames, at least one of which knows it.
        """
        givers = [frame for frame in crew if self.places(frame.structure)[u] >= 0]
        found = []
        for rider in riders:
            giver = rider if self.places(rider.structure)[u] >= 0 else givers[0]
            found.append(giver.values.params[self.places(giver.structure)[u]])
        return {name: np.concatenate([given[name] for given in found]) for name in found[0]}


def _merged(bends: Sequence[Armed], more: Sequence[Armed]) -> list[Armed]:
    """The shortest chain found that holds both in their orders."""
    merged: list[Armed] = []
    for kind, i, i_end, j, j_end in difflib.SequenceMatcher(None, bends, more, autojunk=False).get_opcodes():
        merged += bends[i:i_end]
        if kind != "equal":
            merged += more[j:j_end]
    return merged


def _places(bends: Sequence[Armed], chain: Sequence[Armed]) -> np.ndarray:
    """Where each bend of a chain stands among `bends`, which it holds in their order; -1 for nowhere."""
    places = np.full(len(chain), -1)
    for i, bend in enumerate(chain):
        nxt = places.max(initial=-1) + 1
        if nxt < len(bends) and bends[nxt] == bend:
            places[i] = nxt
    return places
