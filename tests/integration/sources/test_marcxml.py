"""MARCXML: forms it comes in, and markup that breaks off."""

import base64
import re
from io import BytesIO

import pytest

from integration.sources.marc import decode_marc
from integration.sources.marcxml import read_marcxml
from integration.sources.record import BadRecord, BibRecord

NAMESPACE = 'xmlns="http://www.loc.gov/MARC21/slim"'


def record(number: str, title: str = "Heidi /", namespace: str = "") -> str:
    leader = "<leader>00000nam a2200000 a 4500</leader>"
    control = f'<controlfield tag="001">{number}</controlfield>'
    data = f'<datafield tag="245" ind1="1" ind2="0"><subfield code="a">{title}</subfield></datafield>'
    return f"<record {namespace}>{leader}{control}{data}</record>"


PREFIXED = re.sub("<(/?)", r"<\1m:", record("x1"))


def read(text: str | bytes) -> list[BibRecord | BadRecord]:
    return list(read_marcxml(BytesIO(text.encode() if isinstance(text, str) else text)))


def ids(results: list[BibRecord | BadRecord]) -> list[str | None]:
    return [result.id for result in results if isinstance(result, BibRecord)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(record("x1"), id="a record alone, no namespace"),
        pytest.param(f"<collection {NAMESPACE}>{record('x1')}</collection>", id="a collection"),
        pytest.param(
            f'<?xml version="1.0"?>\n<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords><record><header/>'
            f"<metadata>{record('x1', namespace=NAMESPACE)}</metadata></record></ListRecords></OAI-PMH>",
            id="inside OAI-PMH",
        ),
        pytest.param(
            f"<m:collection xmlns:m='http://www.loc.gov/MARC21/slim'>{PREFIXED}</m:collection>",
            id="prefixed",
        ),
    ],
)
def test_forms(text: str) -> None:
    [result] = read(text)
    assert isinstance(result, BibRecord)
    assert (result.id, result.title) == ("x1", "Heidi")


def test_marc_is_the_record_as_iso_2709() -> None:
    [result] = read(record("x1", "Zauberflöte"))
    assert isinstance(result, BibRecord)
    assert decode_marc(base64.b64decode(result.marc or ""))["245"]["a"] == "Zauberflöte"


def test_a_record_too_long_for_iso_2709_keeps_its_fields() -> None:
    [result] = read(record("x1", "long " * 30_000))
    assert isinstance(result, BibRecord)
    assert result.marc is None
    assert result.title


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(record("x2").replace("Heidi", "Heidi & Peter"), id="bare ampersand"),
        pytest.param(record("x2").replace("</subfield>", ""), id="missing end tag"),
        pytest.param(record("x2").replace("Heidi", "Hei\x01di"), id="control character"),
        pytest.param(record("x2").replace("</record>", ""), id="record without end"),
        pytest.param(record("x2").replace('tag="245"', 'tag="24"'.replace("24", "2 4 5")), id="tag of five characters"),
        pytest.param("<record><leader/></record>", id="no fields"),
    ],
)
def test_a_broken_record_leaves_its_neighbours_alone(broken: str) -> None:
    results = read(f"<collection {NAMESPACE}>{record('x1')}{broken}{record('x3')}{record('x4')}</collection>")
    assert ids(results) == ["x1", "x3", "x4"]
    assert [result.position for result in results if isinstance(result, BadRecord)] == [2]


def test_a_fault_far_from_the_next_record() -> None:
    filler = "x" * 150_000
    results = read(f"<collection>{record('x1')}<record>&{filler}</record>{filler}{record('x3')}</collection>")
    assert ids(results) == ["x1", "x3"]


def test_a_file_cut_off_keeps_what_came_before() -> None:
    whole = f"<collection>{record('x1')}{record('x2')}</collection>"
    results = read(whole[:-40])
    assert ids(results) == ["x1"]
    assert isinstance(results[-1], BadRecord)
    assert results[-1].position == 2


def test_offsets_point_at_the_record() -> None:
    text = f"<collection>{record('x1')}<record>&&</record><record/></collection>".encode()
    bad = [result for result in read(text) if isinstance(result, BadRecord)]
    assert [text[b.offset or 0 :][:7] for b in bad] == [b"<record", b"<record"]


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE c [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE c [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE c [<!ENTITY % p SYSTEM "http://127.0.0.1/x.dtd"> %p;]>',
    ],
)
def test_entities_are_refused(doctype: str) -> None:
    [bad] = read(f"{doctype}<collection>{record('x1', '&a;')}</collection>")
    assert isinstance(bad, BadRecord)
    assert "this is refused" in bad.why


def test_a_giant_record_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integration.sources.xml.MAX_RECORD", 10_000)
    results = read(f"<collection>{record('x1', 'y' * 20_000)}{record('x2')}</collection>")
    assert ids(results) == ["x2"]


def test_another_encoding() -> None:
    text = (
        f'<?xml version="1.0" encoding="ISO-8859-1"?><collection><record>&</record>{record("x1", "Café")}</collection>'
    )
    results = read(text.encode("latin-1"))
    assert [r.title for r in results if isinstance(r, BibRecord)] == ["Café"]
