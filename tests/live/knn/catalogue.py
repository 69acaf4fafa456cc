"""A catalogue of clustered codes on the node with plugins, and what both sides of a comparison ask of it."""

import random
from dataclasses import dataclass

import msgspec

from integration.engine.client import Cluster, part
from integration.search import abilities
from integration.search.asking import final_body
from integration.search.hits import Hit, read_hits, read_total
from integration.search.plan import SearchPlan, Target
from integration.search.scripts import ensure_scripts
from mappings import vectors
from mappings.code import HashCode
from mappings.fields import PARTS, StoredCodes, space_mapping

BITS = 128
RECORDS = 1500
CLUSTERS = 60
FLIPPED = 12  # bits that a member of a cluster has turned over
WORDS = ("cat", "dog", "red", "house", "sea", "old", "tree", "song")
LINEAR = tuple(1 - d / BITS for d in range(BITS + 1))
CATALOGUE = {
    "dynamic": "strict",
    "properties": {"title": {"type": "text"}, "shelf": {"type": "keyword"}, "price": {"type": "double"}},
}
NAME = "test-knn"
TARGET = Target(NAME, "s", {(q, s): LINEAR for q in PARTS for s in PARTS}, ("title",), "title")


def near(code: HashCode, rng: random.Random, flipped: int = FLIPPED) -> HashCode:
    """A code that differs in at most `flipped` bits."""
    number = int.from_bytes(code.packed)
    for _ in range(flipped):
        number ^= 1 << rng.randrange(BITS)
    return HashCode(BITS, number.to_bytes(BITS // 8))


def random_code(rng: random.Random) -> HashCode:
    """A code that is near to no other."""
    return HashCode(BITS, rng.randbytes(BITS // 8))


@dataclass(frozen=True, slots=True)
class Collection:
    """What was indexed: the codes and the document of each record, and codes that lie among them."""

    codes: dict[str, StoredCodes]
    documents: dict[str, bytes]
    queries: list[HashCode]


def collection() -> Collection:
    """Records with and without codes, one in nine with more pictures than there are vectors for; one shelf is small."""
    rng = random.Random(7)
    centres = [random_code(rng) for _ in range(CLUSTERS)]
    codes, documents = {}, {}
    for number in range(RECORDS):
        centre = centres[number % CLUSTERS]
        text, both = (near(centre, rng) if rng.random() < 0.9 else None for _ in range(2))
        pictures = tuple(
            (n, near(centre, rng)) for n in range(rng.choice((0, 0, 1, 1, 1, 1, 2, 3, vectors.PICTURES + 2)))
        )
        stored = codes[f"r{number}"] = StoredCodes(text, pictures, both)
        title, shelf = " ".join(rng.choices(WORDS, k=2)), "rare" if number % 100 == 0 else "open"
        documents[f"r{number}"] = b'{"price": 813.50, "title":"%s","shelf":"%s","crosshatch":%s,"_crosshatch":%s}' % (
            title.encode(),
            shelf.encode(),
            msgspec.json.encode({"s": stored.members()}),
            msgspec.json.encode({"s": vectors.members(stored)}),
        )
    return Collection(codes, documents, [near(rng.choice(centres), rng) for _ in range(12)])


def create(cluster: Cluster, name: str = NAME, shards: int = 2) -> None:
    """An index that can hold vectors, attached as far as a search needs it."""
    settings = {**vectors.SETTINGS, "index.number_of_shards": shards, "index.number_of_replicas": 0}
    cluster.request("PUT", f"/{part(name)}", body={"settings": settings, "mappings": CATALOGUE})


def add_fields(cluster: Cluster, name: str = NAME) -> None:
    """Our fields and vectors, by the engine that this cluster can use."""
    engine = abilities.read(cluster).knn_engines[0]
    cluster.request("PUT", f"/{part(name)}/_mapping", body=space_mapping("s"))
    cluster.request("PUT", f"/{part(name)}/_mapping", body=vectors.space_mapping("s", BITS, engine))
    ensure_scripts(cluster)


def write(cluster: Cluster, records: Collection, name: str = NAME) -> None:
    """Every document, by bulk requests."""
    ids = list(records.documents)
    for start in range(0, len(ids), 500):
        lines = (
            b'{"index":{"_id":"%s"}}\n%s\n' % (record.encode(), records.documents[record])
            for record in ids[start : start + 500]
        )
        assert not cluster.bulk(f"/{part(name)}", b"".join(lines))["errors"]
    cluster.request("POST", f"/{part(name)}/_refresh")


def found(cluster: Cluster, searched: SearchPlan) -> tuple[tuple[Hit, ...], int]:
    """The hits and the total of a plan, asked as a search asks."""
    body = final_body(cluster, searched)
    answer = cluster.request("POST", f"/{part(searched.index)}/_search", params=searched.params, body=body)
    return read_hits(answer, searched, "title"), read_total(answer, searched)
