"""A real HTTP server on the loopback that answers chat requests as a script says: well, badly, or not at all."""

import json
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CAPTION = "A red ball rolls from the left to the right and a dog runs after it."


def completion(text: Any = CAPTION, finish: str = "stop", **message: Any) -> bytes:
    """The body of a good answer."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    body = {"id": "1", "object": "chat.completion", "model": "captioner-1", "choices": [choice], "usage": usage}
    return json.dumps(body).encode()


def plain(handler: "Handler", body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> None:
    """Send a whole answer."""
    handler.send_response(status)
    for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def half(handler: "Handler") -> None:
    """Promise more than is sent."""
    body = completion()
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.close_connection = True


def drip(handler: "Handler") -> None:
    """Send a byte now and then, so that the connection is never idle for long."""
    body = completion()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    for byte in body:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.05)


def nothing(handler: "Handler") -> None:
    """Close without a word."""
    handler.close_connection = True


def slow(seconds: float) -> "Answer":
    """A good answer, late."""

    def answer(handler: "Handler") -> None:
        time.sleep(seconds)
        plain(handler, completion())

    return answer


def saying(text: Any, finish: str = "stop", **message: Any) -> "Answer":
    """A completion with this text."""
    return lambda handler: plain(handler, completion(text, finish, **message))


def failing(status: int, text: str = "no", **headers: str) -> "Answer":
    """An HTTP error."""
    return lambda handler: plain(handler, json.dumps({"error": {"message": text}}).encode(), status, **headers)


def raw(body: bytes, kind: str = "application/json") -> "Answer":
    """A 200 with any body."""
    return lambda handler: plain(handler, body, kind=kind)


good = saying(CAPTION)


class Handler(BaseHTTPRequestHandler):
    """Notes each request by the sample that its prompt names, and answers it."""

    protocol_version = "HTTP/1.1"
    server: "ChatServer"

    def do_POST(self) -> None:
        """Answer a chat request."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = next(part["text"] for part in body["messages"][-1]["content"][::-1] if part["type"] == "text")
        sample = re.search(r"<<(.*?)>>", text)
        answer = self.server.note(sample[1] if sample else "", self.headers, body, self.path)
        try:
            answer(self)
        except OSError:  # the client has gone
            self.close_connection = True
        finally:
            self.server.served()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


Answer = Callable[[Handler], None]


class ChatServer(ThreadingHTTPServer):
    """Answers each sample's requests one after another as its script says; the last answer of a script repeats.

    A sample names itself in the prompt: the tests ask with ``<<{raw_caption}>>``.

    Attributes:
        scripts: Answers by sample.
        default: The script of all others.
        requests: What was received: sample, body, headers and time of each.
        most: The most requests that were in flight at once.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.scripts: dict[str, list[Answer]] = {}
        self.default: list[Answer] = [good]
        self.requests: list[dict[str, Any]] = []
        self.most = self._now = 0
        self._asked: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []

    @property
    def url(self) -> str:
        """What ``--base-url`` takes."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def samples(self) -> list[str]:
        """The samples of the requests, in the order in which they came."""
        return [request["sample"] for request in self.requests]

    def note(self, sample: str, headers: Any, body: dict[str, Any], path: str) -> Answer:
        """Note a request; returns how to answer it."""
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
            script = self.scripts.get(sample, self.default)
            number = min(self._asked[sample], len(script) - 1)
            self._asked[sample] += 1
            received = {"sample": sample, "body": body, "headers": headers, "path": path, "time": time.monotonic()}
            self.requests.append(received)
        return script[number]

    def served(self) -> None:
        """Note that a request is answered."""
        with self._lock:
            self._now -= 1

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection, and remember it."""
        connection, address = super().get_request()
        self._connections.append(connection)
        return connection, address

    def die(self) -> None:
        """Stop as a killed process does: open connections break."""
        self.shutdown()
        self.server_close()
        for connection in self._connections:
            with suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""


@contextmanager
def serving(port: int = 0) -> Iterator[ChatServer]:
    """A server that runs meanwhile."""
    server = ChatServer(port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.die()
        thread.join()
