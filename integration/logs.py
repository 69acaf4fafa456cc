"""Logs of what runs for days: as text, or one JSON object a line; without secrets, and without what records hold.

Messages of ours are written for it. What others log is made safe here: of an exception stay its type and where it
happened, for its message may quote a document; of a URL stays neither user nor query; of a task no argument.
"""

import datetime
import json
import logging
import re
import sys
from typing import Any

LONGEST = 500  # characters of a message
_SECRETS = re.compile(r"(?<=://)[^/\s@'\"]*@|(?<=\?)[^\s'\"<>]*=[^\s'\"<>]*")
_HIDDEN = dict.fromkeys(("traceback", "args", "kwargs", "return_value"), "")
_BODY = "The full contents of the message"  # how Celery goes on where it quotes a message that it does not know
_EXTRAS = ("index", "job", "counts")


def configure(kind: str, level: int) -> None:
    """Let every logger of this process write to standard error, as `text` or `json`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if kind == "json" else Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    pool = logging.getLogger("multiprocessing")  # of billiard, which passes nothing on to the root
    pool.handlers[:], pool.propagate = [handler], False
    for name in ("celery", "kombu", "amqp"):  # at DEBUG they write the arguments of every task
        logging.getLogger(name).setLevel(max(level, logging.INFO))
    logging.captureWarnings(True)


class JsonLines(logging.Formatter):
    """`time`, `level`, `logger`, `event`, and where they are known `index`, `job`, `counts` and `error`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": event(record),
        }
        return json.dumps(line | _extras(record), ensure_ascii=False)


class Text(logging.Formatter):
    """The same for readers."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and one more for each place that an exception came by."""
        extras = {name: value for name, value in _extras(record).items() if name != "error"}
        told = "".join(f" {name}={json.dumps(value, ensure_ascii=False)}" for name, value in extras.items())
        line = f"{_time(record)} {record.levelname} {record.name}: {event(record)}{told}"
        return "\n  ".join([line, *_error(record)])


def event(record: logging.LogRecord) -> str:
    """The message of a log record, made safe."""
    text, args = str(record.msg), record.args
    data = getattr(record, "data", None)
    if isinstance(data, dict):  # of a task, by Celery
        args = {**data, **_HIDDEN, "exc": str(data.get("exc", "")).partition("(")[0]}
    elif isinstance(args, tuple):
        args = tuple(type(arg).__name__ if isinstance(arg, BaseException) else arg for arg in args)
    said = (text % args if args else text).partition(_BODY)[0]
    return _SECRETS.sub("***", " ".join(said.split()))[:LONGEST]


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    extras = {name: getattr(record, name) for name in _EXTRAS if hasattr(record, name)}
    data = getattr(record, "data", None)
    if isinstance(data, dict) and "id" in data:
        extras["task"] = data["id"]
    error = _error(record)
    return extras | ({"error": error} if error else {})


def _error(record: logging.LogRecord) -> list[str]:
    """Type of the exception, and the places it came by, the last ones; neither its words nor lines of source."""
    if not record.exc_info or record.exc_info[1] is None:
        return []
    kind, _, trace = record.exc_info
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return [kind.__name__ if kind else "", *places[-10:]]


def _time(record: logging.LogRecord) -> str:
    return datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat("T", "milliseconds")
