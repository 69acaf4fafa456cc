"""Which format a file is in, and files that are none."""

import gzip
from pathlib import Path

import pytest

from integration.sources.formats import check, read
from integration.sources.record import BadRecord, BibRecord
from mappings.errors import RequestError
from tests.integration.sources.test_dublin_core import held, oai
from tests.integration.sources.test_marc import GOOD, OTHER
from tests.integration.sources.test_marcxml import record

CONTENT = {
    "marc": GOOD + OTHER,
    "marcxml": f"<collection>{record('m1')}{record('m2')}</collection>".encode(),
    "dc": oai(held("oai:x:1"), held("oai:x:2")),
    "jsonl": b'{"id": "j1"}\n{"id": "j2"}\n',
}


@pytest.mark.parametrize("form", CONTENT)
@pytest.mark.parametrize("packed", [False, True])
def test_content_shows_the_format(tmp_path: Path, form: str, packed: bool) -> None:
    file = tmp_path / "records"
    file.write_bytes(gzip.compress(CONTENT[form]) if packed else CONTENT[form])
    assert check(file) == form
    assert [type(result) for result in read(file)] == [BibRecord, BibRecord]


@pytest.mark.parametrize(
    ("content", "form", "message"),
    [
        (b"", None, "is empty; expected records (marc, marcxml, dc, jsonl)"),
        (b"  \n", None, "is empty"),
        (b"%PDF-1.4 and more", None, "begins with b'%PDF-1.4 and more', which is none of marc, marcxml, dc, jsonl"),
        (b"<html/>", None, "none of marc"),
        (CONTENT["jsonl"], "marc", "is jsonl, not marc; leave --format out or give --format jsonl"),
        (CONTENT["jsonl"], "pica", "no format 'pica'; there are: marc, marcxml, dc, jsonl"),
        (b"\x1f\x8bbroken", None, "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused_at_once(tmp_path: Path, content: bytes, form: str | None, message: str) -> None:
    file = tmp_path / "records"
    file.write_bytes(content)
    with pytest.raises(RequestError) as raised:
        read(file, form)
    assert message in str(raised.value)


def test_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is a folder"):
        read(tmp_path)
    with pytest.raises(RequestError, match="No such file"):
        read(tmp_path / "gone")


def test_a_gzip_file_that_ends_early_keeps_what_came_before(tmp_path: Path) -> None:
    file = tmp_path / "records.gz"
    many = b"".join(b'{"id": "j%d", "title": "%x"}\n' % (n, n**9) for n in range(5000))
    file.write_bytes(gzip.compress(many)[:-2000])
    *first, last = read(file)
    assert len(first) > 100
    assert isinstance(last, BadRecord)
    assert last.why.startswith("the file cannot be read further")


SHARED = Path(__file__).parents[3] / ".." / "shared" / "data" / "marc"


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no test records of other projects at {SHARED}")
@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        # Strict pymarc reads 66: a fault in its directory or length costs it the rest of the file, and UTF-8 without
        # the leader's flag the record; both are read here.
        ("pymarc/test/*.[dmx]*[tcl]", 68, 6),
        ("ruby-marc/test/*.*[tcl]", 27, 7),
        ("blacklight-marc/**/*.mrc", 30, 0),
        ("idzebra/sample-marc", 24, 0),
        ("idzebra/collection-[2o]*.xml", 45, 0),
        ("idzebra/collection-[cn]*.xml", 40, 0),
        ("idzebra/collection-subjmrc.xml", 20, 0),
        ("idzebra/oai-caltech.xml", 100, 0),
        ("searchworks/**/*.xml", 34, 0),
    ],
)
def test_records_of_other_projects(pattern: str, good: int, bad: int) -> None:
    results = [result for file in sorted(SHARED.glob(pattern)) for result in read(file)]
    assert sum(isinstance(result, BibRecord) for result in results) == good
    assert sum(isinstance(result, BadRecord) for result in results) == bad
