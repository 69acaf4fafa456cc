"""The demo's catalogue: complete, the same everywhere, and drawn."""

import json
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from integration.demo import catalogue, covers, drawings, gallery
from integration.demo.books import book_number, books
from integration.demo.catalogue import INDEX
from integration.records import read
from mappings import profile

PROFILE = profile.load("demo")


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds a few of the demo's pictures; the live tests draw all of them."""
    monkeypatch.setattr(drawings, "hexcodes", lambda: ("1F408", "1F433"))
    monkeypatch.setattr(gallery, "books", lambda: books()[:2])
    gallery.draw(tmp_path)
    return tmp_path


def test_the_list_of_drawings_is_sorted_and_each_has_names_and_a_subject() -> None:
    codes = drawings.hexcodes()
    assert list(codes) == sorted(set(codes))
    assert 350 <= len(codes) <= 450
    for code in codes:
        assert len(drawings.names(code)) == 1 + len(drawings.LANGUAGES), code
        assert list(drawings.headings(code)), code
        assert drawings.svg(code).startswith("<svg "), code


def test_names() -> None:
    assert drawings.names("1F433")["en"] == "spouting whale"
    assert drawings.names("1F408")["fr"] == "chat"
    assert [heading["de"] for heading in drawings.headings("1F408")] == ["Tiere", "Haus- und Hoftiere"]


def test_books_are_complete_and_show_listed_drawings() -> None:
    assert len(books()) >= 100
    assert len({book_number(book) for book in books()}) == len(books())
    for book in books():
        assert set(book) == {"title", "authors", "year", "language", "dewey", "drawing", "subjects", "summary"}
        assert book["drawing"] in drawings.hexcodes(), book["title"]
        assert 2 <= len(book["subjects"]) <= 5, book["title"]


def test_documents_fit_the_strict_mapping_and_give_text_and_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "draw", lambda folder: None)
    found = list(catalogue.documents(Path("nowhere")))
    assert len(found) == len(drawings.hexcodes()) + len(books())
    assert len({document["control_number"] for document in found}) == len(found)
    for document in found:
        assert set(document) <= set(INDEX["mappings"]["properties"])
        content = read(json.loads(json.dumps(document, default=str)), PROFILE)
        assert content.text
        assert [picture.kind for picture in content.pictures] == ["file"]


def test_pictures_are_white_squares_with_something_on_them(drawn: Path) -> None:
    with Image.open(drawn / gallery.picture_file("1F433")) as picture:
        assert picture.size == (covers.SIDE, covers.SIDE)
        colours = picture.convert("RGB").getcolors(1 << 16)
        assert colours
        assert len(colours) > 10
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_what_is_drawn_is_kept_and_drawn_anew_by_other_rules(drawn: Path) -> None:
    picture, other = drawn / gallery.picture_file("1F433"), drawn / gallery.picture_file("1F408")
    content = picture.read_bytes()
    picture.write_bytes(b"kept")
    other.unlink()
    gallery.draw(drawn)
    assert picture.read_bytes() == b"kept"
    assert other.is_file()
    (drawn / "drawn.txt").write_text("older rules")
    gallery.draw(drawn)
    assert picture.read_bytes() == content


def test_a_cover_carries_words_that_escape_markup() -> None:
    svg = drawings.svg("1F433")
    plain, titled = covers.cover(svg, "", ""), covers.cover(svg, "Moby & <Dick>", "Herman Melville")
    assert covers.cover(svg, "Moby & <Dick>", "Herman Melville") == titled

    def dark(png: bytes) -> int:
        """Dark pixels in the part of a cover where its title stands."""
        with Image.open(BytesIO(png)) as image:
            return sum(image.convert("L").crop((14, 14, 240, 84)).histogram()[:100])

    assert dark(plain) == 0
    assert dark(titled) > 200


def test_without_any_font_covers_are_drawn_without_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise OSError("Pillow has no FreeType")

    monkeypatch.setattr(covers, "_font", none)
    with Image.open(BytesIO(covers.cover(drawings.svg("1F433"), "Moby-Dick", "Herman Melville"))) as image:
        assert image.size == (covers.WIDTH, covers.HEIGHT)
