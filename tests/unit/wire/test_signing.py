from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume
from hypothesis import strategies as st

from swarmage.errors import BadSignature
from swarmage.home import write_secret
from swarmage.keyring import KeyRing, key_id
from swarmage.wire import names
from swarmage.wire.signing import HEADER, Signer

from ..fakes import KEY, OTHER_KEY
from ..seeds import random_inputs

DESTINATION = "/queue/swarmage.task.text.census"
BODY = b'{"class":"text.census","args":["/usr/share/doc"],"id":"1"}'


def test_the_signature_of_a_known_message_is_known() -> None:
    """Other languages compute the same: openssl dgst -sha256 -mac HMAC, over destination, line feed, body."""
    signature = Signer(KEY).sign(DESTINATION, BODY)
    assert signature == "v1.3855189b.08b1be645673de660d8303a44d11dd2ab7898d43b0829446e16e402be0ef2022"
    assert HEADER == "signature"


@random_inputs(st.text(max_size=50), st.binary(max_size=200))
def test_what_is_signed_is_accepted(destination: str, body: bytes) -> None:
    assume(not any("\ud800" <= char <= "\udfff" for char in destination))
    signer = Signer(KEY)
    signer.verify(destination, body, signer.sign(destination, body))


@random_inputs(st.data())
def test_one_changed_bit_is_noticed(data: st.DataObject) -> None:
    signer = Signer(KEY)
    signature = signer.sign(DESTINATION, BODY)
    changed = bytearray(BODY)
    bit = data.draw(st.integers(0, len(BODY) * 8 - 1))
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadSignature, match="altered"):
        signer.verify(DESTINATION, bytes(changed), signature)


@random_inputs(st.data())
def test_one_changed_character_of_the_signature_is_noticed(data: st.DataObject) -> None:
    signer = Signer(KEY)
    signature = signer.sign(DESTINATION, BODY)
    at = data.draw(st.integers(0, len(signature) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda char: char != signature[at]))
    with pytest.raises(BadSignature):
        signer.verify(DESTINATION, BODY, signature[:at] + other + signature[at + 1 :])


@pytest.mark.parametrize("signature", ["", "none", "v1", "v1.", "v1..", "v2.3855189b." + "0" * 64, "ü" * 80])
def test_what_is_no_signature_is_refused(signature: str) -> None:
    with pytest.raises(BadSignature, match="signed by"):
        Signer(KEY).verify(DESTINATION, BODY, signature)


@pytest.mark.parametrize("cut", [1, 32, 63, 64])
def test_a_shortened_signature_is_refused(cut: int) -> None:
    signer = Signer(KEY)
    with pytest.raises(BadSignature, match="altered"):
        signer.verify(DESTINATION, BODY, signer.sign(DESTINATION, BODY)[:-cut])


def test_a_missing_signature_is_refused() -> None:
    with pytest.raises(BadSignature, match="not signed"):
        Signer(KEY).verify(DESTINATION, BODY, None)


def test_a_foreign_key_is_named_and_the_keys_are_not_shown() -> None:
    foreign = Signer(OTHER_KEY).sign(DESTINATION, BODY)
    with pytest.raises(BadSignature) as caught:
        Signer(KEY).verify(DESTINATION, BODY, foreign)
    assert key_id(KEY) in str(caught.value)
    assert key_id(OTHER_KEY) in str(caught.value)
    assert KEY.hex() not in str(caught.value)


def test_a_message_moved_to_another_queue_is_refused() -> None:
    signer = Signer(KEY)
    with pytest.raises(BadSignature, match="moved"):
        signer.verify("/queue/swarmage.task.other", BODY, signer.sign(DESTINATION, BODY))


def test_the_key_id_does_not_give_the_key_away() -> None:
    assert key_id(KEY) == "3855189b"
    assert key_id(KEY) not in KEY.hex()


THIRD_KEY = bytes(range(100, 132))


def ring_in(path: Path, *keys: bytes) -> KeyRing:
    """Return the ring of a file that holds these keys."""
    write_secret(path, "".join(f"{key.hex()}\n" for key in keys))
    ring = KeyRing((), path)
    ring.read()
    return ring


def test_the_first_key_of_a_ring_signs_and_all_are_accepted() -> None:
    signer = Signer(KeyRing((KEY, OTHER_KEY, THIRD_KEY)))
    assert signer.sign(DESTINATION, BODY) == Signer(KEY).sign(DESTINATION, BODY)
    for key in (KEY, OTHER_KEY, THIRD_KEY):
        signer.verify(DESTINATION, BODY, Signer(key).sign(DESTINATION, BODY))


@random_inputs(st.data())
def test_what_another_key_of_the_ring_signed_is_checked_as_closely(data: st.DataObject) -> None:
    signer = Signer(KeyRing((KEY, OTHER_KEY)))
    signature = Signer(OTHER_KEY).sign(DESTINATION, BODY)
    at = data.draw(st.integers(0, len(signature) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda char: char != signature[at]))
    with pytest.raises(BadSignature):
        signer.verify(DESTINATION, BODY, signature[:at] + other + signature[at + 1 :])
    with pytest.raises(BadSignature, match="moved"):
        signer.verify(DESTINATION + "x", BODY, signature)


def test_the_id_of_one_key_does_not_lend_itself_to_another() -> None:
    signer, foreign = Signer(KeyRing((KEY, OTHER_KEY))), Signer(THIRD_KEY).sign(DESTINATION, BODY)
    for key in (KEY, OTHER_KEY):
        with pytest.raises(BadSignature, match="altered"):
            signer.verify(DESTINATION, BODY, f"v1.{key_id(key)}.{foreign.rpartition('.')[2]}")


def test_a_key_that_has_come_into_the_file_is_known_by_the_first_message_it_signed(tmp_path: Path) -> None:
    signer = Signer(ring_in(tmp_path / "key", KEY))
    new = Signer(OTHER_KEY).sign(DESTINATION, BODY)
    with pytest.raises(BadSignature, match="was that key retired"):
        signer.verify(DESTINATION, BODY, new)
    ring_in(tmp_path / "key", KEY, OTHER_KEY)
    signer.verify(DESTINATION, BODY, new)
    assert signer.sign(DESTINATION, BODY).startswith(f"v1.{key_id(KEY)}.")


def test_a_look_takes_the_key_that_signs_now_and_leaves_the_retired_one(tmp_path: Path) -> None:
    signer = Signer(ring_in(tmp_path / "key", KEY, OTHER_KEY))
    old = signer.sign(DESTINATION, BODY)
    ring_in(tmp_path / "key", OTHER_KEY, KEY)
    signer.look()
    assert signer.sign(DESTINATION, BODY) == Signer(OTHER_KEY).sign(DESTINATION, BODY)
    signer.verify(DESTINATION, BODY, old)
    ring_in(tmp_path / "key", OTHER_KEY)
    signer.look()
    with pytest.raises(BadSignature, match="was that key retired"):
        signer.verify(DESTINATION, BODY, old)


def test_messages_of_foreign_keys_do_not_have_the_file_read_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = Signer(ring_in(tmp_path / "key", KEY))
    reads: list[Path] = []
    monkeypatch.setattr(Path, "read_text", lambda self, **_: reads.append(self))
    for _ in range(100):
        with pytest.raises(BadSignature):
            signer.verify(DESTINATION, BODY, Signer(OTHER_KEY).sign(DESTINATION, BODY))
    assert reads == []


PURPOSES = {
    "task": names.task_destination("a"),
    "task of another class": names.task_destination("b"),
    "task for a key": names.keyed_destination("a"),
    "state of a key": names.saved_destination("a", "key"),
    "state of another key": names.saved_destination("a", "other"),
    "reply": names.reply_destination("a"),
    "reply to somebody else": names.reply_destination("b"),
    "dead letter": names.DEAD,
    "standing order": names.STATE,
    "control": names.CONTROL,
    "request to an actor": names.actor_destination("a"),
    "request to another actor": names.actor_destination("b"),
}


@pytest.mark.parametrize("purpose", PURPOSES)
def test_what_was_signed_for_one_purpose_is_good_for_no_other(purpose: str) -> None:
    signer = Signer(KEY)
    signature = signer.sign(PURPOSES[purpose], BODY)
    for other, destination in PURPOSES.items():
        if other == purpose:
            signer.verify(destination, BODY, signature)
        else:
            with pytest.raises(BadSignature, match="moved"):
                signer.verify(destination, BODY, signature)
