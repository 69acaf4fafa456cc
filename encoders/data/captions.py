"""Flickr30K (Young et al., TACL 2014) and MS COCO (Lin et al., ECCV 2014): photographs with five sentences each.

`dataset_flickr30k.json` or `dataset_coco.json` with the split of Karpathy and Fei-Fei (CVPR 2015), and the pictures
beside it, in `images/`, or for COCO in `train2014/` and `val2014/`. The test pictures ask and are searched (1,000 and
5,000); `train` and `restval` are learnt from; `val` takes no part. Each sentence is one pair, its picture the record.
"""

from pathlib import Path

import numpy as np

from encoders.data import files
from encoders.data.api import DataSet, Pairs, Split
from encoders.data.published import Sizes, checked, sizes
from encoders.data.raw import Files
from mappings.errors import DataError

PUBLISHED = {
    "flickr30k": Sizes(pairs=155_070, labels=0, query=5000, database=5000, train=145_000),
    "mscoco": Sizes(pairs=616_767, labels=0, query=25_010, database=25_010, train=566_747),
}
LISTS = {"flickr30k": "dataset_flickr30k.json", "mscoco": "dataset_coco.json"}
SPLITS = ("train", "restval", "val", "test")


def read(folder: Path, *, seed: int, name: str) -> DataSet:
    """The split is published: `seed` changes nothing."""
    path = files.needed(folder, name, LISTS[name])
    entries = _entries(path)
    records = np.repeat(np.arange(len(entries)), [len(entry[2]) for entry in entries])
    pictures = [_place(folder, entry[0]) for entry in entries]
    parts = np.array([entry[1] for entry in entries])[records]
    pairs = Pairs(
        name,
        pictures=Files.of(name, [pictures[record] for record in records]),
        captions=[sentence for entry in entries for sentence in entry[2]],
        records=records,
    )
    query, train = np.flatnonzero(parts == "test"), np.flatnonzero(np.isin(parts, SPLITS[:2]))
    return checked(DataSet(pairs, Split(query, query, train)), sizes(folder, PUBLISHED[name]))


def _entries(path: Path) -> list[tuple[str, str, list[str]]]:
    """File, part and sentences of each picture. Raises DataError where the JSON is of another form."""
    try:
        entries = [
            (
                str(Path(str(image.get("filepath", ""))) / image["filename"]),
                str(image["split"]),
                [str(sentence["raw"]) for sentence in image["sentences"]],
            )
            for image in files.document(path)["images"]  # type: ignore[index]
        ]
    except (TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{path} must hold `images`, each with filename, split and sentences with their raw text; {error!r} came"
        ) from error
    wrong = {part for _, part, _ in entries} - set(SPLITS)
    if wrong:
        raise DataError(f"{path}: a split is {min(wrong)!r}; expected {', '.join(SPLITS)}")
    return entries


def _place(folder: Path, name: str) -> Path:
    """Where a picture lies: as it is listed, or in `images`."""
    return next(
        (path for path in (folder / name, folder / Path(name).name) if path.is_file()),
        folder / "images" / Path(name).name,
    )
