"""`crosshatch encode`."""

import click

from encoders import catalogue
from encoders.api import Item
from integration.cli.door import as_json, print_json
from integration.cli.search import known_broker
from integration.queries import encode_query
from integration.search.pictures import read_picture
from integration.settings import load
from integration.state import Bundle
from mappings.errors import RequestError
from mappings.weighted import WeightedCode


@click.command()
@click.option("--text", metavar="T", help="Words to encode.")
@click.option("--image", metavar="FILE|URL", help="A picture to encode.")
@click.option("--encoder", metavar="BUNDLE", help="Bundle; default: CROSSHATCH_ENCODER.")
@as_json
def encode(text: str | None, image: str | None, encoder: str | None, as_json: bool) -> None:
    """Print the code of a text or a picture, for clients that send the stored scripts themselves."""
    if (text is None) == (image is None) or (text is not None and not text.strip()):
        raise RequestError("give either --text with some words or --image; each has a code of its own")
    settings = load()
    reference = encoder or settings.encoder
    card = catalogue.find(reference, data=settings.data)
    item = Item(text, () if image is None else (read_picture(image, settings),))
    bundle = Bundle(reference, card.name, card.bits, card.digest)
    [code] = encode_query(item, bundle, settings, known_broker(settings)).codes.values()
    if as_json:
        weights = {"bit_weights": code.param()} if isinstance(code, WeightedCode) else {}
        print_json({"bits": code.bits, "space": card.space, "base64": code.base64(), "hex": code.hex(), **weights})
    else:
        click.echo(code.hex())
