"""A contact sheet: some queries, drawn at random and not chosen, with their nearest hits as pictures."""

import textwrap
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from encoders.data.api import DataSet, Pairs
from encoders.evaluation.coding import Coded
from encoders.evaluation.counts import Codes, chunks
from encoders.evaluation.protocol import DIRECTIONS, Sides, sides
from encoders.evaluation.relevance import relevance
from encoders.pictures import decode

QUERIES, HITS = 6, 8
CELL, FRAME, HEAD = 160, 4, 30  # pixels
RIGHT, WRONG, ASKED = "green", "red", "black"


def write(folder: Path, dataset: DataSet, codes: Coded, learned: Codes | None = None) -> list[Path]:
    """`sheet-<direction>.png` for every direction of which both sides can be shown; `learned` as `measured` has it."""
    shown = {"images": dataset.pairs.pictures, "texts": dataset.pairs.captions}
    files = []
    for name, (asking, answering) in DIRECTIONS.items():
        meeting = sides(dataset, codes, name, learned)
        if "images" in (asking, answering) and meeting and all(shown[side] is not None for side in (asking, answering)):
            files.append(folder / f"sheet-{name}.png")
            _sheet(dataset, meeting, name).save(files[-1])
    return files


def _sheet(dataset: DataSet, meeting: Sides, name: str) -> Image.Image:
    """One row a query: itself, then what is nearest to it; a frame tells what is relevant."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(meeting.query))[:QUERIES])
    own = None if meeting.own is None else meeting.own[chosen]
    asked = dataset.pairs.take(meeting.query[chosen])
    wanted = relevance(asked, dataset.pairs.take(meeting.stored))
    sheet = Image.new("RGB", (CELL * (HITS + 1), HEAD + CELL * len(chosen)), "white")
    title = f"{dataset.name}, {name.replace('-', ' → ')}: the query, then its nearest; relevant ones in {RIGHT}"
    ImageDraw.Draw(sheet).text((FRAME, FRAME), title, fill="black", font=_font(16))
    asking, answering = DIRECTIONS[name]
    row = 0
    for chunk in chunks(meeting.queries[chosen], meeting.database, wanted, own=own):
        for apart, gains in zip(chunk.apart, chunk.gains, strict=True):
            top = HEAD + CELL * row
            sheet.paste(_cell(asked, row, asking, ASKED), (0, top))
            for place, hit in enumerate(np.argsort(apart, kind="stable")[:HITS], start=1):
                colour = RIGHT if gains[hit] else WRONG
                cell = _cell(dataset.pairs, int(meeting.stored[hit]), answering, colour)
                sheet.paste(cell, (CELL * place, top))
            row += 1
    return sheet


def _cell(pairs: Pairs, row: int, side: str, colour: str) -> Image.Image:
    """A picture or a caption in its frame."""
    cell = Image.new("RGB", (CELL, CELL), colour)
    inner = CELL - 2 * FRAME
    cell.paste("white", (FRAME, FRAME, FRAME + inner, FRAME + inner))
    if side == "images" and pairs.pictures is not None:
        picture = decode(pairs.pictures[row], hint=inner)
        picture.thumbnail((inner, inner))
        cell.paste(picture, ((CELL - picture.width) // 2, (CELL - picture.height) // 2))
    elif pairs.captions is not None:
        words = "\n".join(textwrap.wrap(pairs.captions[row][:200], 20)[:8])
        ImageDraw.Draw(cell).multiline_text((2 * FRAME, 2 * FRAME), words, fill="black", font=_font(12))
    return cell


def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib carries: most alphabets, though no Chinese or Japanese."""
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)
