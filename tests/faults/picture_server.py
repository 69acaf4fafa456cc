"""A picture server on loopback that gives some pictures and plays a trick with each of the others."""

import colorsys
import io
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image, ImageDraw

SECONDS = 30.0  # that a server hangs; the picture timeout is far shorter
REASONS = {
    "hang": "picture-timeout",
    "drip": "picture-timeout",
    "short": "picture-unreadable",  # tells more bytes than it sends
    "long": "picture-unreadable",  # tells less, and the picture is cut off there
    "huge": "picture-too-large",
    "endless": "picture-too-large",
    "to-private": "picture-forbidden",
    "to-metadata": "picture-forbidden",
    "to-file": "picture-forbidden",
    "loop": "picture-missing",
    "gone": "picture-missing",
}
_TARGETS = {
    "to-private": "http://10.0.0.1/cover.png",
    "to-metadata": "http://169.254.169.254/latest/meta-data/",
    "to-file": "file:///etc/passwd",
    "loop": "/loop/0",
}


class _Tricks(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer by the first part of the path."""
        _, trick, number = self.path.split("/")
        data = drawn(int(number))
        with suppress(OSError):  # whoever asked has gone
            if trick in _TARGETS:
                self._head(302, location=_TARGETS[trick], content_length="0")
            elif trick == "gone":
                self._head(404, content_length="0")
            elif trick == "hang":
                time.sleep(SECONDS)
            else:
                self._send(trick, data)

    def _send(self, trick: str, data: bytes) -> None:
        told = {"short": 10 * len(data), "long": len(data) // 2, "huge": 10**12}.get(trick, len(data))
        length = {"transfer_encoding": "chunked"} if trick == "endless" else {"content_length": str(told)}
        self._head(200, content_type="image/png", **length)
        self.close_connection = trick != "good"
        over = time.monotonic() + SECONDS
        while trick == "drip" and time.monotonic() < over:
            self.wfile.write(data[:1])
            time.sleep(0.3)
        while trick == "endless" and time.monotonic() < over:
            self.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        if trick not in ("drip", "endless"):
            self.wfile.write(data)

    def _head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silence."""


class PictureServer:
    """Listens from `start` until the process ends."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Tricks)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Listen."""
        threading.Thread(target=self._server.serve_forever, name="picture-server", daemon=True).start()


def drawn(number: int) -> bytes:
    """A picture, different for each number."""
    red, green, blue = colorsys.hsv_to_rgb(number * 0.137 % 1, 0.8, 0.9)
    picture = Image.new("RGB", (96, 96), (int(255 * red), int(255 * green), int(255 * blue)))
    ImageDraw.Draw(picture).ellipse((10, 10, 30 + 3 * number % 60, 80), fill="white")
    packed = io.BytesIO()
    picture.save(packed, "PNG")
    return packed.getvalue()
