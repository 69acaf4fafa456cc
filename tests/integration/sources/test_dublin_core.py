"""Dublin Core, in OAI-PMH and plain."""

from io import BytesIO

from integration.sources.dublin_core import read_dublin_core
from integration.sources.record import Agent, BadRecord, BibRecord

DC = 'xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
BODY = """<dc:title>Heidi</dc:title><dc:title>Heidis Lehr- und Wanderjahre.</dc:title>
<dc:creator>Spyri, Johanna</dc:creator>
<dc:contributor>Pfeiffer, W.</dc:contributor><dc:subject>Goats</dc:subject><dc:subject>Goats</dc:subject>
<dc:description>An orphan on the alp.</dc:description><dc:date>1881-01-01</dc:date><dc:publisher>Perthes</dc:publisher>
<dc:language>ger</dc:language><dc:identifier>ISBN 978-3-16-148410-0</dc:identifier>
<dc:identifier>https://x.org/heidi</dc:identifier><dc:relation>https://x.org/heidi.png?size=2</dc:relation>"""


def oai(*records: str) -> bytes:
    inner = "".join(records)
    return (
        f'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords>{inner}</ListRecords></OAI-PMH>'.encode()
    )


def held(identifier: str, body: str = BODY, status: str = "") -> str:
    header = f"<header {status}><identifier>{identifier}</identifier></header>"
    return f"<record>{header}<metadata><oai_dc:dc {DC}>{body}</oai_dc:dc></metadata></record>"


def read(raw: bytes) -> list[BibRecord | BadRecord]:
    return list(read_dublin_core(BytesIO(raw)))


def test_a_record_of_oai_pmh() -> None:
    [result] = read(oai(held("oai:x:1")))
    assert result == BibRecord(
        id="oai:x:1",
        title="Heidi = Heidis Lehr- und Wanderjahre",
        creators=(Agent("Spyri, Johanna"),),
        contributors=(Agent("Pfeiffer, W."),),
        subjects=("Goats",),
        summary="An orphan on the alp.",
        published="1881",
        publisher="Perthes",
        language=("ger",),
        isbn=("9783161484100",),
        identifiers=("oai:x:1", "ISBN 978-3-16-148410-0", "https://x.org/heidi"),
        picture_urls=("https://x.org/heidi.png?size=2",),
    )


def test_plain_records_take_their_first_identifier() -> None:
    [result] = read(f"<records {DC}><oai_dc:dc>{BODY}</oai_dc:dc></records>".encode())
    assert result.id == "ISBN 978-3-16-148410-0"


def test_without_namespaces() -> None:
    [result] = read(b"<OAI-PMH><record><header/><metadata><dc><title>Heidi</title></dc></metadata></record></OAI-PMH>")
    assert isinstance(result, BibRecord)
    assert result.title == "Heidi"


def test_deleted_and_empty_records_are_told() -> None:
    results = read(oai(held("oai:x:1", status='status="deleted"'), held("oai:x:2", ""), held("oai:x:3")))
    assert [(r.id, isinstance(r, BadRecord)) for r in results] == [
        ("oai:x:1", True),
        ("oai:x:2", True),
        ("oai:x:3", False),
    ]
    assert isinstance(results[0], BadRecord)
    assert results[0].why == "the repository marks this record as deleted; nothing is loaded for it"


def test_a_broken_record_leaves_its_neighbours_alone() -> None:
    results = read(oai(held("oai:x:1"), held("oai:x:2", "<dc:title>R&D</dc:title>"), held("oai:x:3")))
    assert [r.id for r in results if isinstance(r, BibRecord)] == ["oai:x:1", "oai:x:3"]
