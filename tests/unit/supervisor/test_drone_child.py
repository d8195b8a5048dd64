from __future__ import annotations

from swarmage.drone.local_queue import TICK_SECONDS, Mailbox
from swarmage.drone.messages import TICK
from swarmage.supervisor.drone_child import Pulse
from swarmage.supervisor.protocol import BEAT_SECONDS

from ..fakes import FakeClock


class Parent:
    def __init__(self) -> None:
        self.beats = 0

    def beat(self) -> None:
        self.beats += 1


def test_a_drone_beats_while_its_thread_has_its_ticks() -> None:
    clock, parent = FakeClock(), Parent()
    mailbox = Mailbox(clock)
    pulse = Pulse(mailbox, parent, clock)  # type: ignore[arg-type]
    pulse.look()
    assert parent.beats == 0  # its thread has not had its first turn
    for _ in range(10):
        clock.advance(TICK_SECONDS)
        assert mailbox.get() is TICK
        pulse.look()
    assert parent.beats == 1  # one every five seconds
    clock.advance(BEAT_SECONDS - TICK_SECONDS)
    pulse.look()
    assert parent.beats == 2
    for _ in range(10):  # its thread hangs
        clock.advance(BEAT_SECONDS)
        pulse.look()
    assert parent.beats == 2
    assert mailbox.get() is TICK
    pulse.look()
    assert parent.beats == 3
