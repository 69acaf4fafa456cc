"""The log and the plot of a run."""

import csv
from pathlib import Path

from PIL import Image

from encoders.training import journal
from encoders.training.loop import Epoch

EPOCHS = [
    Epoch(number, {"contrast": 1 / number, "balance": 0.25}, score, 2.0)
    for number, score in ((1, 0.5), (2, None), (3, 0.75))
]


def test_lines_and_log(tmp_path: Path) -> None:
    lines: list[str] = []
    told = journal.Journal(tmp_path / "beside", 9, lines.append)
    told.report(EPOCHS)
    told.report(EPOCHS[:2])
    assert lines == [
        "epoch 3 of 9: loss 0.5833 (contrast 0.3333, balance 0.2500); validation MAP 0.7500",
        "epoch 2 of 9: loss 0.7500 (contrast 0.5000, balance 0.2500)",
    ]
    with (tmp_path / "beside/log.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["epoch", "loss", "contrast", "balance", "score", "seconds"],
        ["1", "1.25", "1.0", "0.25", "0.5", "2.0"],
        ["2", "0.75", "0.5", "0.25", "", "2.0"],
    ]


def test_plots_show_something(tmp_path: Path) -> None:
    for epochs in (EPOCHS, EPOCHS[1:2]):
        files = journal.plot(tmp_path, "made", epochs)
        assert [file.name for file in files] == ["loss.png", "loss.svg"]
        with Image.open(files[0]) as picture:
            assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 20
        assert "contrast" in files[1].read_text("utf-8")
