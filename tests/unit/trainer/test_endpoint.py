"""OpenAI-compatible endpoints, against a server on this machine."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from escalade.trainer.endpoint import EndpointFailed, EndpointWriter
from escalade.trainer.policies import Sampling
from escalade.types import Message


class Endpoint(ThreadingHTTPServer):
    """Answers with what was asked, a number of choices at a time, after some failures."""

    daemon_threads = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests, self.failures, self.at_once, self.body = [], [], 100, None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, self.headers.get("Authorization"), asked))
        if self.server.failures:
            return self.reply(self.server.failures.pop(), {"error": {"message": "not now"}})
        said = asked["messages"][-1]["content"]
        count = min(asked["n"], self.server.at_once)
        texts = [None if said == "silent" else f"{said} {asked['seed'] + i}" for i in range(count)]
        choices = [{"index": 0, "message": {"role": "assistant", "content": text}} for text in texts]
        return self.reply(200, {"choices": choices} if self.server.body is None else self.server.body)

    def reply(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def endpoint():
    with Endpoint() as opened:
        thread = threading.Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


def write(endpoint, *texts, rollouts=2, **options):
    prompts = [[Message(role="user", content=text)] for text in texts]
    with EndpointWriter(endpoint.url, "some-model", **options) as writer:
        return writer.write(prompts, rollouts=rollouts, sampling=Sampling(7, 0.5), seed=10)


def test_each_conversation_gets_its_completions_in_order(endpoint):
    found = write(endpoint, "a", "b", "c", key="secret")
    assert [[text.split()[0] for text in texts] for texts in found] == [["a", "a"], ["b", "b"], ["c", "c"]]
    path, authorization, asked = endpoint.requests[0]
    assert (path, authorization) == ("/v1/chat/completions", "Bearer secret")
    assert {key: asked[key] for key in ("model", "n", "temperature", "max_tokens")} == {
        "model": "some-model", "n": 2, "temperature": 0.5, "max_tokens": 7,
    }  # fmt: skip
    assert len({request[2]["seed"] for request in endpoint.requests}) == 3


def test_a_server_that_gives_one_choice_at_a_time_is_asked_again_with_other_seeds(endpoint):
    endpoint.at_once = 1
    (texts,) = write(endpoint, "a", rollouts=3)
    assert len(set(texts)) == 3
    assert len(endpoint.requests) == 3


def test_a_completion_of_nothing_is_an_empty_text(endpoint):
    assert write(endpoint, "silent") == [["", ""]]


def test_half_a_character_becomes_a_question_mark(endpoint):
    endpoint.body = {"choices": [{"message": {"content": "it is \ud83d"}}]}
    assert write(endpoint, "a", rollouts=1) == [["it is ?"]]


def test_a_busy_endpoint_is_waited_for(endpoint):
    endpoint.failures = [503, 429]
    (texts,) = write(endpoint, "a")
    assert len(texts) == 2
    assert len(endpoint.requests) == 3


def test_a_refusal_is_one_line(endpoint):
    endpoint.failures = [400]
    with pytest.raises(EndpointFailed, match=r"answered 400: .*not now") as caught:
        write(endpoint, "a")
    assert "\n" not in str(caught.value)


def test_an_endpoint_that_stays_busy_or_is_not_there_is_given_up(endpoint):
    endpoint.failures = [503] * 5
    with pytest.raises(EndpointFailed, match=r"gave up after 0.1 s"):
        write(endpoint, "a", patience_s=0.1)
    prompts = [[Message(role="user", content="a")]]
    with (
        EndpointWriter("http://127.0.0.1:9/v1", "m", patience_s=0.1) as writer,
        pytest.raises(EndpointFailed, match="no answer from"),
    ):
        writer.write(prompts, rollouts=1, sampling=Sampling(), seed=0)


@pytest.mark.parametrize("body", [{"hello": 1}, {"choices": []}])
def test_another_kind_of_server_is_told_apart(endpoint, body):
    endpoint.body = body
    with pytest.raises(EndpointFailed, match=r"OpenAI|no choices"):
        write(endpoint, "a")
