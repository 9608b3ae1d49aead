"""One real server for all tests of adapters, one that cannot score, and models small enough for any machine."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import serving
from ports import free_port

from escalade import Client
from escalade.integrations import _judging

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""A chat template of the plainest kind."""


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The real server, with its environments: variables that lead a client there."""
    data = tmp_path_factory.mktemp("server")
    with serving.serving(data, free_port(), ESCALADE_SANDBOX="process") as url:
        yield {"ESCALADE_URL": url, "ESCALADE_KEY": (data / "admin.key").read_text().strip()}


class _Unscoring(BaseHTTPRequestHandler):
    """Passes everything on to a real server, but answers reports as one does whose sandbox is away."""

    server: "Unscoring"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("/attempts"):
            outcomes = [
                {"rollout": place, "outcome": "error", "detail": "the sandbox is away"}
                | {name: one[name] for name in ("group", "rollout") if name in one}
                for place, one in enumerate(json.loads(body)["attempts"])
            ]
            self._answer(200, json.dumps({"outcomes": outcomes, "closed": []}).encode())
        else:
            headers = {
                name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")
            }
            reply = httpx.request(
                self.command, self.server.behind + self.path, content=body, headers=headers, timeout=60
            )
            self._answer(reply.status_code, reply.content)

    do_GET = do_PUT = do_POST

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Unscoring(ThreadingHTTPServer):
    """A server that serves and cannot score."""

    behind: str


@pytest.fixture
def unscoring(endpoint: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """From now on, the server that the environment's variables lead to cannot score."""
    monkeypatch.setattr(_judging, "PAUSES_S", (0.01, 0.02))
    with Unscoring(("127.0.0.1", 0), _Unscoring) as server:
        server.behind = endpoint["ESCALADE_URL"]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("ESCALADE_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("ESCALADE_KEY", endpoint["ESCALADE_KEY"])
        _judging.close_shared_clients()
        yield
        _judging.close_shared_clients()
        server.shutdown()
        thread.join()


@pytest.fixture
def own_server(tmp_path: Path):
    """A server of the test's own, which it may kill."""
    with serving.started(tmp_path / "server", free_port(), ESCALADE_SANDBOX="process") as server:
        yield server


@pytest.fixture
def client(endpoint: dict[str, str]) -> Iterator[Client]:
    with Client(endpoint["ESCALADE_URL"], endpoint["ESCALADE_KEY"]) as opened:
        yield opened


def tiny_tokenizer(template: str, specials: list[str]):
    """Writes bytes; the first two special tokens are padding and the end of a message."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    bare = Tokenizer(models.BPE({token: index for index, token in enumerate(specials + letters)}, []))
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bare, pad_token=specials[0], eos_token=specials[1], additional_special_tokens=specials[2:]
    )
    tokenizer.chat_template = template
    return tokenizer


def tiny_weights(vocabulary: int):
    """A causal LM of a few thousand random weights."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    shape = Qwen2Config(
        vocab_size=vocabulary, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=8192, pad_token_id=0, eos_token_id=1, bos_token_id=None,
    )  # fmt: skip
    return Qwen2ForCausalLM(shape)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random causal LM, which writes bytes."""
    folder = tmp_path_factory.mktemp("model")
    tokenizer = tiny_tokenizer(TEMPLATE, ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"])
    tokenizer.save_pretrained(folder)
    tiny_weights(len(tokenizer)).save_pretrained(folder)
    return folder


@pytest.fixture
def calling_model(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a model that calls the tool `submit` at once, always with one answer, in a template that TRL can parse."""
    import torch
    import trl

    def make(answer: str) -> Path:
        folder = tmp_path / "calling"
        template = (Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja").read_text()
        tokenizer = tiny_tokenizer(template, ["<|endoftext|>", "<|im_end|>", "<|im_start|>"])
        call = f'<tool_call>\n{{"name": "submit", "arguments": {{"answer": "{answer}"}}}}\n</tool_call>'
        tokenizer.add_tokens([call])
        tokenizer.save_pretrained(folder)
        model = tiny_weights(len(tokenizer))
        # Nothing but the last token counts: after the call comes the end, after anything else the call.
        called, end = tokenizer.convert_tokens_to_ids([call, "<|im_end|>"])
        with torch.no_grad():
            model.model.layers[0].self_attn.o_proj.weight.zero_()
            model.model.layers[0].mlp.down_proj.weight.zero_()
            model.model.embed_tokens.weight.zero_()
            model.model.embed_tokens.weight[:, 0] = 1.0
            model.model.embed_tokens.weight[called, :2] = torch.tensor([0.0, 1.0])
            model.lm_head.weight.zero_()
            model.lm_head.weight[called, 0] = 10.0
            model.lm_head.weight[end, 1] = 10.0
        model.save_pretrained(folder)
        return folder

    return make
