"""MARC that a catalogue keeps inside its documents."""

import base64

import pytest

from integration.sources.inside import record_of
from mappings.errors import RecordError
from tests.integration.sources.test_marc import GOOD
from tests.integration.sources.test_marcxml import record

JSON = {
    "leader": "",
    "fields": [{"001": "m1"}, {"245": {"ind1": "1", "subfields": [{"a": "Fir<st"}, {"b": "& more /"}]}}],
}


@pytest.mark.parametrize(
    ("held", "form", "text"),
    [
        (base64.b64encode(GOOD).decode(), "base64ISO2709", "First"),
        (GOOD.decode(), None, "First"),
        (record("m1"), "MARCXML", "Heidi"),
        (JSON, "ARRAY", "Fir<st & more"),
        ('{"fields": [{"245": {"subfields": [{"a": "Heidi"}]}}]}', None, "Heidi"),
    ],
)
def test_forms(held: object, form: str | None, text: str) -> None:
    assert record_of(held, form).words == text


@pytest.mark.parametrize(
    "held", [7, "", "no MARC!", "<record>", "{", "[]", {"fields": 3}, {"fields": [{"245": 1}]}, "QUJD"]
)
def test_what_cannot_be_read(held: object) -> None:
    with pytest.raises(RecordError) as raised:
        record_of(held)
    assert raised.value.reason == "text-unreadable"
