"""The error tree: it is what its drawing says, and every error survives the way from a worker to the caller."""

import pickle
import re

import pytest
from celery import Celery

from mappings import errors
from mappings.errors import REASONS, CrosshatchError, EngineRefused, RecordError

ROW = re.compile(r"^(?P<lead>[ │├└─]*)(?P<name>[A-Z]\w+)  .*?(?P<exit>\d+)\s+(?P<http>\d{3}|\(the engine's\))$")
EVERY = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CrosshatchError)]
LEAVES = [kind for kind in EVERY if kind not in (CrosshatchError, EngineRefused, RecordError)]
REFUSED = EngineRefused(400, "mapper_parsing_exception", "failed to parse", "PUT /a/_doc/1")


def drawn() -> list[tuple[int, str, int, str]]:
    """Depth, name, exit code and status of every row of the drawing."""
    rows = [found for line in (errors.__doc__ or "").splitlines() if (found := ROW.match(line.removeprefix("    ")))]
    return [(len(row["lead"]) // 4, row["name"], int(row["exit"]), row["http"]) for row in rows]


def test_the_drawing_is_the_tree() -> None:
    parents = {0: CrosshatchError}
    for depth, name, code, status in drawn():
        kind = getattr(errors, name)
        assert kind.__bases__ == (parents[depth - 1],), name
        assert kind.exit_code == code, name
        if status.isdigit():
            assert kind.status == int(status), name
        parents[depth] = kind
    assert {name for _, name, _, _ in drawn()} == {kind.__name__ for kind in EVERY} - {"CrosshatchError"}


def test_a_reason_outside_the_list_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="unknown reason 'odd'; there are: no-content, picture-missing") as raised:
        RecordError("odd", "x")
    assert not isinstance(raised.value, CrosshatchError)
    assert len(set(REASONS)) == len(REASONS) == 11


def test_an_engines_refusal_says_what_was_asked_and_what_came() -> None:
    said = "OpenSearch refused PUT /a/_doc/1: 400 mapper_parsing_exception: failed to parse"
    assert str(REFUSED) == said
    assert (REFUSED.status, REFUSED.kind, REFUSED.reason) == (400, "mapper_parsing_exception", "failed to parse")


@pytest.mark.parametrize("error", [*(kind("why") for kind in LEAVES), RecordError("gone", "why"), REFUSED], ids=repr)
def test_an_error_leaves_a_worker_as_it_is(error: CrosshatchError) -> None:
    """Pool processes hand errors on pickled, the result store as JSON."""
    backend = Celery(broker="memory://", backend="cache+memory://", set_as_current=False).backend
    stored = backend.exception_to_python(backend.prepare_exception(error, serializer="json"))
    for arrived in (pickle.loads(pickle.dumps(error)), stored):  # noqa: S301 - our own bytes
        assert type(arrived) is type(error)
        assert str(arrived) == str(error)
        assert vars(arrived) == vars(error)
