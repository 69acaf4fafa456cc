"""A catalogue as a data set: captions in pairs, headings as labels, and what belongs together in one part."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders.data import catalogued
from encoders.data.api import DataSet
from encoders.data.catalogued import Catalogued, dataset, main_heading
from encoders.training.duplicates import together
from mappings.errors import DataError

ANIMALS = ("cats", "dogs", "whales", "owls", "ants")


def records(folder: Path, count: int = 100) -> Iterator[Catalogued]:
    """Records of random pictures' hashes; each animal has its heading in two languages, and every record one alone."""
    random = np.random.default_rng(3)
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG")
    (folder / "any.png").write_bytes(buffer.getvalue())
    for number in range(count):
        animal = ANIMALS[number % len(ANIMALS)]
        yield Catalogued(
            f"{number:03}",
            (f"About {animal}, {number}", f"Von {animal}, {number}"),
            (f"{animal} -- Fiction", f"de:{animal}", f"only {number}"),
            folder / "any.png",
            random.integers(0, 256, 8, dtype=np.uint8),
        )


def asking(found: DataSet) -> set[int]:
    return set(found.pairs.records[found.split.query].tolist())


def test_captions_ask_headings_are_learnt_from_alone(tmp_path: Path) -> None:
    found = dataset("index:x", list(records(tmp_path)), seed=1)
    assert len(found.pairs) == 500
    assert found.pairs.labels is not None
    assert found.pairs.labels.shape == (500, 5)  # two languages are one label, what one record has is none
    assert (found.pairs.labels.sum(axis=1) == 1).all()
    captions = {part: set(getattr(found, part).captions) for part in ("query", "database", "train")}
    assert len(captions["query"]) == 40  # of 20 records, two each
    assert len(captions["database"]) == 160
    assert captions["train"] - captions["database"] == {
        heading
        for number in set(range(100)) - asking(found)
        for heading in (
            f"{ANIMALS[number % 5]} -- Fiction",
            f"de:{ANIMALS[number % 5]}",
            f"only {number}",
        )
    }


def test_any_order_of_the_records_gives_the_same_set(tmp_path: Path) -> None:
    found = list(records(tmp_path))
    one, other = dataset("index:x", found, seed=1), dataset("index:x", found[::-1], seed=1)
    assert one.pairs.captions == other.pairs.captions
    assert one.split.query.tolist() == other.split.query.tolist()
    assert asking(dataset("index:x", found, seed=2)) != asking(one)


@pytest.mark.parametrize("seed", range(5))
def test_one_title_and_near_duplicates_stay_together(tmp_path: Path, seed: int) -> None:
    """Records 0 and 1 have one title, 1 and 2 nearly one picture: the three are never parted."""
    found = list(records(tmp_path))
    near = found[1].hash.copy()
    near[0] ^= 3
    found[0] = replace(found[0], captions=("ONE title",))
    found[1] = replace(found[1], captions=("One title",))
    found[2] = replace(found[2], hash=near)
    assert len({0, 1, 2} & asking(dataset("index:x", found, seed=seed))) in (0, 3)


def test_a_group_larger_than_what_may_ask_is_learnt_from(tmp_path: Path) -> None:
    found = list(records(tmp_path))
    series = [replace(one, captions=("Same",)) for one in found[:60]]
    assert min(asking(dataset("index:x", [*series, *found[60:]], seed=0))) >= 60


def test_who_has_no_heading_of_others_does_not_ask(tmp_path: Path) -> None:
    found = [
        replace(one, headings=one.headings if number % 2 else (f"own {number}",))
        for number, one in enumerate(records(tmp_path))
    ]
    assert all(number % 2 for number in asking(dataset("index:x", found, seed=0)))


def test_without_headings_queries_find_their_own_record(tmp_path: Path) -> None:
    found = [replace(one, headings=()) for one in records(tmp_path)]
    made = dataset("index:x", found, seed=0)
    assert made.pairs.labels is None
    assert made.split.database.tolist() == made.split.query.tolist()


def test_too_few_records(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="index:x: 49 records with words and a picture came; 50 at least are needed"):
        dataset("index:x", list(records(tmp_path, 49)), seed=0)


def test_nobody_can_ask(tmp_path: Path) -> None:
    found = [replace(one, captions=("Untitled",)) for one in records(tmp_path)]
    with pytest.raises(DataError, match="index:x: none of 100 records can ask: they hang together by"):
        dataset("index:x", found, seed=0)


def test_captions_of_one_record_have_a_bound(tmp_path: Path) -> None:
    found = [replace(one, captions=(*one.captions, *map(str, range(99)))) for one in records(tmp_path)]
    assert len(dataset("index:x", found, seed=0).pairs) == 100 * (catalogued.CAPTIONS + 3)


def test_main_heading() -> None:
    assert main_heading("Whales -- Fiction") == "whales"
    assert main_heading("Well-being") == "well-being"


def test_together_joins_through_either_grouping() -> None:
    """0 and 1 by the first, 1 and 2 by the second, 4 and 5 by the second; 3 is alone."""
    joined = together(np.array([7, 7, 1, 2, 3, 4]), np.array([0, 1, 1, 2, 9, 9]))
    assert joined[0] == joined[1] == joined[2]
    assert joined[4] == joined[5]
    assert len(set(joined.tolist())) == 3
