"""Judgments and clicks as files say them, and the words with which wrong lines are refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from integration.tuning.judgments import Clicks, Judged, Query, grades_of, judged, read
from mappings.errors import RequestError

CATS = Query(text="cats")


def said(*lines: Any) -> Judged:
    return judged([line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines], "j.jsonl")


def clicks(shown: str, clicked: str) -> Clicks:
    return Clicks(query=CATS, shown=tuple(shown), clicked=tuple(clicked))


def test_judgments_of_a_query_are_brought_together() -> None:
    cover = {"image": "cover.jpg", "text": "cats"}
    known = said(
        {"query": "cats", "record": "a", "grade": 2},
        {"query": cover, "record": "a", "grade": 1},
        b"",
        {"query": {"text": "cats"}, "record": "b", "grade": 0},
        {"query": "cats", "record": "a", "grade": 2},
    )
    first, second = known.topics
    assert (first.query, first.line, first.grades, first.lines) == (CATS, 1, {"a": 2, "b": 0}, {"a": 1, "b": 4})
    assert (second.query.image, second.line, second.clicked, known.silent) == ("cover.jpg", 2, False, 0)


def test_a_click_is_preferred_to_what_was_passed_over_above_it() -> None:
    """Joachims' own example: of seven links the first, third and seventh are clicked."""
    assert clicks("1234567", "137").preferences() == [
        ("3", "2"), ("7", "2"), ("7", "4"), ("7", "5"), ("7", "6"),
    ]  # fmt: skip


def test_a_click_on_the_first_says_nothing_and_nor_does_what_stands_below_the_last() -> None:
    assert grades_of([clicks("abcd", "ac")]) == {"c": 1.0, "b": 0.0}
    assert grades_of([clicks("abcd", "a")]) == {}


def test_readers_who_disagree_are_counted() -> None:
    """b is preferred to a twice, a to b once; c is preferred to a and to b and passed over once."""
    three = [clicks("abc", "b"), clicks("abc", "bc"), clicks("ba", "a"), clicks("cb", "b")]
    assert grades_of(three) == {"a": 0.0, "b": 1.0, "c": 0.0}


def test_queries_whose_clicks_say_nothing_are_counted_and_left_out() -> None:
    known = said(
        {"query": "cats", "shown": ["a", "b"], "clicked": ["b"]},
        {"query": "dogs", "shown": ["a", "b"], "clicked": ["a"]},
        {"query": "cows", "shown": ["a"], "clicked": []},
        {"query": "cats", "record": "a", "grade": 1},
    )
    assert [(topic.query.text, topic.clicked, topic.grades) for topic in known.topics] == [
        ("cats", False, {"a": 1}),
        ("cats", True, {"b": 1, "a": 0}),
    ]
    assert known.silent == 2


GOOD = {"query": "cats", "record": "a", "grade": 1}
REFUSED: dict[str, tuple[Any, str]] = {
    "no json": (b"{", "line 2: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    "no text": (b'"\xff"', "line 2: 'utf-8' codec can't decode byte 0xff in position 1: invalid start byte"),
    "no object": ([], "line 2: no JSON object; expected query, record and grade, or query, shown and clicked"),
    "a reader": ({**GOOD, "user": "u1"}, "line 2: user: Extra inputs are not permitted"),
    "no grade": ({"query": "cats", "record": "a"}, "line 2: grade: Field required"),
    "a grade": ({**GOOD, "grade": 11}, "line 2: grade: Input should be less than or equal to 10"),
    "grade as text": ({**GOOD, "grade": "1"}, "line 2: grade: Input should be a valid number"),
    "another grade": (
        {**GOOD, "grade": 0},
        "line 2: record 'a' has grade 0, and 1 in line 1; give it one",
    ),
    "nothing asked": (
        {**GOOD, "query": {}},
        "line 2: query: the query has no words, no picture and no record that hits are like; give one of them",
    ),
    "blank": (
        {**GOOD, "query": " "},
        "line 2: query: the query has no words, no picture and no record that hits are like; give one of them",
    ),
    "itself": (
        {**GOOD, "query": {"like": "a"}},
        "line 2: record 'a' is the one that hits are like, and so no hit; judge another",
    ),
    "no relevant record": (
        {"query": "dogs", "record": "a", "grade": 0},
        "line 2: no record is relevant (grade above 0) to text 'dogs'",
    ),
    "not shown": (
        {"query": "cats", "shown": ["a"], "clicked": ["b"]},
        "line 2: clicked has 'b', which is not in shown; expected records that were shown",
    ),
    "shown twice": (
        {"query": "cats", "shown": ["a", "a"], "clicked": []},
        "line 2: shown names a record twice; give each its one place",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_line_is_named(name: str) -> None:
    line, message = REFUSED[name]
    with pytest.raises(RequestError) as refused:
        said(GOOD, line)
    assert str(refused.value) == f"j.jsonl: {message}"


def test_of_many_wrong_lines_the_first_are_named() -> None:
    with pytest.raises(RequestError, match=r"^j.jsonl: line 1: .*; line 2: .*; line 5: [^;]*; [^;]*; and 3 more$"):
        said(*[[]] * 8)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"gone.jsonl cannot be read: No such file or directory"):
        read(tmp_path / "gone.jsonl")
