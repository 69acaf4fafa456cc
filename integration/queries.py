"""The code of a query: from a running worker, or in this process where none answers."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from celery.exceptions import TimeoutError as NoAnswer
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from encoders.api import Codes, Encoder, Item
from integration import jobs
from integration.settings import Settings
from integration.state import Bundle
from mappings.code import HashCode
from mappings.errors import BrokerUnavailable, BundleError, RecordError, RequestError, WorkerUnavailable
from mappings.weighted import WeightedCode

ANSWER = 10.0  # seconds: a worker may be in the middle of a batch
PING = 0.5


@dataclass(frozen=True, slots=True)
class QueryCodes:
    """The codes of a query by part, `text` and `image`, with weights where their encoder gives some (WeightedCode).

    `by` says who encoded it: `worker` or `process`.
    """

    codes: Mapping[str, HashCode]
    by: str


def encode_by_worker(item: Item, bundle: Bundle, _: Settings, broker_url: str | None) -> QueryCodes:
    """As `encode_query`, by a worker alone: no model is loaded here. Raises WorkerUnavailable where none answers."""
    answer = _from_worker(item, bundle, broker_url) if broker_url else None
    if answer is None:
        raise WorkerUnavailable("no worker encoded the query in time; start one with `crosshatch worker`, or try again")
    return _read(answer, "worker")


def encode_query(item: Item, bundle: Bundle, settings: Settings, broker_url: str | None) -> QueryCodes:
    """Encode a query with the bundle of the index it is for. Raises RequestError for a picture that cannot be read."""
    answer = _from_worker(item, bundle, broker_url) if broker_url else None
    by = "worker" if answer is not None else "process"
    if answer is None:
        answer = _in_process(item, bundle, settings)
    return _read(answer, by)


def _read(answer: Mapping[str, Any], by: str) -> QueryCodes:
    codes = codes_of(answer)
    if not codes:
        raise RequestError("the query holds neither words nor a picture; give --text, --image or --like")
    return QueryCodes(codes, by)


def codes_of(answer: Mapping[str, Any]) -> dict[str, HashCode]:
    """The codes by part that `answer_of` wrote. Raises RequestError for a picture that cannot be read.

    A worker of an older release answers without weights.
    """
    if answer["problem"]:
        raise RequestError(f"the query's picture cannot be used: {answer['problem']}")
    weights = answer.get("weights", {})
    codes = {part: HashCode.from_base64(value) for part, value in answer["codes"].items()}
    return {
        part: WeightedCode.weighing(code, weights[part]) if part in weights else code for part, code in codes.items()
    }


def answer_of(codes: Codes) -> dict[str, Any]:
    """What a worker answers: base64 codes and weights by part, and the first picture's problem if it has one."""
    problem: RecordError | None = next(iter(codes.problems.values()), None)
    image = next((code for code in codes.image if code), None)
    found = {"text": codes.text, "image": image}
    return {
        "codes": {part: code.base64() for part, code in found.items() if code},
        "weights": {part: code.weights_base64() for part, code in found.items() if isinstance(code, WeightedCode)},
        "problem": str(problem) if problem else None,
    }


def _from_worker(item: Item, bundle: Bundle, broker_url: str) -> dict[str, Any] | None:
    """The answer of a worker; None where no worker answers in time."""
    try:
        jobs.check_broker(broker_url)
        app = jobs.queue_app(broker_url)
        if not jobs.live_workers(app, timeout=PING, enough=1):
            return None
        pictures = [base64.b64encode(picture).decode() for picture in item.pictures]
        arguments = {"reference": bundle.reference, "digest": bundle.digest, "text": item.text, "pictures": pictures}
        result = app.send_task(jobs.ENCODE_QUERY, kwargs=arguments, retry=False, expires=ANSWER)
        answer: dict[str, Any] = result.get(timeout=ANSWER, propagate=False)
        return answer if result.successful() else None
    except (BrokerUnavailable, OperationalError, RedisError, NoAnswer):
        return None


@lru_cache(maxsize=1)
def _loaded(reference: str, device: str, data: Path, max_pixels: int) -> Encoder:
    """Kept for the next query: loading takes seconds."""
    from encoders.loading import load  # torch is loaded only where no worker answers

    return load(reference, device=device, data=data, max_pixels=max_pixels)


def _in_process(item: Item, bundle: Bundle, settings: Settings) -> dict[str, Any]:
    encoder = _loaded(bundle.reference, settings.device, settings.data, settings.picture_max_pixels)
    if encoder.card.digest != bundle.digest:
        raise BundleError(
            f"encoder {bundle.reference} has digest {encoder.card.digest[:12]} here, but the index was attached with "
            f"{bundle.digest[:12]}; codes of two encoders cannot be compared: install the release that attached it"
        )
    return answer_of(encoder.encode_query(item))
