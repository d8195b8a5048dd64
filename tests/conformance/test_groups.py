"""Groups, exclusive subscriptions and dead letters over real sockets; STOMP leaves all of them to the server."""

from __future__ import annotations

from pathlib import Path

from swarmage.broker.limits import Limits
from swarmage.broker.sessions.frames import Frame

from .live import Live, Peer

KEYS = "abcdefgh"
EACH = 25


def subscribe(peer: Peer, destination: str = "/queue/a", **headers: str) -> None:
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    peer.send(f"SUBSCRIBE\nid:1\ndestination:{destination}\nack:client-individual\n{lines}receipt:s\n\n\0".encode())
    assert peer.frame().command == "RECEIPT"


def send(peer: Peer, body: str, **headers: str) -> None:
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    peer.send(f"SEND\ndestination:/queue/a\n{lines}receipt:{body}\n\n{body}\0".encode())
    assert peer.frame().headers["receipt-id"] == body


def answer(peer: Peer, frame: Frame, command: str = "ACK", headers: str = "") -> None:
    peer.send(f"{command}\nid:{frame.headers['ack']}\n{headers}receipt:{command}\n\n\0".encode())


def confirmed(peer: Peer) -> list[Frame]:
    """Return the messages that come before the next receipt."""
    frames: list[Frame] = []
    while (frame := peer.frame()).command != "RECEIPT":
        frames.append(frame)
    return frames


def test_each_group_is_at_one_place_and_in_order_and_outlives_a_lost_connection(live: Live) -> None:
    with Peer(live).log_in() as sender, Peer(live).log_in() as one, Peer(live).log_in() as two:
        subscribe(one)
        subscribe(two)
        for n in range(EACH):
            for key in KEYS:
                send(sender, f"{key}{n}", JMSXGroupID=key)
        half = EACH * len(KEYS) // 2
        ones, twos = [one.frame() for _ in range(half)], [two.frame() for _ in range(half)]
        keys = [{frame.headers["JMSXGroupID"] for frame in frames} for frames in (ones, twos)]
        assert keys[0].isdisjoint(keys[1])
        assert keys[0] | keys[1] == set(KEYS)
        one.reset()
        again = [two.frame() for _ in range(half)]
        for key in KEYS:
            came = [frame for frame in [*twos, *again] if frame.headers["JMSXGroupID"] == key]
            assert [frame.body.decode() for frame in came] == [f"{key}{n}" for n in range(EACH)]
            assert [frame.headers.get("JMSXGroupFirstForConsumer") for frame in came] == ["true"] + [None] * (EACH - 1)


def test_one_exclusive_subscription_after_the_other(live: Live) -> None:
    with Peer(live).log_in() as sender, Peer(live).log_in() as one, Peer(live).log_in() as two:
        subscribe(one, exclusive="true")
        subscribe(two, **{"activemq.exclusive": "true"})
        send(sender, "1")
        send(sender, "2")
        answer(one, one.frame())
        assert [frame.body for frame in confirmed(one)] == [b"2"]
        one.reset()
        again = two.frame()
        assert (again.body, again.headers["redelivered"]) == (b"2", "true")
        send(sender, "3")
        assert two.frame().body == b"3"


def test_a_message_that_fails_too_often_is_a_dead_letter_on_the_disk(tmp_path: Path) -> None:
    limits = Limits(deliveries=(("/queue/", 3),))
    live = Live(data=tmp_path, limits=limits)
    with Peer(live).log_in() as peer:
        subscribe(peer)
        send(peer, "bad")
        bad = peer.frame()
        answer(peer, bad, "NACK")
        assert [frame.headers["delivery-count"] for frame in confirmed(peer)] == ["1"]
    live.stop()  # a message that is under way when the bus stops has not failed
    live = Live(data=tmp_path, limits=limits)
    with Peer(live).log_in() as peer:
        subscribe(peer)
        again = peer.frame()
        assert int(again.headers["delivery-count"]) in {1, 2}, "the connection was closed at about the same time"
        while int(again.headers["delivery-count"]) < 2:
            answer(peer, again, "NACK")
            [again] = confirmed(peer)
        answer(peer, again, "NACK", "reason:no stamp\n")
        assert confirmed(peer) == []
    live.stop()
    live = Live(data=tmp_path, limits=limits)
    with Peer(live).log_in() as peer:
        subscribe(peer, "/queue/DLQ.a")
        dead = peer.frame()
        assert dead.body == b"bad"
        wanted = {"original-destination": "/queue/a", "reason": "no stamp", "delivery-count": "3"}
        assert wanted.items() <= dead.headers.items()
    live.stop()
