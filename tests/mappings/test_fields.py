"""The one object field: its mapping, and what is written into it and read back."""

import base64
import random
from typing import Any

import pytest

from mappings.code import SUPPORTED_BITS, HashCode
from mappings.errors import CodeLengthError
from mappings.fields import MAX_PICTURES, StoredCodes, field_name, image_value, space_mapping


def code(bits: int, seed: int = 0) -> HashCode:
    return HashCode(bits, random.Random(seed).randbytes(bits // 8))


def test_the_mapping_is_the_one_of_the_design() -> None:
    """Nothing in it is indexed: `*` of a catalogue's own query must not expand to a field of ours."""
    codes = {"type": "binary", "doc_values": True}
    space = {"text": codes, "image": codes, "record": codes}
    assert space_mapping("default_1234abcd") == {
        "properties": {
            "crosshatch": {
                "dynamic": False,
                "properties": {"default_1234abcd": {"dynamic": False, "properties": space}},
            }
        }
    }
    assert field_name("default_1234abcd", "image") == "crosshatch.default_1234abcd.image"


@pytest.mark.parametrize("bits", SUPPORTED_BITS)
def test_what_is_written_is_read_back(bits: int) -> None:
    numbers = (0, 1, 255, 256, 65_535)
    codes = StoredCodes(code(bits, 1), tuple((n, code(bits, n)) for n in numbers), code(bits, 2))
    assert StoredCodes.read(codes.members(), bits) == codes
    assert codes.parts == ("text", "image", "record")


@pytest.mark.parametrize(
    ("codes", "members"),
    [
        (StoredCodes(), {}),
        (StoredCodes(text=HashCode(16, b"\0\0")), {"text": "AAA="}),
        (StoredCodes(image=((3, HashCode(16, b"\xff\0")),)), {"image": ["/wAAAw=="]}),
        (StoredCodes(record=HashCode(16, b"ab")), {"record": "YWI="}),
    ],
)
def test_a_part_without_a_code_is_left_out(codes: StoredCodes, members: dict[str, Any]) -> None:
    assert codes.members() == members
    assert codes.parts == tuple(members)
    assert StoredCodes.read({**members, "source": "00", "bands": [1, 2]}, 16) == codes


def test_pictures_are_read_in_the_order_of_their_numbers() -> None:
    """The engine hands doc values out sorted by their bytes."""
    values = [image_value(HashCode(16, b"zz"), 0), image_value(HashCode(16, b"aa"), 300)]
    read = StoredCodes.read({"image": sorted(values, key=base64.b64decode)}, 16)
    assert [number for number, _ in read.image] == [0, 300]


def test_one_number_twice_is_no_crash() -> None:
    values = [image_value(HashCode(16, b"zz"), 0), image_value(HashCode(16, b"aa"), 0)]
    assert len(StoredCodes.read({"image": values}, 16).image) == 2


def test_a_picture_number_has_two_bytes_the_higher_first() -> None:
    assert base64.b64decode(image_value(HashCode(16, b"ab"), 0x0102)) == b"ab\x01\x02"
    assert MAX_PICTURES == 0xFFFF + 1
    with pytest.raises(OverflowError):
        image_value(HashCode(16, b"ab"), MAX_PICTURES)


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"text": "AAAA"}, "a code of 16 bits was expected; 24 bits came"),
        ({"record": ""}, "a code of 16 bits was expected; 0 bits came"),
        ({"text": "~"}, "a code must be base64; '~' came"),
        ({"image": ["YWI="]}, "an image value has 4 bytes; 2 came"),
        ({"image": ["~"]}, "an image value must be base64; '~' came"),
        ({"image": ["YWIAAA==", None]}, "an image value must be base64; NoneType came"),
        ({"image": [["YWIAAA=="]]}, "an image value must be base64; list came"),
        ({"image": 5}, "`image` must be a list; int came"),
        ({"image": True}, "`image` must be a list; bool came"),
        ({"image": {"YWIAAA==": 1}}, "`image` must be a list; dict came"),
        ({"image": "YWIAAA=="}, "`image` must be a list; str came"),
        ({"text": 1234}, "a code must be base64; int came"),
        ({"text": ["YWI="]}, "a code must be base64; list came"),
        ({"text": {}}, "a code must be base64; dict came"),
    ],
    ids=str,
)
def test_foreign_values_end_in_our_error(members: dict[str, Any], why: str) -> None:
    with pytest.raises(CodeLengthError) as raised:
        StoredCodes.read(members, 16)
    assert str(raised.value) == why


def test_a_null_is_no_value() -> None:
    """The engine takes null for any field, so a document may hold one."""
    assert StoredCodes.read({"text": None, "image": None, "record": None}, 16) == StoredCodes()
