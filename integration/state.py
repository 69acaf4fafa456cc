"""What Crosshatch knows of each attached index, kept in the hidden index `.crosshatch-state`.

One document an attached index (kind `index`), one a noted profile (kind `profile`), one a problem (see `problems`).
Every change is guarded by `if_seq_no`: two commands at once cannot overwrite each other.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from integration.engine.client import Cluster, part
from mappings.bands import Banding
from mappings.errors import EngineRefused, NotAttachedError, RequestError, UnknownIndexError
from mappings.profile import TargetProfile

STATE = ".crosshatch-state"
_MAPPING = {
    "settings": {"index": {"hidden": True, "number_of_shards": 1, "auto_expand_replicas": "0-1"}},
    "mappings": {
        "dynamic": False,
        "properties": {name: {"type": "keyword"} for name in ("kind", "index", "uuid", "space", "reason", "record")}
        | {"failed": {"type": "boolean"}, "at": {"type": "date"}},
    },
}
CONFLICT = 409


@dataclass(frozen=True, slots=True)
class Learnt:
    """From what the bands of a space were learnt: so many documents of the index, so many of their codes.

    `recall` is what the bands find of the nearest, by name, once that was measured.
    """

    documents: int
    codes: int
    recall: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Bundle:
    """The encoder of a space: how to load it, and what its codes are. `was_active`: activating it is a rollback.

    `bands` are those that every document with codes has, so that searches may use them; `filling` those that all writes
    carry already. `vectors` is the engine of those for the k-NN plugin, which all writes carry; every document has them
    where they are `vectors_ready`. `part_weights` multiply the similarities of stored parts; 1 for those left out.
    """

    reference: str
    name: str
    bits: int
    digest: str
    was_active: bool = False
    bands: Banding | None = None
    filling: Banding | None = None
    learnt: Learnt | None = None
    part_weights: Mapping[str, float] = field(default_factory=dict)
    vectors: str | None = None
    vectors_ready: bool = False

    @property
    def cut(self) -> Banding | None:
        """The bands that every write carries."""
        return self.filling or self.bands

    def listed(self) -> dict[str, Any]:
        """As JSON, for the state."""
        return {
            **{name: getattr(self, name) for name in ("reference", "name", "bits", "digest", "was_active")},
            **{name: bands.listed() for name in ("bands", "filling") if (bands := getattr(self, name))},
            **({"learnt": asdict(self.learnt)} if self.learnt else {}),
            **{name: held for name in ("part_weights", "vectors", "vectors_ready") if (held := getattr(self, name))},
        }

    @classmethod
    def read(cls, listed: Mapping[str, Any]) -> Self:
        """What `listed` wrote, now or before there were bands."""
        bands = {name: Banding.read(listed[name]) for name in ("bands", "filling") if name in listed}
        learnt = listed.get("learnt")
        told = learnt and Learnt(learnt["documents"], learnt["codes"], tuple(map(tuple, learnt["recall"])))
        return cls(**{**listed, **bands, "learnt": told})


@dataclass(frozen=True, slots=True)
class Weights:
    """Settings of an index's fused score: w, c, k and the least similarity of the design."""

    weight: float = 0.5
    saturation: float = 8.0
    k: int = 100
    min_similarity: float = 0.0


@dataclass(frozen=True, slots=True)
class Attached:
    """An index that Crosshatch is attached to. `space` is the active one; `spaces` holds every bundle by space.

    `store_name` names the code store where it is not the index's own: that of the index this one took over from.
    `called` is the alias that the administrator used for it, if it was one; `final_pipeline` tells that he allowed one.
    """

    index: str
    uuid: str
    space: str
    spaces: Mapping[str, Bundle]
    profile: TargetProfile
    secret: str
    settings: Weights = Weights()
    version: tuple[int, int] | None = None  # if_seq_no and if_primary_term of the document read
    store_name: str | None = None
    called: str | None = None
    final_pipeline: bool = False

    @property
    def bundle(self) -> Bundle:
        """The bundle of the active space."""
        return self.spaces[self.space]

    @property
    def alias(self) -> str:
        """The hidden alias that every write goes to: it dies with the index."""
        return f"crosshatch-w-{self.uuid}"

    @property
    def store(self) -> str:
        """The hidden index of this index's code store; it outlives a rebuild, whatever the new index is called."""
        return self.store_name or f".crosshatch-codes-{hashlib.sha256(self.index.encode()).hexdigest()[:16]}"

    def taken_over(self, index: str, uuid: str, version: tuple[int, int] | None) -> "Attached":
        """The state of an index that goes on from this one: spaces, profile, secret and code store stay."""
        store = self.store_name if index == self.index else self.store
        return replace(self, index=index, uuid=uuid, version=version, store_name=store)

    def in_space(self, space: str) -> "Attached":
        """The same index seen through another of its spaces. Raises RequestError listing the known ones."""
        if space not in self.spaces:
            raise RequestError(f"index {self.index} has no space {space!r}; there are: {', '.join(self.spaces)}")
        return replace(self, space=space)


def concrete(cluster: Cluster, name: str) -> tuple[str, str]:
    """Name and UUID of the one index behind `name`. Raises UnknownIndexError, or RequestError for several."""
    if not name or any(sign in name for sign in "*,<>"):
        raise RequestError(f"{name!r} came; one index or alias was expected, without wildcards")
    found = cluster.request("GET", f"/{part(name)}/_settings", params={"filter_path": "*.settings.index.uuid"})
    if not found:
        raise UnknownIndexError(f"no index {name!r} in the cluster")
    if len(found) > 1:
        raise RequestError(f"{name} stands for {len(found)} indices ({', '.join(sorted(found))}); name one of them")
    [(index, answer)] = found.items()
    return index, str(answer["settings"]["index"]["uuid"])


def attached(cluster: Cluster, name: str) -> Attached:
    """What is known of index or alias `name`. Raises NotAttachedError with the command that helps."""
    index, uuid = concrete(cluster, name)
    known = by_name(cluster, index)
    if known is None:
        raise NotAttachedError(f"index {index} is not attached; run `crosshatch attach {index}` first")
    if known.uuid != uuid:
        raise NotAttachedError(
            f"index {index} was dropped and made anew since it was attached; run `crosshatch update {index}`, "
            "or attach it again: its codes come back from the code store"
        )
    return known


def by_name(cluster: Cluster, index: str) -> Attached | None:
    """The state of the concrete index `index`, rebuilt or not; None where there is none."""
    answer = get(cluster, f"index:{index}")
    if answer is None:
        return None
    return _attached(answer)


def every(cluster: Cluster) -> list[Attached]:
    """All that is attached, indices that are gone included."""
    body = {"size": 10_000, "query": {"term": {"kind": "index"}}, "seq_no_primary_term": True, "sort": ["index"]}
    try:
        return [_attached(hit) for hit in cluster.request("POST", f"/{STATE}/_search", body=body)["hits"]["hits"]]
    except UnknownIndexError:
        return []


def predecessor(cluster: Cluster, name: str, index: str) -> Attached | None:
    """What the concrete `index` behind `name` goes on from: its own entry, that of an index that was called so, or of
    the one that `name` meant before its owner moved the alias.
    """
    own = by_name(cluster, index)
    if own or name == index:
        return own
    return by_name(cluster, name) or next((known for known in every(cluster) if known.called == name), None)


def _attached(answer: Mapping[str, Any]) -> Attached:
    body = answer["_source"]["body"]
    return Attached(
        index=body["index"],
        uuid=body["uuid"],
        space=body["space"],
        spaces={name: Bundle.read(bundle) for name, bundle in body["spaces"].items()},
        profile=TargetProfile.model_validate(body["profile"]),
        secret=body["secret"],
        settings=Weights(**body["settings"]),
        version=(answer["_seq_no"], answer["_primary_term"]),
        store_name=body.get("store"),
        called=body.get("called"),
        final_pipeline=body.get("final_pipeline", False),
    )


def save(cluster: Cluster, known: Attached) -> None:
    """Write the state of an index. Raises RequestError where somebody else changed it since it was read."""
    body = {
        "index": known.index,
        "uuid": known.uuid,
        "space": known.space,
        "spaces": {name: bundle.listed() for name, bundle in known.spaces.items()},
        "profile": known.profile.model_dump(mode="json"),
        "secret": known.secret,
        "store": known.store_name,
        "called": known.called,
        "final_pipeline": known.final_pipeline,
        "settings": {s: getattr(known.settings, s) for s in Weights.__slots__},
    }
    document = {"kind": "index", "index": known.index, "uuid": known.uuid, "body": body}
    _put(cluster, f"index:{known.index}", document, known.version)


def forget(cluster: Cluster, known: Attached) -> None:
    """Drop the state of an index."""
    seq_no, term = known.version or (0, 0)
    guard = {"if_seq_no": seq_no, "if_primary_term": term, "refresh": "true"}
    cluster.request("DELETE", f"/{STATE}/_doc/{part(f'index:{known.index}')}", params=guard)


def note_profile(cluster: Cluster, index: str, profile: str) -> None:
    """Note the shipped profile that fits `index`, for `attach` without `--target`."""
    put(cluster, f"profile:{index}", {"kind": "profile", "index": index, "body": {"profile": profile}})


def noted_profile(cluster: Cluster, index: str) -> str | None:
    """The profile noted for `index`, if any."""
    answer = get(cluster, f"profile:{index}")
    return answer["_source"]["body"]["profile"] if answer else None


def note_store(cluster: Cluster, known: Attached) -> None:
    """Note what opens the code store of an index that is let go: without the secret its codes are found by nobody."""
    body = {"secret": known.secret, "store": known.store}
    put(cluster, f"store:{known.index}", {"kind": "store", "index": known.index, "body": body})


def noted_store(cluster: Cluster, index: str) -> tuple[str, str] | None:
    """Secret and name of the code store that a detached index left behind, if any."""
    answer = get(cluster, f"store:{index}")
    return (answer["_source"]["body"]["secret"], answer["_source"]["body"]["store"]) if answer else None


def ensure(cluster: Cluster) -> None:
    """Make the state index where there is none yet."""
    if not cluster.exists(f"/{STATE}"):
        try:
            cluster.request("PUT", f"/{STATE}", body=_MAPPING)
        except EngineRefused as error:
            if error.kind != "resource_already_exists_exception":
                raise


def get(cluster: Cluster, key: str) -> Any:
    """The engine's answer for one document of the state, read in real time; None where there is none."""
    try:
        return cluster.request("GET", f"/{STATE}/_doc/{part(key)}")
    except UnknownIndexError:
        return None
    except EngineRefused as error:
        if error.status == 404:
            return None
        raise


def put(cluster: Cluster, key: str, document: dict[str, Any]) -> None:
    """Write one document of the state, whatever is there."""
    _put(cluster, key, document, None, again=True)


def _put(
    cluster: Cluster, key: str, document: dict[str, Any], version: tuple[int, int] | None, *, again: bool = False
) -> None:
    ensure(cluster)
    guard: dict[str, Any] = {} if again else {"op_type": "create"}
    if version:
        guard = {"if_seq_no": version[0], "if_primary_term": version[1]}
    try:
        cluster.request("PUT", f"/{STATE}/_doc/{part(key)}", params={**guard, "refresh": "true"}, body=document)
    except EngineRefused as error:
        if error.status == CONFLICT:
            raise RequestError(f"the state of {key} was changed by another command meanwhile; run it again") from error
        raise
