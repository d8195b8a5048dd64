from __future__ import annotations

import pytest

from tests.unit.broker.driver import Bus, Client

from .talk import greet


@pytest.mark.parametrize(
    "frame",
    [
        b"SEND\ndestination:/queue/a\n\nx\0",
        b"SEND\r\ndestination:/queue/a\r\n\r\nx\0",
        b"SEND\r\ndestination:/queue/a\n\nx\0",
        b"SEND\ndestination:/queue/a\r\n\nx\0",
        b"SEND\ndestination:/queue/a\n\r\nx\0",
        b"SEND\ndestination:/queue/a\n\nx\0\n",
        b"SEND\ndestination:/queue/a\n\nx\0\r\n\n\n\r\n",
        b"\n\r\n\nSEND\ndestination:/queue/a\n\nx\0",
    ],
)
def test_a_line_ends_with_lf_and_perhaps_a_cr_before_it(bus: Bus, frame: bytes) -> None:
    """STOMP 1.2, "STOMP Frames"; checklist 1."""
    client = bus.client()
    client.subscribe("/queue/a")
    client.feed(frame * 2)
    assert client.bodies() == [b"x", b"x"]


@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
@pytest.mark.parametrize("body", [b"\n", b"\n\n", b"\r\n", b"\r\n\r\n", b"\n\r\n", b"\r", b"\n\nx\n\r\n"])
def test_a_body_may_begin_with_line_ends(bus: Bus, eol: bytes, body: bytes) -> None:
    """STOMP 1.2, "STOMP Frames"; checklist 1."""
    client = bus.client()
    client.subscribe("/queue/a")
    for line in (b"", b"content-length:%d%b" % (len(body), eol)):
        client.feed(b"SEND" + eol + b"destination:/queue/a" + eol + line + eol + body + b"\0")
    assert client.bodies() == [body, body]


@pytest.mark.parametrize("command", ["send", "Send", "SUBSCRIBe", "SEND ", " SEND"])
def test_commands_are_case_sensitive_and_exact(bus: Bus, command: str) -> None:
    """STOMP 1.2, "STOMP Frames"; checklist 2."""
    client = bus.client()
    client.send(command, {"destination": "/queue/a", "id": "1"})
    assert "unknown command" in client.error()


def test_header_names_are_case_sensitive(bus: Bus) -> None:
    """STOMP 1.2, "STOMP Frames"; checklist 2."""
    client = bus.client()
    client.subscribe("/queue/a")
    client.put("/queue/a", b"x", Receipt="1", Priority="none", Colour="red", colour="green")
    headers = client.take().headers
    assert (headers["Colour"], headers["colour"], headers["Receipt"]) == ("red", "green", "1")
    client.send("SEND", {"Destination": "/queue/a"})
    assert "destination" in client.error()


def test_headers_are_utf_8(bus: Bus) -> None:
    """STOMP 1.2, "Value Encoding"; checklist 3."""
    client = bus.client()
    client.subscribe("/queue/grüße", "鍵")
    client.send("SEND", {"destination": "/queue/grüße", "clé": "\U0001f41d"}, b"x")
    headers = client.take().headers
    assert (headers["destination"], headers["subscription"]) == ("/queue/grüße", "鍵")
    assert headers["clé"] == "\U0001f41d"
    assert "clé:\U0001f41d\n".encode() in client.raw


@pytest.mark.parametrize("broken", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80"])
def test_what_is_not_utf_8_is_refused(bus: Bus, broken: bytes) -> None:
    """STOMP 1.2, "Value Encoding"; checklist 3."""
    client = bus.client()
    client.feed(b"SEND\ndestination:/queue/a\nk:" + broken + b"\n\n\0")
    assert client.error() == "the headers are not UTF-8"


def test_escapes_are_decoded_in_names_and_values(bus: Bus) -> None:
    """STOMP 1.2, "Value Encoding"; checklist 4."""
    client = bus.client()
    client.send("SUBSCRIBE", {"id": "1", "destination": "/queue/a\\cb\\\\c"})
    client.send("SEND", {"destination": "/queue/a\\cb\\\\c", "n\\c\\n\\r\\\\": "v\\c\\n\\r\\\\n"})
    headers = client.take().headers
    assert headers["destination"] == "/queue/a:b\\c"
    assert headers["n:\n\r\\"] == "v:\n\r\\n"


@pytest.mark.parametrize("escape", ["\\t", "\\", "\\x41", "\\N", "\\\\\\", "\\ ", "\\é"])
@pytest.mark.parametrize("place", ["name", "value"])
def test_an_undefined_escape_is_fatal(bus: Bus, escape: str, place: str) -> None:
    """STOMP 1.2, "Value Encoding" and "ERROR"; checklist 5, 48."""
    client = bus.client()
    line = f"k{escape}:v" if place == "name" else f"k:v{escape}"
    client.feed(f"SEND\ndestination:/queue/a\n{line}\n\n\0".encode())
    assert "undefined escape" in client.error()


def test_what_needs_escapes_is_written_with_them(bus: Bus) -> None:
    """STOMP 1.2, "Value Encoding"; checklist 6."""
    client = bus.client()
    client.send("SUBSCRIBE", {"id": "i\\c\\\\", "destination": "/queue/a", "receipt": "r\\n\\c"})
    client.send("SEND", {"destination": "/queue/a", "k\\c": "\\r\\n"})
    assert b"RECEIPT\nreceipt-id:r\\n\\c\n" in client.raw
    assert b"\nsubscription:i\\c\\\\\n" in client.raw
    assert b"\nk\\c:\\r\\n\n" in client.raw
    client.send("SEND", {"receipt": "r\\n\\c"})
    assert b"\nreceipt-id:r\\n\\c\n" in client.raw.partition(b"ERROR\n")[2]


@pytest.mark.parametrize("command", ["CONNECT", "STOMP"])
def test_connect_is_not_unescaped(command: str) -> None:
    """STOMP 1.2, "Value Encoding"; checklist 7."""
    bus = Bus(users={"a\\tn:n": "pa:ss\\c"})
    client = greet(bus, {"accept-version": "1.2", "host": "h", "login": "a\\tn:n", "passcode": "pa:ss\\c"}, command)
    client.take("CONNECTED")


def test_connected_is_written_so_that_a_1_0_client_can_read_it(bus: Bus) -> None:
    """STOMP 1.2, "Value Encoding"; checklist 7."""
    assert b"\\" not in greet(bus, {"accept-version": "1.2", "host": "a:b\\c"}).raw


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_header_values_keep_their_blanks(bus: Bus, version: str) -> None:
    """STOMP 1.2, "Value Encoding"; checklist 8."""
    client = bus.client(version)
    client.subscribe("/queue/ a ", " s ")
    client.send("SEND", {"destination": "/queue/ a ", "k": "  v\t ", " n ": " ", "receipt": " r "})
    assert client.take("RECEIPT").headers["receipt-id"] == " r "
    headers = client.take().headers
    assert (headers["k"], headers[" n "], headers["subscription"]) == ("  v\t ", " ", " s ")


@pytest.mark.parametrize(
    "command",
    ["SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT", "ABORT", "DISCONNECT"],
)
def test_only_send_has_a_body(bus: Bus, command: str) -> None:
    """STOMP 1.2, "Body"; checklist 9."""
    client = bus.client()
    client.send(command, {"id": "1", "destination": "/queue/a", "transaction": "t"}, b"body")
    assert "no body" in client.error()


@pytest.mark.parametrize("command", ["CONNECT", "STOMP"])
def test_connect_has_no_body(bus: Bus, command: str) -> None:
    """STOMP 1.2, "Body"; checklist 9."""
    client = Client(bus)
    client.send(command, {"accept-version": "1.2"}, b"body")
    assert "no body" in client.error()


def test_connected_and_receipt_have_no_body(bus: Bus) -> None:
    """STOMP 1.2, "Body"; checklist 9."""
    client = bus.client()
    client.put("/queue/a", b"x", receipt="1")
    assert client.take("RECEIPT").body == b""
    assert client.raw.startswith(b"CONNECTED\n")
    assert client.raw.partition(b"\n\n")[2].startswith(b"\0RECEIPT\n")


def test_content_length_counts_octets_whatever_they_are(bus: Bus) -> None:
    """STOMP 1.2, "Header content-length"; checklist 10."""
    client = bus.client()
    client.subscribe("/queue/a")
    body = b"\0\n\nSEND\n\n\0\xff" + "é".encode()
    client.put("/queue/a", body, content_length=len(body))
    client.put("/queue/a", b"", content_length=0)
    assert client.bodies() == [body, b""]


@pytest.mark.parametrize("length", [2, 4])
def test_a_nul_follows_the_body_that_content_length_counts(bus: Bus, length: int) -> None:
    """STOMP 1.2, "Header content-length"; checklist 10."""
    client = bus.client()
    client.put("/queue/a", b"xyz", content_length=length)
    client.feed(b"more")
    assert "NUL" in client.error()


def test_any_frame_may_carry_content_length(bus: Bus) -> None:
    """STOMP 1.2, "Header content-length"; checklist 10."""
    client = bus.client()
    for command in ("SUBSCRIBE", "UNSUBSCRIBE", "BEGIN", "COMMIT", "DISCONNECT"):
        client.send(
            command,
            {"id": "1", "destination": "/queue/a", "transaction": "t", "content-length": 0, "receipt": command},
        )
        assert client.take("RECEIPT").headers["receipt-id"] == command


def test_frames_with_a_body_say_how_long_it_is(bus: Bus) -> None:
    """STOMP 1.2, "Header content-length"; checklist 11."""
    client = bus.client()
    client.subscribe("/queue/a")
    client.put("/queue/a", b"without a length")
    assert client.take().headers["content-length"] == "16"
    client.put("/queue/a", b"a\0b", content_length=3)
    assert client.take().headers["content-length"] == "3"
    client.send("HELLO")
    error = client.take("ERROR")
    assert int(error.headers["content-length"]) == len(error.body)


@pytest.mark.parametrize(
    "head", ["content-length:3\ndestination:/queue/a\n", "destination:/queue/a\ncontent-length:3\n"]
)
def test_a_dead_letter_with_nuls_says_how_long_it_is_too(bus: Bus, head: str) -> None:
    """STOMP 1.2, "Header content-length"; checklist 11."""
    client = bus.client()
    client.subscribe("/queue/a", ack="client")
    client.feed(f"SEND\n{head}\n".encode() + b"a\0b\0")
    client.nack(client.take(), requeue="false")
    client.subscribe("/queue/DLQ.a", "2")
    dead = client.take()
    assert (dead.body, dead.headers["destination"]) == (b"a\0b", "/queue/DLQ.a")
    assert client.raw.count(b"\ndestination:/queue/a\n") == 1  # that of the first delivery


def test_content_type_is_passed_on_and_ours_is_a_mime_type(bus: Bus) -> None:
    """STOMP 1.2, "Header content-type"; checklist 12."""
    client = bus.client()
    client.subscribe("/queue/a")
    client.put("/queue/a", b"{}", content_type="application/json;charset=utf-8")
    client.put("/queue/a", b"?")
    assert client.take().headers["content-type"] == "application/json;charset=utf-8"
    assert "content-type" not in client.take().headers
    client.send("HELLO")
    assert client.take("ERROR").headers["content-type"] == "text/plain"


def test_the_first_of_a_repeated_header_counts(bus: Bus) -> None:
    """STOMP 1.2, "Repeated Header Entries"; checklist 13."""
    client = bus.client()
    client.subscribe("/queue/a")
    client.feed(
        b"SEND\ndestination:/queue/a\nk:1\ncontent-length:1\nk:2\nk:3\ndestination:/queue/b\ncontent-length:9\n\nx\0"
    )
    message = client.take()
    assert (message.body, message.headers["k"], message.headers["destination"]) == (b"x", "1", "/queue/a")
    assert client.raw.count(b"\nk:") == 1


@pytest.mark.parametrize("line", ["no colon", "", ":no name"])
def test_a_header_is_a_name_and_a_value(bus: Bus, line: str) -> None:
    """STOMP 1.2, "STOMP Frames"; checklist 1."""
    client = bus.client()
    client.feed(f"SEND\ndestination:/queue/a\n{line}\nk:v\n\n\0".encode())
    if line:
        assert "header" in client.error()
    else:  # an empty line ends the headers
        client.subscribe("/queue/a")
        assert client.take().body == b"k:v\n\n"
