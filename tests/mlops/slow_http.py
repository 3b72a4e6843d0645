"""A real HTTP server in front of another: it counts what is asked, and may be slow or refuse."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

HOP_BY_HOP = {"host", "connection", "expect", "content-length", "accept-encoding"}


@dataclass
class Front:
    """delay_s: before each answer. refuse: answers 503. seen: method and path of all that came."""

    target: str
    url: str = ""
    delay_s: float = 0.0
    refuse: bool = False
    seen: list[str] = field(default_factory=list)
    _woken: threading.Event = field(default_factory=threading.Event)

    def gets(self, ending: str) -> int:
        return sum(line.startswith("GET ") and line.endswith(ending) for line in self.seen)

    def clear(self) -> None:
        self.delay_s, self.refuse = 0.0, False
        self.seen.clear()
        self._woken.set()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.seen.append(f"{handler.command} {handler.path.partition('?')[0]}")
        if self.delay_s:
            self._woken.clear()
            self._woken.wait(self.delay_s)
        if self.refuse:
            handler.send_error(503)
            return
        length = int(handler.headers.get("Content-Length", 0))
        kept = {k: v for k, v in handler.headers.items() if k.lower() not in HOP_BY_HOP}
        said = requests.request(
            handler.command,
            self.target + handler.path,
            data=handler.rfile.read(length),
            headers=kept,
            timeout=60,
        )
        handler.send_response(said.status_code)
        for name in ("Content-Type", "ETag", "Last-Modified"):
            if name in said.headers:
                handler.send_header(name, said.headers[name])
        size = said.headers.get("Content-Length", str(len(said.content)))
        handler.send_header("Content-Length", size)
        handler.end_headers()
        handler.wfile.write(said.content)


@contextmanager
def front_of(target: str) -> Iterator[Front]:
    front = Front(target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            front.answer(self)

        do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """Silent."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                time.sleep(0)  # whoever asked has gone

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    front.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield front
    finally:
        front.clear()
        server.shutdown()
        server.server_close()
