"""A fitted method as what is kept of it: a bundle where it has backbones, else the method alone."""

import hashlib
import tempfile
from pathlib import Path

import msgspec
import numpy as np

from encoders import bundle
from encoders.api import PARTS
from encoders.bundle import Bundle, Model
from encoders.data.api import DataSet, Pairs, Rows
from encoders.evaluation.coding import Coder, HeadCoder, coded
from encoders.evaluation.protocol import measured
from encoders.method_head import MethodHead
from encoders.methods import keeping
from encoders.methods.method import Method
from encoders.training.calibration import tables
from encoders.training.material import Material
from encoders.training.validation import LEAST
from mappings.code import pack_signs

FIGURES = ("map", "hit@10")  # of all that `evaluate` measures
Document = dict[str, object]


def write_bundle(out: Path, method: Method, material: Material, backbones: Bundle, *, licence: str) -> Bundle:
    """Write the bundle `out`: calibrated on the pairs held out, measured on the queries.

    The codes that training gave its pairs are kept only where it had all of them: `evaluate` counts on that.
    """
    tensors = {name: array.astype(np.float32) for name, array in method.learnt.items()}
    rounded = keeping.rebuilt(out, method.name, method.parameters, tensors)  # as it will be read again
    head = MethodHead(rounded, "none")  # the material's pictures are prepared
    pairs = material.dataset.pairs
    model = Model(
        schema=bundle.SCHEMA,
        method=method.name,
        name=out.name,
        bits=method.bits,
        parts=list(PARTS),
        text=backbones.model.text,
        image=backbones.model.image,
        head={"parameters": method.parameters, "preparation": material.preparation},
        calibration=calibration(head, pairs.take(material.checking)) if len(material.checking) else {},
        permutation=None,
        trained_on=[_told(pairs.take(material.learning), licence)],
        licence=licence,
        results=results(HeadCoder(head, method.bits), material.dataset),
        multilingual=backbones.model.multilingual,
    )
    return bundle.write(
        out,
        model,
        tensors,
        languages=backbones.languages(),
        training_codes=method.training_codes if material.whole else None,
    )


def write_method(out: Path, method: Method) -> str:
    """Keep a method on features as the folder `out`, whole or not at all. -> its digest"""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        draft = Path(scratch) / out.name
        keeping.save(method, draft)
        draft.rename(out)
    return str(msgspec.json.decode((out / bundle.MODEL).read_bytes())["digest"])


def results(coder: Coder, dataset: DataSet) -> list[Document]:
    """MAP and hit rate at 10 in every direction, with interval and chance; queries and database are the set's own."""
    pairs = dataset.pairs
    return [
        {
            "source": dataset.name,
            "direction": name,
            "relevant": "the paired record" if pairs.labels is None else "shares a label",
            "figure": figure,
            "value": round(found.figures[figure].value, 6),
            "low": round(found.figures[figure].low, 6),
            "high": round(found.figures[figure].high, 6),
            "chance": round(found.figures[figure].chance, 6),
            "queries": found.queries,
            "database": found.database,
        }
        for name, found in measured(dataset, coded(coder, pairs)).items()
        for figure in FIGURES
        if figure in found.figures
    ]


def calibration(head: MethodHead, pairs: Pairs) -> dict[str, list[float]]:
    """Tables from pairs that the head has not learnt from, one of each record; none where they are too few."""
    rows = _once(pairs.records)
    if len(rows) < LEAST:
        return {}
    images, texts = pairs.take(rows).features()
    said, seen = head.text(texts), head.image(images)
    relaxed = {
        "text": head.relax_text(said),
        "image": head.relax_image(seen),
        "record": head.relax_record(said, seen),
    }
    packed = {part: pack_signs(codes) for part, codes in relaxed.items()}
    return tables(packed, packed, head.bits)


def _once(records: Rows) -> Rows:
    return np.sort(np.unique(records, return_index=True)[1])


def _told(pairs: Pairs, licence: str) -> Document:
    """The digest is over the features: the same content by the same backbones gives it again."""
    state = hashlib.sha256()
    for side in pairs.features():
        state.update(np.ascontiguousarray(side).tobytes())
    return {
        "source": pairs.name,
        "items": len(pairs),
        "records": len(_once(pairs.records)),
        "licence": licence,
        "features_sha256": state.hexdigest(),
    }
