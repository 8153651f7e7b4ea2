"""What is to happen when."""

from __future__ import annotations

from oscbend.osc import Bundle, Message, TimeTag, encode, encode_message
from oscbend.schedule import Schedule
from oscbend.score import Score

NOW_UNIX = 1_800_000_000.0
HOST = ("127.0.0.1", 9)


def heard(schedule: Schedule, now_s: float) -> list[str]:
    return [m.address for due in schedule.due(now_s) for m in due.messages]


def put(schedule: Schedule, data: bytes, arrived_s: float = 0.0) -> None:
    schedule.put_datagrams([(data, HOST)], arrived_s, NOW_UNIX, lambda sender: sender == HOST)


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
    schedule.put_datagrams(came, 2.0, NOW_UNIX, lambda sender: sender == HOST)
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
