from __future__ import annotations

import pytest
from hypothesis import assume
from hypothesis import strategies as st

from swarmage.errors import BadSignature
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
    assert Signer(KEY).key_id in str(caught.value)
    assert Signer(OTHER_KEY).key_id in str(caught.value)
    assert KEY.hex() not in str(caught.value)


def test_a_message_moved_to_another_queue_is_refused() -> None:
    signer = Signer(KEY)
    with pytest.raises(BadSignature, match="moved"):
        signer.verify("/queue/swarmage.task.other", BODY, signer.sign(DESTINATION, BODY))


def test_the_key_id_does_not_give_the_key_away() -> None:
    assert Signer(KEY).key_id == "3855189b"
    assert Signer(KEY).key_id not in KEY.hex()
