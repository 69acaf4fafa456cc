"""What `--data NAME` opens: a data set by name from its folder, or `index:NAME`, the catalogue itself."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from encoders.data import named
from encoders.data.api import DataSet
from integration.cli import door
from integration.settings import Settings
from mappings.errors import RequestError

INDEX = "index:"


@contextmanager
def opened(name: str, folder: Path | None, settings: Settings, *, seed: int) -> Iterator[DataSet]:
    """The data set, for as long as the block runs. What came of a catalogue's records goes to standard error.

    Raises what `named` raises, and for a catalogue what `integration.learning.read` raises.
    """
    if not name.startswith(INDEX):
        yield named(name, folder or settings.data / "sets" / name, seed=seed)
        return
    if folder is not None:
        raise RequestError(f"{name} is read from the cluster; --folder {folder} does not go with it: leave it out")
    from integration import learning  # Pillow and SciPy: not for `crosshatch --help`

    settings.data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.data, prefix="pictures-") as pictures:
        with door.cluster() as (_, cluster):
            found, done = learning.read(cluster, name.removeprefix(INDEX), Path(pictures), settings, seed=seed)
        door.errors.print(done.message(), highlight=False, markup=False)
        yield found
