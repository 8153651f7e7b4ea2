from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import Served, serving


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a small random checkpoint, made once: `checkpoint("sd1")`."""
    root = tmp_path_factory.mktemp("checkpoints")

    def folder(kind: str) -> Path:
        from checkpoints import save

        return save(kind, root / kind)

    return folder


@pytest.fixture(scope="session")
def engine_of(checkpoint: Callable[[str], Path]) -> Callable[[str], object]:
    """An engine with a small random model, made once: `engine_of("sd1")`."""
    made: dict[str, object] = {}

    def engine(kind: str) -> object:
        from oscbend.engine import Engine
        from oscbend.net.load import load

        if kind not in made:
            made[kind] = Engine(load(str(checkpoint(kind)), device="cpu"))
        return made[kind]

    return engine


@pytest.fixture(scope="session")
def server(checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server process with a small random network, shared by all tests that talk to one."""
    root = tmp_path_factory.mktemp("root")
    with serving("--model", str(checkpoint("tiny")), "--root", str(root)) as served:
        yield served
