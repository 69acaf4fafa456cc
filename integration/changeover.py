"""What is known of a change-over from one index to another: kept in the state, so that whatever stops it, the next run
can tell whether it happened, and finish it or clear it away.
"""

import datetime
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from integration import state
from integration.carry import Checkpoints
from integration.engine.client import Cluster, part
from mappings.errors import CrosshatchError, EngineRefused, RequestError, UnknownIndexError

BEAT = 10.0  # seconds between two signs of life
DEAD = 45.0  # seconds without one: the run was killed


@dataclass(slots=True)
class Changeover:
    """From `source` to `target`; `built` tells whether the target was made for it, and may be removed before the swap.

    Once `swapping`, whoever has the alias tells whether the swap happened. `done` and `compared` say up to where the
    source is carried, `before` what the last operation of the target was before the swap.
    """

    base: str
    source: str
    source_uuid: str
    target: str
    target_uuid: str
    built: bool
    phase: Literal["begun", "swapping", "done"] = "begun"
    done: Checkpoints = field(default_factory=dict)
    compared: Checkpoints = field(default_factory=dict)
    before: Checkpoints = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The id of its document: an index has one change-over at a time, whatever its names."""
        return f"beside:{self.base}"

    def save(self, cluster: Cluster, *, guard: dict[str, Any] | None = None) -> None:
        """Write it down. Raises RequestError where another run did so since `guard` was read."""
        state.ensure(cluster)
        document = {
            "kind": "beside",
            "index": self.target,
            "uuid": self.target_uuid,
            "at": _now(),
            "body": asdict(self),
        }
        params = {**(guard or {}), "refresh": "true"}
        try:
            cluster.request("PUT", f"/{state.STATE}/_doc/{part(self.key)}", params=params, body=document)
        except EngineRefused as error:
            if error.status != state.CONFLICT:
                raise
            raise RequestError(f"another run has just begun to rebuild {self.base}; wait for it") from error

    def forget(self, cluster: Cluster) -> None:
        """Drop it."""
        with suppress(UnknownIndexError):
            cluster.request("DELETE", f"/{state.STATE}/_doc/{part(self.key)}", params={"refresh": "true"})

    @contextmanager
    def beating(self, cluster: Cluster) -> Iterator[None]:
        """Say that this run lives, as long as the block runs."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(BEAT):
                with suppress(CrosshatchError):  # the next beat will do
                    body = {"doc": {"at": _now()}}
                    cluster.request("POST", f"/{state.STATE}/_update/{part(self.key)}", body=body)

        heart = threading.Thread(target=beat, daemon=True)
        heart.start()
        try:
            yield
        finally:
            over.set()
            heart.join()

    @classmethod
    def read(cls, cluster: Cluster, base: str) -> tuple[Self | None, dict[str, Any]]:
        """The last change-over of an index, and the guard for writing the next one.

        Raises RequestError where a run that is not done gave a sign of life a moment ago.
        """
        try:
            answer = cluster.request("GET", f"/{state.STATE}/_doc/{part(f'beside:{base}')}")
        except UnknownIndexError:
            return None, {"op_type": "create"}
        except EngineRefused as error:
            if error.status != 404:
                raise
            return None, {"op_type": "create"}
        body = answer["_source"]["body"]
        for name in ("done", "compared", "before"):
            body[name] = {int(shard): last for shard, last in body[name].items()}
        age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(answer["_source"]["at"])
        if body["phase"] != "done" and age.total_seconds() < DEAD:
            raise RequestError(
                f"another run rebuilds {base} (a sign of life {age.total_seconds():.0f} s ago); wait for it, or for "
                f"{DEAD:.0f} s after it was killed"
            )
        return cls(**body), {"if_seq_no": answer["_seq_no"], "if_primary_term": answer["_primary_term"]}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
