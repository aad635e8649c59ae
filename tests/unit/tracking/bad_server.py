"""An HTTP server on the loopback that misbehaves as asked: it hangs, drips, or answers with an error."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Literal, final

Behaviour = Literal["hang", "drip"] | int


@final
class BadServer:
    """behaviour: `hang` never answers, `drip` sends a header byte now and then, a number is the status of every answer."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = 500
        self.requests = 0
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> BadServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.requests += 1
                if isinstance(owner.behaviour, int):
                    self.send_response(owner.behaviour)
                    self.send_header("Retry-After", "3600")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.close_connection = True
                while not owner._over.wait(0.2):
                    if owner.behaviour == "drip":
                        try:
                            self.connection.sendall(b"H")
                        except OSError:
                            return

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Quiet."""

        return Handler
