"""Messages a second from datagram to state, against python-osc from datagram to handler."""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_packet import OscPacket

from oscbend.bench import Figure, Settings
from oscbend.features import MAX_BUSES
from oscbend.osc import encode_message
from oscbend.schedule import Came
from oscbend.server.tree import Tree
from oscbend.state import MAX_BENDS, MAX_PROMPTS

sys.path.insert(0, str(Path(__file__).parents[1]))
from watched import Watched

HOST = ("127.0.0.1", 9000)
TIMES = 5
"""python-osc's rate of parsing and dispatching, at 100 addresses, is to be exceeded so many times."""
EQUAL = 0.9
"""Not slower, but for noise."""
MANY = 10_000


def bent_show(bends: int, features: int = 0, prompts: int = 1) -> tuple[Watched, list[str], int]:
    """A show, 100 of its addresses that set a number, and how many it has in all."""
    show = Watched()
    show(*((f"/feature/f{n}", 0.5) for n in range(features)))
    for n in range(bends):
        show((f"/bend/b{n}", "add", "unet.mid.attn"), (f"/bend/b{n}/r", 0.1))
    show(*((f"/prompt/{n}", "an orb") for n in range(1, prompts)))
    setters = [f"/bend/b{n}/{name}" for n in range(50) for name in ("r", "mix")]
    return show, setters, len(Tree(show.seen[-1]).leaves)


def packets(addresses: Sequence[str], count: int) -> list[bytes]:
    """Messages to all of them, in no order."""
    dice = random.Random(0)
    return [encode_message(dice.choice(addresses), (dice.random(),)) for _ in range(count)]


def ours(show: Watched, datagrams: Sequence[bytes]) -> Callable[[], None]:
    """Decoded, scheduled, found and carried out, all in one frame."""
    came = [(data, HOST) for data in datagrams]

    def take() -> None:
        show.now_s += 0.05
        show.schedule.put_datagrams(came, Came(show.now_s, show.now_s, 0.0), lambda sender: True)
        show.loop.prepare(show.now_s)

    return take


def theirs(addresses: Sequence[str], datagrams: Sequence[bytes]) -> Callable[[], None]:
    """Parsed, and given to a handler that keeps the value."""
    kept: dict[str, object] = {}
    dispatcher = Dispatcher()
    for address in addresses:
        dispatcher.map(address, kept.__setitem__)

    def take() -> None:
        for data in datagrams:
            for timed in OscPacket(data).messages:
                for handler in dispatcher.handlers_for_address(timed.message.address):
                    handler.invoke(HOST, timed.message)

    return take


def rate(take: Callable[[], None], count: int) -> float:
    """Messages a second of one go."""
    began_s = time.perf_counter()
    take()
    return count / (time.perf_counter() - began_s)


def measure(settings: Settings) -> Iterator[Figure]:
    """Rates with few addresses, with as many as a show can have, with features, with strange addresses."""
    count, rounds = 20_000, settings.rounds(4, 15)
    few, setters, _ = bent_show(50)
    full, _, size = bent_show(MAX_BENDS, MAX_BUSES, MAX_PROMPTS)
    heard, _, _ = bent_show(50, 100)
    features = [f"/feature/f{n}" for n in range(100)]
    strange, _, _ = bent_show(50)
    every = [*setters, *(f"/nowhere/{n}" for n in range(MANY - len(setters)))]
    messages, some, slow = (
        packets(setters, count),
        packets(setters, count // 10),
        packets(every, count // 500),
    )
    ways = {
        "oscbend, 100 addresses": (ours(few, messages), count),
        "python-osc, 100 addresses": (theirs(setters, some), len(some)),
        f"oscbend, a full show, {size} addresses": (ours(full, messages), count),
        "oscbend, 100 features": (ours(heard, packets(features, count)), count),
        f"oscbend, {MANY} addresses, most unknown": (ours(strange, packets(every, count)), count),
        f"python-osc, {MANY} addresses": (theirs(every, slow), len(slow)),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, (take, many) in ways.items():
            rates[name].append(rate(take, many))
    medians = [statistics.median(taken[1:]) for taken in rates.values()]
    for name, median in zip(ways, medians):
        yield Figure(f"messages, {name}", median, "1/s")
    yield Figure("messages, oscbend / python-osc, 100 addresses", medians[0] / medians[1], "×", TIMES, True)
    yield Figure("messages, a full show / 100 addresses", medians[2] / medians[0], "×", EQUAL, True)
