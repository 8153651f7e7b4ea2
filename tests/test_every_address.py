"""Every address in the table, as the table says it is written, sent to a running server: nothing fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from servers import Served, serving

from oscbend.bends import OPERATORS
from oscbend.commands import COMMANDS
from oscbend.server.client import Client
from oscbend.table import Arg, Row

WAIT_S = 60.0
LAST = ("/quit",)
PLACES = {"any": "/seed", "id": "1", "n": "1", "name": "rms", "param": "r"}
"""What stands for the names in the addresses of the table."""
STANDING = (("/feature/rms", 0.5), ("/bend/1", "multiply", "latent.1"), ("/out/rms", "null"))
"""What the addresses below need, sent before each of them."""
WORDS: dict[str, tuple[Any, ...]] = {
    "address": ("/seed",),
    "feature": ("rms",),
    "file": ("still.png",),
    "fps": (30.0,),
    "name": ("one",),
    "op": ("multiply",),
    "select": ("channels 0-1",),
    "site": ("latent.1",),
    "steps": (2,),
    "text": ("a tree",),
    "{any}/to": (3.0, 0.1, "lin"),
    "/xfade": ("one", "one", 0.5),
    "/record/start": ("one",),
    "/capture/start": ("one",),
    "kind": ("null",),
    "target": (),
    "/bend/{id}/{param}": (1.5,),
    "/feature/{name}/range": ("auto",),
}
"""What is sent for an argument, or for all of a command, where the table alone does not tell."""


@pytest.fixture(scope="module")
def played(
    checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Served, Client]]:
    root = tmp_path_factory.mktemp("root")
    Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(root / "still.png")
    model = str(checkpoint("tiny"))
    WORDS["model"] = (model,)
    with (
        serving("--model", model, "--root", str(root)) as server,
        Client(server.host, server.port) as client,
    ):
        client.sync(WAIT_S)
        yield server, client


def atoms(arg: Arg) -> tuple[Any, ...]:
    """A value that an argument takes."""
    if arg.name in WORDS:
        return WORDS[arg.name]
    if arg.choices:
        return (arg.choices[0],)
    value = arg.default
    if value is None and arg.type.lstrip("*") not in ("f", "i", "b"):
        raise AssertionError(f"{arg.name}: say in WORDS what to send")
    if value is None:
        value = arg.inside_hard(1) if arg.size == 1 else (arg.inside_hard(1),) * arg.size
    return value if isinstance(value, tuple) else (value,)


def ways(row: Row) -> Iterator[tuple[Any, ...]]:
    """The arguments of a row: those it needs, all it takes, and each choice."""
    if row.name in WORDS:
        yield WORDS[row.name]
        return
    needed = [a for a in row.args if not a.optional]
    yield tuple(atom for a in needed for atom in atoms(a))
    if len(needed) < len(row.args):
        yield tuple(atom for a in row.args for atom in atoms(a))
    for n, arg in enumerate(row.args):
        for choice in (0, 1) if arg.type == "b" else arg.choices:
            before = [atom for a in row.args[:n] for atom in atoms(a)]
            after = [atom for a in row.args[n + 1 :] if not a.optional for atom in atoms(a)]
            yield (*before, choice, *after)


def address(name: str) -> str:
    for part, text in PLACES.items():
        name = name.replace(f"{{{part}}}", text)
    assert "{" not in name, f"{name}: say in PLACES what to send"
    return name


def failures(client: Client) -> list[tuple[Any, ...]]:
    """What has failed of all that was sent so far."""
    client.sync(WAIT_S)
    came = iter(lambda: client.receive(0.0), None)
    return [m.args for m in came if m is not None and m.address == "/fail"]


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in LAST])
def test_what_is_written_as_the_table_says_is_done(played: tuple[Served, Client], name: str) -> None:
    client = played[1]
    for args in ways(COMMANDS[name]):
        for message in STANDING:
            client.send(*message)
        client.send(address(name), *args)
    assert failures(client) == []


@pytest.mark.parametrize("op", OPERATORS)
def test_every_operator_has_the_addresses_of_its_parameters(played: tuple[Served, Client], op: str) -> None:
    client = played[1]
    client.send("/bend/2", op, "latent.1")
    for arg in OPERATORS[op].args:
        client.send(f"/bend/2/{arg.name}", *atoms(arg))
    assert failures(client) == []


def test_what_can_be_set_can_be_asked(played: tuple[Served, Client]) -> None:
    client = played[1]
    for message in STANDING:
        client.send(*message)
    assert failures(client) == []
    for name, row in COMMANDS.rows.items():
        if row.read is not None:
            client.ask("/get", address(name), reply=address(name), timeout_s=WAIT_S)


def test_a_message_that_is_wrong_would_have_been_told(played: tuple[Served, Client]) -> None:
    client = played[1]
    client.send("/bend/1", "multiply", "nowhere")
    assert [args[0] for args in failures(client)] == ["/bend/1"]


def test_the_last_address_ends_it(played: tuple[Served, Client]) -> None:
    server, client = played
    for name in LAST:
        client.ask(name, reply="/done", timeout_s=WAIT_S)
    assert server.process.wait(WAIT_S) == 0
