"""Picture files from outside become RGB pixels: whatever arrives, a picture or a RecordError, in bounded time.

Only these formats are opened: PNG (and APNG), JPEG (and MPO), GIF, WebP, TIFF, BMP, AVIF, and SVG through
`encoders.svg`. Left out on purpose: EPS and PDF, which Pillow gives to outside programs, and formats that covers do not
come in, each of which would be one more parser of foreign bytes.
"""

import contextlib
import io
import re
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from encoders import svg
from mappings.errors import RecordError

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "AVIF")
WHITE = (255, 255, 255)

# A progressive JPEG is drawn once over for each scan, and a scan may have ten bytes: usual files have ten scans.
MAX_SCANNED_PIXELS = 2_000_000_000
_SCAN = b"\xff\xda"
_PILLOW = re.compile(r"PIL\.")


def decode(data: bytes, *, max_pixels: int = 50_000_000, hint: int | None = None) -> Image.Image:
    """Decode a picture file to RGB: its first frame, upright (EXIF), alpha composited on white, no metadata left.

    CMYK, palette, gray, 16-bit, 32-bit and float pixels are converted. `hint` is the shortest side in pixels that the
    caller needs: a larger JPEG then comes at 1/2, 1/4 or 1/8, never below `hint`, and much faster. Thread safe.

    Raises RecordError: `picture-too-large` over `max_pixels` (known from the header, before a pixel is decoded; past
    179 million Pillow's own limit holds too), `picture-timeout` for an SVG that takes too long, and
    `picture-unreadable` for what is truncated, damaged or no picture at all.
    """
    _quiet_pillow()
    drawing = svg.svg_text(data)
    if drawing is not None:
        data, hint = svg.render(drawing), None
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            _check_size(picture, data, max_pixels)
            if hint is not None:
                picture.draft(None, (hint, hint))  # does nothing for other formats
            picture.load()
            _turn_upright(picture)
            return _rgb(picture)
    except RecordError:
        raise
    except UnidentifiedImageError as error:
        raise RecordError(
            "picture-unreadable", f"{len(data)} bytes came that are no {', '.join(FORMATS)} or SVG"
        ) from error
    except (MemoryError, Image.DecompressionBombError) as error:
        raise RecordError(
            "picture-too-large", f"the picture does not fit into memory: {error}; send a smaller one"
        ) from error
    except Exception as error:  # on damaged files Pillow's plugins raise whatever their parsing met, KeyError included
        text = f"the picture is truncated or damaged ({type(error).__name__}: {error}); send it anew"
        raise RecordError("picture-unreadable", text) from error


def _quiet_pillow() -> None:
    """Ignore Pillow's warnings about odd files, also where warnings are errors: no caller can act on them.

    The filter stays in place, since `warnings.catch_warnings` is not thread safe.
    """
    if not any(known[3] == _PILLOW for known in warnings.filters):
        warnings.filterwarnings("ignore", module=_PILLOW.pattern)


def _check_size(picture: Image.Image, data: bytes, max_pixels: int) -> None:
    """Raise RecordError where decoding would take too much memory or time. Reads only the header."""
    pixels = picture.width * picture.height
    if pixels > max_pixels:
        text = f"the picture has {picture.width} x {picture.height} pixels; at most {max_pixels} are decoded"
        raise RecordError("picture-too-large", text)
    if picture.format in ("JPEG", "MPO") and data.count(_SCAN) * pixels > MAX_SCANNED_PIXELS:
        text = f"the JPEG has {data.count(_SCAN)} scans of {pixels} pixels; save it with fewer"
        raise RecordError("picture-too-large", text)


def _turn_upright(picture: Image.Image) -> None:
    """Turn the picture as its EXIF says; leave it as it is where the EXIF is broken."""
    with contextlib.suppress(Exception):  # Pillow parses metadata from outside: a picture with bad EXIF is still one
        ImageOps.exif_transpose(picture, in_place=True)


def _rgb(picture: Image.Image) -> Image.Image:
    """Convert a loaded picture of any mode to RGB on white, without its metadata."""
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        picture = _deep_gray(picture)
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        rgb = Image.new("RGB", picture.size, WHITE)
        rgb.paste(layer, mask=layer.getchannel("A"))
    else:
        rgb = picture.convert("RGB")
    rgb.info = {}
    return rgb


def _deep_gray(picture: Image.Image) -> Image.Image:
    """8-bit gray of 16-bit, 32-bit or float gray, which `convert` would clip.

    16 bits lose their low byte, as Pillow does for 16-bit colour. 32-bit and float pictures do not say what white is:
    unless all values fit 16 bits, they are stretched from their lowest to their highest.
    """
    values = np.asarray(picture).astype(np.float64)
    if picture.mode == "F" or values.min() < 0 or values.max() > 65535:
        values = np.nan_to_num(values)
        low, high = values.min(), values.max()
        values = (values - low) / ((high - low) or 1) * 65535
    if picture.format == "TIFF" and _white_is_zero(picture):
        values = 65535 - values
    return Image.fromarray((values / 256).astype(np.uint8))


def _white_is_zero(picture: Image.Image) -> bool:
    """Whether a TIFF counts from white to black, which Pillow turns round only for 8 bits and fewer."""
    tags = getattr(picture, "tag_v2", {})
    return bool(tags.get(262, 1) == 0)  # PhotometricInterpretation
