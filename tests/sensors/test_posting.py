"""Posting as a device does: the server says what became of a batch, or when to try again."""

import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from sensors.posting import Poster, PostRefusedError

ROW = {"sensor": "a", "time": "2026-05-04T12:00:00.000Z", "value": 1.0}
RECEIPT = {"accepted": 1, "duplicates": 0, "quarantined": 0, "errors": []}


class Answering(HTTPServer):
    """Gives the prepared answers in turn and keeps what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, dict[str, str], object]] = []
        self.asked: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Answering

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, dict(self.headers), body))
        status, headers, said = self.server.answers.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Answering]:
    answering = Answering()
    Thread(target=answering.serve_forever, daemon=True).start()
    yield answering
    answering.shutdown()
    answering.server_close()


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def _poster(url: str, clock: Clock, patience_s: float = 60) -> Poster:
    return Poster(url, "p.secret", patience_s=patience_s, sleep=clock.sleep, clock=clock)


def test_a_batch_goes_as_gzipped_json_with_the_key(server):
    server.answers = [(200, {}, RECEIPT)]
    assert _poster(server.url + "/", Clock()).post([ROW]) == RECEIPT
    path, headers, body = server.asked[0]
    assert path == "/api/v1/readings"
    assert headers["Authorization"] == "Api-Key p.secret"
    assert headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(body)) == [ROW]


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_when_it_says(server, status):
    server.answers = [(status, {"Retry-After": "7"}, {}), (200, {}, RECEIPT)]
    clock, said = Clock(), []
    poster = _poster(server.url, clock)
    poster.say = said.append
    assert poster.post([ROW]) == RECEIPT
    assert clock.slept == [7.0]
    assert [line.endswith("it is sent again for 60 s") for line in said] == [True]
    assert server.asked[0][2] == server.asked[1][2]


def test_patience_ends(server):
    server.answers = [(503, {"Retry-After": "40"}, {})] * 2
    with pytest.raises(PostRefusedError, match="503"):
        _poster(server.url, Clock()).post([ROW])
    assert len(server.asked) == 2


def test_a_retry_after_that_is_a_date_counts_as_a_second(server):
    server.answers = [(503, {"Retry-After": "Mon, 04 May 2026 12:00:00 GMT"}, {}), (200, {}, {})]
    clock = Clock()
    _poster(server.url, clock).post([ROW])
    assert clock.slept == [1.0]


@pytest.mark.parametrize("status", [400, 401, 413, 500])
def test_a_refusal_is_not_repeated_and_says_why(server, status):
    server.answers = [(status, {}, {"error": {"code": "no_such_key"}})]
    with pytest.raises(PostRefusedError, match=f"{status}.*no_such_key"):
        _poster(server.url, Clock()).post([ROW])
    assert len(server.asked) == 1


def test_a_server_that_is_away_is_tried_each_second_until_patience_ends(server):
    clock = Clock()
    server.server_close()
    with pytest.raises(PostRefusedError, match="does not answer"):
        _poster(server.url, clock, patience_s=3).post([ROW])
    assert clock.slept == [1.0, 1.0, 1.0]
