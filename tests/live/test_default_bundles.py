"""The shipped bundles, fitted again from the data folder beside the checkout. No engine is started."""

from pathlib import Path

import numpy as np
import pytest

from encoders import catalogue
from encoders.loading import bundle_head
from encoders.polyglot import Languages
from encoders.training import default, languages, shipped, sources
from encoders.training.fit import align, hashed
from tests.sources import PROJECT

DATA = PROJECT.parent / "shared" / "data"


@pytest.fixture(scope="module")
def readers() -> languages.Readers:
    """Both text towers. Skips where the sources are not at hand."""
    if not all((DATA / name).is_dir() for name in default.TRAINED):
        pytest.skip(f"{DATA} does not hold {', '.join(default.TRAINED)}")
    return default.readers(default.towers())


@pytest.fixture(scope="module")
def study(readers: languages.Readers) -> default.Study:
    """The training sources. Skips where minutes of extraction would come first."""
    extractor = default.towers()
    words = languages.words(languages.RECIPE)
    if not readers.remembers(words) or not all(
        extractor.remembers(sources.read(name, DATA)) for name in default.TRAINED
    ):
        pytest.skip("the sources' features are not cached; `make bundle` extracts them")
    return default.gathered(extractor, DATA, PROJECT / "integration/demo/pictures.txt")


def test_two_fits_give_one_digest_and_the_shipped_codes(
    study: default.Study, readers: languages.Readers, tmp_path: Path
) -> None:
    learning, checking = default.split(study)
    train = learning.pairs(default.TRAINED)
    named = default.spoken(readers, study, DATA)
    told = shipped.origins(learning.collections, named)
    parts = list(checking.collections.values())
    digests, heads, fits = set(), [], []
    for number in range(2):
        heads.append(hashed(align(train, study.classes, default.RECIPE), train, bits=128, recipe=default.RECIPE))
        fits.append(languages.fit(named))
        tables = shipped.calibration(heads[-1], parts, 128)
        model = shipped.described(default.towers(), readers, tables, told, [], recipe=default.RECIPE, bits=128)
        digests.add(shipped.written(tmp_path / str(number), model, heads[-1], fits[-1]).model.digest)
    assert len(digests) == 1
    bundle = catalogue.bundle("default-128", data=tmp_path)
    shipped_head, made = bundle_head(bundle), heads[0]
    captions, pictures = (np.concatenate([getattr(part, name) for part in parts]) for name in ("caption", "picture"))
    differing = [
        (head_bits > 0) != (own > 0)
        for head_bits, own in (
            (shipped_head.relax_text(shipped_head.text(captions)), made.relax_text(made.text(captions))),
            (shipped_head.relax_image(shipped_head.image(pictures)), made.relax_image(made.image(pictures))),
        )
    ]
    assert np.mean(differing) <= 0.001  # on the machine that made them 0; elsewhere features round otherwise
    read = Languages.of(bundle.languages())
    own, other = named.names["fr"]
    assert np.mean(read.foreign(own) != fits[0].foreign(own)) <= 0.001
    french = [shipped_head.relax_text(shipped_head.text(fitted.across(other))) > 0 for fitted in (read, fits[0])]
    assert np.mean(french[0] != french[1]) <= 0.001
