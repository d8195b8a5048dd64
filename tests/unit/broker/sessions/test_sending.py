from __future__ import annotations

import pytest

from ..driver import Bus

LINES = ("x-receipt:1", "destination:/queue/a", "a:receipt", "content-length:4", "receipt-id:1")


@pytest.mark.parametrize("place", range(len(LINES) + 1))
def test_the_receipt_is_not_passed_on_wherever_it_stands(bus: Bus, place: int) -> None:
    client = bus.client()
    client.subscribe("/queue/a")
    lines = "\n".join([*LINES[:place], "receipt:1", *LINES[place:]])
    client.feed(f"SEND\n{lines}\n\nbody\0".encode())
    [confirmed] = [frame for frame in client.frames if frame.command == "RECEIPT"]
    [message] = [frame for frame in client.frames if frame.command == "MESSAGE"]
    assert confirmed.headers == {"receipt-id": "1"}
    assert [
        f"{name}:{value}" for name, value in message.headers.items() if name not in {"subscription", "message-id"}
    ] == [*LINES]
    assert message.body == b"body"
