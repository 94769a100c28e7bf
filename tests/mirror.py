"""A real HTTP server on this machine that serves a folder, well or badly."""

import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Mirror(ThreadingHTTPServer):
    """Serves the files of a folder, byte ranges too, and notes what it was asked for.

    Args:
        folder: What it serves.
        cut: Bytes after which every answer's connection is cut, or None.
        ranges: Whether it understands `Range`.
        status: If not 200, what it answers everything with.
        spoil: Whether the bytes it sends are other ones.
        length: Whether it says how long an answer is.
        hang: Seconds it waits before it answers, and after half an answer.
    """

    daemon_threads = True

    def __init__(
        self, folder, *, cut=None, ranges=True, status=200, spoil=False, length=True, hang=0
    ):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.cut, self.ranges, self.status = folder, cut, ranges, status
        self.spoil, self.length, self.hang = spoil, length, hang
        self.asked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/"

    def handle_error(self, request, client_address):
        """A client that hangs up is no error of ours."""


class _Handler(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self):
        mirror = self.server
        start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "bytes=0-"))
        start = int(start[1]) if mirror.ranges else 0
        mirror.asked.append((self.path, start))
        file = mirror.folder / self.path.lstrip("/")
        if mirror.status != 200 or not file.is_file():
            self.send_error(mirror.status if mirror.status != 200 else 404)
            return
        time.sleep(mirror.hang)
        whole = file.read_bytes()
        self._answer(whole, start)

    def _answer(self, whole, start):
        mirror, body = self.server, whole[start:]
        body = bytes(byte ^ 1 for byte in body[:1]) + body[1:] if mirror.spoil else body
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        if mirror.length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: mirror.cut])

    def log_message(self, *_):
        """Tests are quiet."""


@contextmanager
def serving(*mirrors):
    """The mirrors, at work in threads of their own until the block ends."""
    for mirror in mirrors:
        threading.Thread(target=mirror.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield mirrors if len(mirrors) > 1 else mirrors[0]
    finally:
        for mirror in mirrors:
            mirror.shutdown()
            mirror.server_close()
