"""What the STOMP 1.2 specification asks of a server and of both sides, numbered, with the section that says so.

A test names in its docstring the section and the numbers it proves, as in ``STOMP 1.2, "Value Encoding"; checklist 5.``
"""

from __future__ import annotations

from typing import NamedTuple


class Item(NamedTuple):
    """One thing asked for.

    Attributes:
        section: heading of the specification.
        text: what it asks for, in short.
        server: whether a server can follow or break it.
    """

    section: str
    text: str
    server: bool = True


CHECKLIST = {
    1: Item(
        "STOMP Frames", "command EOL, header lines, EOL, body, NUL, any EOLs; EOL is LF with an optional CR before"
    ),
    2: Item("STOMP Frames", "commands and header names are case sensitive"),
    3: Item("Value Encoding", "commands and headers are UTF-8"),
    4: Item("Value Encoding", "decoding maps \\r, \\n, \\c and \\\\ in names and values"),
    5: Item("Value Encoding", "an undefined escape is a fatal protocol error"),
    6: Item("Value Encoding", "encoding applies the reverse map in all frames but CONNECT and CONNECTED"),
    7: Item("Value Encoding", "CONNECT and CONNECTED are neither escaped nor unescaped"),
    8: Item("Value Encoding", "header values are never trimmed or padded"),
    9: Item("Body", "only SEND, MESSAGE and ERROR have a body"),
    10: Item(
        "Header content-length", "content-length counts the body's octets, NULs among them; the NUL still follows"
    ),
    11: Item("Header content-length", "a body with NULs carries content-length; frames with a body should"),
    12: Item("Header content-type", "content-type is a MIME type"),
    13: Item("Repeated Header Entries", "the first of a repeated header counts"),
    14: Item("Size Limits", "limits may be set; a client that exceeds one gets ERROR and is disconnected"),
    15: Item("CONNECT or STOMP Frame", "STOMP is handled like CONNECT"),
    16: Item("CONNECT or STOMP Frame", "accept-version and host are set", server=False),
    17: Item("Protocol Negotiation", "the highest common version is used and named in CONNECTED"),
    18: Item("Protocol Negotiation", "no common version: ERROR, then close"),
    19: Item("Connecting", "a rejected client gets ERROR with the reason, then the connection is closed"),
    20: Item("CONNECTED Frame", "server is a name with an optional /version, then comments"),
    21: Item("Connection Lingering", "clients that come and go quickly can read the last frame"),
    22: Item("Heart-beating", "heart-beat is two non-negative integers"),
    23: Item("Heart-beating", "a missing heart-beat header means 0,0"),
    24: Item("Heart-beating", "each direction beats every MAX of what both say, or not at all"),
    25: Item("Heart-beating", "the sender sends at least every n milliseconds, an EOL if there is no frame"),
    26: Item("Heart-beating", "any octet counts as life; the receiver is patient about n"),
    27: Item("SEND", "SEND has a destination, which is an opaque string"),
    28: Item("SEND", "headers of the user are passed on in MESSAGE"),
    29: Item("SEND", "a SEND that cannot be processed: ERROR, then close"),
    30: Item("SUBSCRIBE", "SUBSCRIBE has a destination and an id that is unique in its connection"),
    31: Item("SUBSCRIBE", "a subscription that cannot be created: ERROR, then close"),
    32: Item("SUBSCRIBE ack Header", "ack is auto, client or client-individual, and auto when missing"),
    33: Item("SUBSCRIBE ack Header", "auto: a message is acknowledged as soon as it is sent"),
    34: Item("SUBSCRIBE ack Header", "client: an ACK settles all earlier messages of the subscription"),
    35: Item("SUBSCRIBE ack Header", "client-individual: an ACK or NACK settles one message"),
    36: Item("UNSUBSCRIBE", "UNSUBSCRIBE names an existing subscription by its id"),
    37: Item("ACK", "ACK names the ack header of a MESSAGE, and perhaps a transaction"),
    38: Item("NACK", "NACK is the opposite of ACK, cumulative where ACK is"),
    39: Item("BEGIN", "BEGIN names a transaction, different from all open ones of the connection"),
    40: Item("COMMIT", "COMMIT and ABORT name a started transaction"),
    41: Item("BEGIN", "SEND, ACK and NACK of a transaction are processed together or not at all"),
    42: Item("BEGIN", "an open transaction is aborted when its client disconnects or is lost"),
    43: Item("Header receipt", "any client frame but CONNECT may ask for a RECEIPT, sent once it is processed"),
    44: Item("RECEIPT", "earlier frames were received, and are processed even if the client leaves"),
    45: Item("DISCONNECT", "nothing is sent after DISCONNECT", server=False),
    46: Item("MESSAGE", "MESSAGE has the destination of the SEND, a unique message-id and the subscription"),
    47: Item("MESSAGE", "MESSAGE has an ack header where it must be acknowledged"),
    48: Item("ERROR", "the connection is closed after ERROR"),
    49: Item("ERROR", "ERROR has message, the receipt-id of the frame at fault, content-type and content-length"),
    50: Item("Client Frames", "an unknown command: ERROR, then close"),
}
