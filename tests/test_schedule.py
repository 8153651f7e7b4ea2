"""What is to happen when."""

from __future__ import annotations

import pytest

from oscbend.clients import Clients
from oscbend.osc import Bundle, Message, TimeTag, encode, encode_message
from oscbend.schedule import MESSAGE_BYTES, NOTICES, SHARE, SHARE_BYTES, Came, Schedule
from oscbend.score import Score

NOW_UNIX = 1_800_000_000.0
HOST = ("127.0.0.1", 9)


def heard(schedule: Schedule, now_s: float) -> list[str]:
    return [m.address for due in schedule.due(now_s) for m in due.messages]


def put(schedule: Schedule, data: bytes, arrived_s: float = 0.0) -> None:
    came = Came(arrived_s, NOW_UNIX + arrived_s, NOW_UNIX)
    schedule.put_datagrams([(data, HOST)], came, lambda sender: sender == HOST)


def tagged(at_s: float, address: str) -> bytes:
    return encode(Bundle(TimeTag.from_unix(NOW_UNIX + at_s), (Message(address),)))


def test_a_message_acts_on_the_next_frame() -> None:
    schedule = Schedule()
    put(schedule, encode_message("/a"))
    assert heard(schedule, 0.0) == ["/a"]
    assert heard(schedule, 1.0) == []


def test_a_bundle_waits_for_its_time() -> None:
    schedule = Schedule()
    put(schedule, tagged(0.5, "/later"))
    assert heard(schedule, 0.4) == []
    assert len(schedule) == 1
    assert heard(schedule, 0.51) == ["/later"]


def test_a_past_bundle_acts_now_and_is_counted() -> None:
    schedule = Schedule()
    schedule.due(1.9)
    put(schedule, tagged(-1.0, "/late"), arrived_s=2.0)
    assert heard(schedule, 2.0) == ["/late"]
    assert schedule.late == 1


def test_what_is_too_far_ahead_acts_now_and_is_counted() -> None:
    schedule = Schedule(horizon_s=10.0)
    put(schedule, tagged(11.0, "/early"))
    assert heard(schedule, 0.0) == ["/early"]
    assert schedule.early == 1


def test_immediately_is_not_late() -> None:
    schedule = Schedule()
    put(schedule, encode(Bundle(TimeTag(1), (Message("/a"),))), arrived_s=3.0)
    assert heard(schedule, 3.0) == ["/a"]
    assert schedule.late == 0


def test_a_bad_packet_is_dropped_whole_and_counted() -> None:
    schedule = Schedule()
    put(schedule, bytes.fromhex("2362756e646c65000000000000000001fffffffc"))
    put(schedule, b"abc")
    assert heard(schedule, 1.0) == []
    assert schedule.bad == 2


def test_what_is_due_keeps_the_order_of_time_then_of_arrival() -> None:
    schedule = Schedule()
    put(schedule, tagged(0.3, "/c"))
    put(schedule, tagged(0.1, "/a"))
    put(schedule, tagged(0.1, "/b"))
    assert heard(schedule, 1.0) == ["/a", "/b", "/c"]


def test_a_full_schedule_drops_what_comes_next_and_counts_it() -> None:
    schedule = Schedule(capacity=2)
    for n in range(4):
        put(schedule, tagged(1.0, f"/{n}"))
    assert heard(schedule, 2.0) == ["/0", "/1"]
    assert schedule.dropped == 2


def test_a_score_is_played_from_0_with_no_horizon() -> None:
    score = Score()
    score.add(0.0, Message("/a"))
    score.add(100.0, Message("/z"))
    schedule = Schedule(horizon_s=None)
    schedule.put_score(score)
    assert heard(schedule, 0.0) == ["/a"]
    assert heard(schedule, 99.9) == []
    assert heard(schedule, 100.0) == ["/z"]


def test_a_rounded_time_tag_belongs_to_its_frame() -> None:
    score = Score()
    for i in range(100):
        score.add(i * 1001 / 24000, Message(f"/{i}"))
    schedule = Schedule(horizon_s=None)
    schedule.put_score(score)
    for i in range(100):
        assert heard(schedule, i * 1001 / 24000) == [f"/{i}"]


def test_messages_that_came_together_act_together_in_their_order() -> None:
    schedule = Schedule()
    schedule.due(1.9)
    other = ("10.0.0.2", 9)
    came = [
        (encode_message("/a"), HOST),
        (encode_message("/b"), ("127.0.0.1", 9)),
        (b"bad", HOST),
        (encode_message("/c"), other),
        (encode(Bundle(TimeTag(1), (Message("/d"), Message("/e")))), other),
        (tagged(1.5, "/late"), other),
        (tagged(2.5, "/g"), other),
        (encode_message("/f"), other),
    ]
    schedule.put_datagrams(came, Came(2.0, NOW_UNIX + 2.0, NOW_UNIX), lambda sender: sender == HOST)
    found = [
        ([m.address for m in due.messages], due.time_s, due.sender, due.local) for due in schedule.due(3.0)
    ]
    assert found == [
        (["/a", "/b"], 2.0, HOST, True),
        (["/c"], 2.0, other, False),
        (["/d", "/e"], 2.0, other, False),
        (["/late"], 2.0, other, False),
        (["/f"], 2.0, other, False),
        (["/g"], 2.5, other, False),
    ]
    assert (schedule.bad, schedule.late) == (1, 1)


# -- time --------------------------------------------------------------------------------------------

THERE = ("192.168.1.5", 9)


def told(schedule: Schedule) -> list[tuple[str, object]]:
    return [(n.address, n.args[-1]) for n in schedule.notices()]


def put_from(schedule: Schedule, sender: tuple[str, int], data: bytes, arrived_s: float = 0.0) -> None:
    came = Came(arrived_s, NOW_UNIX + arrived_s, NOW_UNIX)
    schedule.put_datagrams([(data, sender)], came, lambda who: who == HOST)


def test_a_tag_acts_on_the_first_frame_shown_at_or_after_it() -> None:
    for tag_s, expected in ((0.499, 0.5), (0.5, 0.5), (0.501, 0.6)):
        schedule = Schedule()
        put(schedule, tagged(tag_s, "/x"))
        frames = [n / 10 for n in range(10)]
        assert next(shown for shown in frames if heard(schedule, shown)) == expected


def test_a_bundle_is_late_when_its_frame_has_been_begun_and_is_told_by_how_much() -> None:
    schedule = Schedule()
    schedule.due(1.0)
    put(schedule, tagged(1.001, "/in time"), arrived_s=0.97)
    assert told(schedule) == []
    put(schedule, tagged(0.98, "/late"), arrived_s=0.97)
    assert told(schedule) == [("/late", pytest.approx(0.02, abs=1e-4))]
    assert schedule.late == 1
    assert heard(schedule, 1.03) == ["/late", "/in time"]


def test_late_bundles_may_be_dropped_and_others_are_not() -> None:
    schedule = Schedule(late="drop")
    schedule.due(1.0)
    put(schedule, tagged(0.5, "/late"), arrived_s=1.01)
    put(schedule, encode(Bundle(TimeTag(1), (Message("/now"),))), arrived_s=1.01)
    put(schedule, encode_message("/message"), arrived_s=1.01)
    put(schedule, tagged(-7200.0, "/astray"), arrived_s=1.01)
    assert heard(schedule, 1.02) == ["/now", "/message", "/astray"]
    assert (schedule.late, schedule.dropped) == (1, 1)


@pytest.mark.parametrize("at_s", [-3700.0, -1e9, 3700.0, 1e9])
def test_a_tag_that_is_no_time_acts_at_once_and_nothing_is_told(at_s: float) -> None:
    schedule = Schedule()
    schedule.due(1.0)
    put(schedule, tagged(at_s, "/x"), arrived_s=1.01)
    assert heard(schedule, 1.02) == ["/x"]
    assert (schedule.late, schedule.early, told(schedule)) == (0, 0, [])


def test_what_lies_beyond_the_horizon_is_told() -> None:
    schedule = Schedule(horizon_s=2.0)
    put(schedule, tagged(2.5, "/x"))
    ((address, text),) = told(schedule)
    assert address == "/warn"
    assert "horizon of 2 s" in str(text)


def test_time_tags_may_be_ignored_for_all_or_for_one_client() -> None:
    schedule = Schedule(clients=Clients("ignore"))
    put(schedule, tagged(5.0, "/ignored"))
    schedule.clients.set_timetags(HOST, "schedule")
    put(schedule, tagged(5.0, "/scheduled"))
    put_from(schedule, THERE, tagged(5.0, "/ignored too"))
    assert heard(schedule, 0.1) == ["/ignored", "/ignored too"]
    assert heard(schedule, 5.0) == ["/scheduled"]


def test_a_bundle_of_a_machine_whose_clock_is_behind_acts_when_it_should() -> None:
    schedule = Schedule()
    schedule.clients.clock(THERE).heard(NOW_UNIX - 60.0, NOW_UNIX)
    put_from(schedule, THERE, tagged(-60.0 + 0.2, "/x"))
    assert heard(schedule, 0.1) == []
    assert heard(schedule, 0.21) == ["/x"]
    assert schedule.late == 0


def test_a_bundle_with_a_ping_tells_how_its_clock_goes_and_never_waits() -> None:
    schedule = Schedule()
    schedule.due(0.9)
    ping = encode(Bundle(TimeTag.from_unix(NOW_UNIX + 1.0 - 90.0), (Message("/ping", (1,)),)))
    put_from(schedule, THERE, ping, arrived_s=1.0)
    assert schedule.clients.behind_s(THERE) == pytest.approx(90.0, abs=1e-5)
    (due,) = schedule.due(1.0)
    assert due.messages == (Message("/ping", (1,)),)
    assert due.came_s == NOW_UNIX + 1.0
    assert (schedule.late, told(schedule)) == (0, [])


def test_what_came_as_a_bundle_is_told_from_what_came_together() -> None:
    schedule = Schedule()
    put(schedule, encode_message("/a"))
    put(schedule, encode(Bundle(TimeTag(1), (Message("/b"),))))
    assert [due.together for due in schedule.due(0.0)] == [False, True]


# -- room --------------------------------------------------------------------------------------------


def test_one_sender_takes_its_share_and_the_others_have_room() -> None:
    schedule = Schedule()
    for n in range(SHARE + 10):
        put_from(schedule, THERE, tagged(5.0, f"/{n}"))
    assert schedule.dropped == 10
    assert {address for address, _ in told(schedule)} == {"/fail"}
    put(schedule, tagged(5.0, "/mine"))
    assert schedule.dropped == 10
    assert len(schedule.due(5.0)) == SHARE + 1
    put_from(schedule, THERE, tagged(9.0, "/again"), arrived_s=5.0)
    assert schedule.dropped == 10, "there is room again"


def test_what_waits_is_bounded_in_bytes() -> None:
    schedule = Schedule()
    text = "x" * 60_000
    for _ in range(2 * SHARE_BYTES // 60_000):
        put_from(schedule, THERE, encode(Bundle(TimeTag.from_unix(NOW_UNIX + 5), (Message("/t", (text,)),))))
    assert len(schedule) <= SHARE_BYTES // 60_000
    assert schedule.dropped > 0


def test_many_small_messages_count_for_what_they_take() -> None:
    schedule = Schedule()
    small = tuple(Message("/t") for _ in range(5000))
    packet = encode(Bundle(TimeTag.from_unix(NOW_UNIX + 5), small))
    for _ in range(50):
        put_from(schedule, THERE, packet)
    assert sum(len(due.messages) for due in schedule.due(5.0)) <= SHARE_BYTES // MESSAGE_BYTES
    assert schedule.dropped > 0


def test_bundles_in_a_bundle_count_once_each() -> None:
    schedule = Schedule()
    inner = tuple(Bundle(TimeTag.from_unix(NOW_UNIX + 5 + n), (Message("/t", (n,)),)) for n in range(1000))
    schedule.horizon_s = None
    put_from(schedule, THERE, encode(Bundle(TimeTag(1), inner)))
    assert (len(schedule), schedule.dropped) == (1000, 0)


def test_what_acts_at_once_needs_no_room() -> None:
    schedule = Schedule(capacity=3)
    for n in range(10):
        put(schedule, encode(Bundle(TimeTag(1), (Message(f"/{n}"),))))
        put(schedule, encode_message(f"/{n}"))
    assert len(heard(schedule, 0.0)) == 20
    assert schedule.dropped == 0


def test_clearing_forgets_ones_own_or_all_and_nothing_that_acts_now() -> None:
    schedule = Schedule()
    put(schedule, tagged(5.0, "/mine"))
    put(schedule, encode_message("/now"))
    put_from(schedule, THERE, tagged(5.0, "/theirs"))
    put_from(schedule, THERE, tagged(6.0, "/theirs too"))
    assert schedule.clear(THERE) == 2
    assert schedule.clear(THERE) == 0
    assert heard(schedule, 7.0) == ["/now", "/mine"]
    put(schedule, tagged(9.0, "/mine"), arrived_s=7.0)
    assert schedule.clear() == 1
    assert len(schedule) == 0
    assert schedule._shares == {}


def test_what_is_bad_is_told_and_a_flood_of_it_is_not_kept() -> None:
    schedule = Schedule()
    put_from(schedule, THERE, b"abc")
    put_from(schedule, THERE, b"#bundle\0\0\0\0\0\0\0\0\1\0\0\0\x08/x\0\0,q\0\0")
    assert [(n.to, n.args[0]) for n in schedule.notices()] == [(THERE, "/packet")] * 2
    for _ in range(3 * NOTICES):
        put_from(schedule, THERE, b"abc")
    assert len(list(schedule.notices())) == NOTICES
