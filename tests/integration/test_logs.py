"""What a log line tells, and what it must not."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest

from integration.cli import follow as following
from integration.logs import JsonLines, Text, configure

SECRET = "xanthippe"
TRACE = logging.getLogger("celery.app.trace")


def raised(text: str) -> logging.LogRecord:
    try:
        raise KeyError(text)
    except KeyError as error:
        return TRACE.makeRecord(TRACE.name, logging.ERROR, "f", 1, "it raised %r", (error,), sys.exc_info())


CONTEXT = {
    "id": "t1",
    "name": "crosshatch.encode_query",
    "exc": f"Retry in 1s: EngineUnavailable('{SECRET}')",
    "traceback": SECRET,
    "args": SECRET,
    "kwargs": SECRET,
    "return_value": SECRET,
    "runtime": 0.5,
    "description": "raised unexpected",
}


def of_celery(form: str) -> logging.LogRecord:
    return TRACE.makeRecord(TRACE.name, logging.INFO, "f", 1, form, (CONTEXT,), None, extra={"data": CONTEXT})


@pytest.mark.parametrize("formatter", [JsonLines(), Text()])
@pytest.mark.parametrize(
    "record",
    [
        raised(SECRET),
        of_celery("Task %(name)s[%(id)s] succeeded in %(runtime)ss: %(return_value)s"),
        of_celery("Task %(name)s[%(id)s] %(description)s: %(exc)s %(traceback)s %(args)s %(kwargs)s"),
        TRACE.makeRecord(TRACE.name, 20, "f", 1, f"at http://u:{SECRET}@h:1/p and redis://:{SECRET}@h", (), None),
        TRACE.makeRecord(TRACE.name, 20, "f", 1, "GET %s failed", (f"https://h/p?key={SECRET}&b=1",), None),
        TRACE.makeRecord(TRACE.name, 20, "f", 1, f"No. The full contents of the message body was:\n{SECRET}", (), None),
    ],
    ids=["exception", "answer", "arguments", "password", "query", "unknown message"],
)
def test_neither_secrets_nor_content(formatter: logging.Formatter, record: logging.LogRecord) -> None:
    line = formatter.format(record)
    assert SECRET not in line
    assert "celery.app.trace" in line


def test_a_line_of_json() -> None:
    record = logging.getLogger("workers.tasks").makeRecord(
        "workers.tasks", 20, "f", 1, "batch\ndone", (), None, extra={"index": "biblios", "job": "j", "counts": {"n": 1}}
    )
    record.created = 0.25
    assert json.loads(JsonLines().format(record)) == {
        "time": "1970-01-01T00:00:00.250+00:00",
        "level": "info",
        "logger": "workers.tasks",
        "event": "batch done",
        "index": "biblios",
        "job": "j",
        "counts": {"n": 1},
    }
    assert Text().format(record) == (
        '1970-01-01T00:00:00.250+00:00 INFO workers.tasks: batch done index="biblios" job="j" counts={"n": 1}'
    )


def test_an_exception_tells_its_kind_and_its_place() -> None:
    error = json.loads(JsonLines().format(raised("x")))["error"]
    assert error[0] == "KeyError"
    assert error[1].endswith(" raised")


def test_a_retry_tells_its_reason() -> None:
    line = json.loads(JsonLines().format(of_celery("Task %(name)s[%(id)s] retry: %(exc)s")))
    assert line["event"] == "Task crosshatch.encode_query[t1] retry: Retry in 1s: EngineUnavailable"
    assert line["task"] == "t1"


@pytest.fixture
def _root() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.mark.usefixtures("_root")
def test_arguments_of_tasks_are_not_logged_at_debug(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", logging.DEBUG)
    logging.getLogger("celery.pool").debug("TaskPool: Apply %s", SECRET)
    logging.getLogger("integration.manners").debug("told")
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "told"


@pytest.mark.usefixtures("_root")
def test_following_logs_its_lines_as_objects(capsys: pytest.CaptureFixture[str]) -> None:
    following._logged("biblios")(f"100% of http://u:{SECRET}@h read")
    line = json.loads(capsys.readouterr().err)
    assert (line["index"], line["event"]) == ("biblios", "100% of http://***h read")
