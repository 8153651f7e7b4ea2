"""Drawing through recordings: which there are, when they are made, and when they go."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, cast

import torch
from torch import Tensor

from oscbend.errors import one_line
from oscbend.net.graphs import DecoderGraphs, FunctionGraph, UnetGraphs
from oscbend.net.memory import is_full
from oscbend.net.model import Model
from oscbend.net.network import Eager, Network, finish
from oscbend.net.tape import CudaTape, Tape
from oscbend.net.walk import Bends, Context
from oscbend.turns import Guard

KEPT = 4
"""Recordings of each kind that are kept: sizes, numbers of rows; the one used longest ago goes first."""

ROWS = 8
"""Rows from which on a call takes so long that nothing is won by recording it."""

log = logging.getLogger(__name__)


class InPlace(Executor):
    """Does everything at once, so that a film is drawn in the same way from its first frame on."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Does it."""
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # kept for whoever asks for the result
            done.set_exception(error)
        return done


class Shelf:
    """The recordings that there are, and those that are being made.

    Args:
        tape: makes a tape for each recording.
    """

    def __init__(self, tape: Callable[[], Tape]) -> None:
        self._tape = tape
        self._kept: dict[str, OrderedDict[Hashable, Future[Any]]] = {}
        self._lock = Guard()

    def get(self, kind: str, key: Hashable, build: Callable[[Tape], Any], hands: Executor) -> Future[Any]:
        """A recording, which may still have to be made: None where that failed.

        Args:
            kind: each kind is counted by itself.
            key: what it is for.
            build: makes it.
            hands: make it, if nobody has begun yet.
        """
        with self._lock:
            kept = self._kept.setdefault(kind, OrderedDict())
            found = kept.get(key)
            made = kept[key] = found or Future()
            kept.move_to_end(key)
            _leave(kept, KEPT)
        if found is None:
            hands.submit(self._make, made, kind, build)
        return made

    def shrink(self, keep: int) -> bool:
        """Lets go all but the last used ones of each kind; False if there are no others."""
        with self._lock:
            return sum(_leave(kept, keep) for kept in self._kept.values()) > 0

    @torch.inference_mode()
    def _make(self, future: Future[Any], kind: str, build: Callable[[Tape], Any]) -> None:
        made = None
        try:
            try:
                made = build(self._tape())
            except RuntimeError as error:
                if not is_full(error) or not self.shrink(keep=2):
                    raise
            made = made or build(self._tape())
        except Exception as error:  # whatever a library cannot do while it is recorded
            log.warning("%s: goes on without graphs: %s", kind, one_line(error))
        future.set_result(made)


class Captured:
    """Draws through recordings.

    What has no recording yet is drawn as it comes, while the recording is made. One thread draws; others may
    draw through what `preparing` gives.

    Args:
        model: as loaded.
        shelf: where the recordings are.
        hands: make the recordings that nobody prepared.
    """

    records = True

    def __init__(self, model: Model, shelf: Shelf, hands: Executor) -> None:
        self.model = model
        self.shelf = shelf
        self.hands = hands
        self.eager = Eager(model)

    def time(
        self,
        timestep: Tensor,
        guidance: Tensor | None = None,
        pooled: Tensor | None = None,
        time_ids: Tensor | None = None,
    ) -> Tensor:
        """The time embedding with added conditions, [B, E]."""
        function = self.eager.time
        made = self._call("time", lambda *given: (function(*given),), timestep, guidance, pooled, time_ids)
        return cast(Tensor, made[0])

    def unet(self, x: Tensor, context: Context, bends: Bends) -> Tensor:
        """The U-Net's prediction, [B, C, H, W]."""
        stages = self.model.unet_stages
        key = (x.shape, context.text.shape, context.sized)
        graphs = self._find("unet", len(x), key, lambda tape: UnetGraphs(stages, x, context, tape))
        return graphs(x, context, bends) if graphs else self.eager.unet(x, context, bends)

    def decode(self, latent: Tensor, bends: Bends) -> Tensor:
        """The picture of an unscaled latent, [B, 3, 8·H, 8·W]."""
        stages = self.model.decoder_stages
        graphs = self._find(
            "decode", len(latent), latent.shape, lambda tape: DecoderGraphs(stages, latent, tape)
        )
        return graphs(latent, bends) if graphs else self.eager.decode(latent, bends)

    def encode(self, pictures: Tensor) -> tuple[Tensor, Tensor | None]:
        """Mean and standard deviation of pictures' latents."""
        mean, deviation = self._call("encode", self.model.encode, pictures)
        return mean, deviation

    def finish(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """A picture as bytes, and whether it can be shown."""
        pictures, finite = self._call("finish", finish, image)
        return pictures, finite

    def shrink(self) -> bool:
        """Lets go all recordings but the last used ones."""
        return self.shelf.shrink(keep=1)

    def preparing(self) -> Preparing:
        """Draws as it comes, and makes all recordings that it would have drawn through."""
        return Preparing(self.model, self.shelf, InPlace())

    def _call(self, kind: str, function: Callable[..., Any], first: Tensor, *rest: Tensor | None) -> Any:
        given = (first, *rest)
        key = tuple(None if x is None else x.shape for x in given)
        graph = self._find(kind, len(first), key, lambda tape: FunctionGraph(function, given, tape))
        return graph(*given) if graph else function(*given)

    def _find(self, kind: str, rows: int, key: Hashable, build: Callable[[Tape], Any]) -> Any:
        """The recording, if there is one already."""
        if rows > ROWS:
            return None
        made = self.shelf.get(kind, key, build, self.hands)
        compiler = self.model.compiler
        waits = compiler is not None and compiler.open  # so that what is recorded is what was compiled
        return made.result() if waits or made.done() else None


class Preparing(Captured):
    """Draws as it comes, and waits for every recording to be made."""

    def _find(self, kind: str, rows: int, key: Hashable, build: Callable[[Tape], Any]) -> Any:
        if rows <= ROWS:
            self.shelf.get(kind, key, build, self.hands).result()
        return None


def network_for(model: Model, *, live: bool) -> Network:
    """How a model is drawn with: through recordings on an NVIDIA card, else as it comes.

    Args:
        model: as loaded.
        live: True for a show, which must not wait; False for films, which are the same every time.
    """
    if model.device.type != "cuda":
        return Eager(model)
    shelf = Shelf(lambda: CudaTape(model.device, choose=live))
    return Captured(model, shelf, ThreadPoolExecutor(1, "graphs") if live else InPlace())


def _leave(kept: OrderedDict[Hashable, Future[Any]], count: int) -> bool:
    """Drops the first ones; True if there were any."""
    over = len(kept) > count
    while len(kept) > count:
        kept.popitem(last=False)
    return over
