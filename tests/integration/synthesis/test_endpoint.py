"""What the client does with every way in which an endpoint fails or differs, over real HTTP."""

import logging

import pytest

from escalade.types import Message
from escalade_server.errors import LlmRefused, LlmUnavailable
from escalade_server.settings import Settings
from escalade_server.synthesis.endpoint import open_endpoint

SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
MESSAGES = [Message(role="system", content="Be brief."), Message(role="user", content="Go on.")]


async def ask(endpoint):
    return await endpoint.complete(MESSAGES, name="test", schema=SCHEMA)


async def test_a_rate_limit_is_waited_for_as_long_as_it_says(fake, say, make_endpoint, pauses):
    fake.say(say.refusal(429, "slow down", Retry_After="7"), say.chat({}))
    assert (await ask(make_endpoint())).text == "{}"
    assert len(pauses.made_s) == 1
    assert 7 <= pauses.made_s[0] <= 8


async def test_a_rate_limit_beyond_patience_is_passed_on(fake, say, make_endpoint, pauses):
    fake.say(say.refusal(429, "come back tomorrow", Retry_After="86400"))
    with pytest.raises(LlmUnavailable, match="come back tomorrow") as raised:
        await ask(make_endpoint())
    assert raised.value.retry_after_s == 86_400
    assert pauses.made_s == []


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_tried_again(fake, say, make_endpoint, status, pauses):
    fake.say(say.refusal(status, "not now"), say.refusal(status, "not now"), say.chat({}))
    await ask(make_endpoint())
    assert len(pauses.made_s) == 2


async def test_pauses_are_bounded_and_end(fake, say, make_endpoint, pauses):
    fake.say(*(say.refusal(503, "down") for _ in range(4)))
    with pytest.raises(LlmUnavailable, match=r"failed 4 times in a row.*503.*down"):
        await ask(make_endpoint())
    assert all(pause <= most for pause, most in zip(pauses.made_s, (1, 2, 4), strict=True))


@pytest.mark.parametrize(
    "body", [b"<html>a proxy</html>", {"choices": []}, {"error": {"message": "upstream is gone"}}, b"[]", b"[" * 9_999]
)
async def test_a_body_that_is_no_chat_completion_is_tried_again(fake, say, make_endpoint, body):
    fake.say(say.turn(body=body), say.chat({}))
    assert (await ask(make_endpoint())).text == "{}"


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(401, "ESCALADE_LLM_KEY"), (403, "ESCALADE_LLM_KEY"), (404, "ESCALADE_LLM_MODEL"), (400, "ESCALADE_LLM_MODEL")],
)
async def test_what_will_not_pass_is_refused_at_once_and_names_the_setting(fake, say, make_endpoint, status, remedy):
    fake.say(say.refusal(status, "no"))
    with pytest.raises(LlmRefused, match=remedy):
        await ask(make_endpoint())


async def test_a_quota_that_is_used_up_is_not_waited_for(fake, say, make_endpoint, pauses):
    fake.say(say.refusal(429, "you exceeded your quota", code="insufficient_quota"))
    with pytest.raises(LlmRefused, match="quota"):
        await ask(make_endpoint())
    assert pauses.made_s == []


async def test_a_redirect_is_not_followed(fake, say, make_endpoint):
    fake.say(say.turn(307, {}, {"Location": "http://127.0.0.1:9/elsewhere"}))
    with pytest.raises(LlmRefused, match="redirects"):
        await ask(make_endpoint())


async def test_a_key_that_the_endpoint_repeats_is_struck_out(fake, say, make_endpoint):
    fake.say(say.refusal(401, f"Incorrect API key provided: {say.key}."))
    with pytest.raises(LlmRefused, match=r"provided: \[key\]") as raised:
        await ask(make_endpoint())
    assert say.key not in raised.value.detail


async def test_an_endless_body_is_refused(fake, say, make_endpoint):
    fake.say(say.turn(body=b" " * (9 << 20)))
    with pytest.raises(LlmRefused, match="is it a chat endpoint"):
        await ask(make_endpoint())


async def test_without_json_schema_the_schema_stands_in_the_prompt_and_the_log_says_so(
    fake, say, make_endpoint, caplog
):
    unknown = "'response_format.type' must be one of text, json_object"
    fake.say(
        say.refusal(400, unknown), say.refusal(422, "response_format is not supported"), say.chat({}), say.chat({})
    )
    endpoint = make_endpoint()
    await ask(endpoint)
    await ask(endpoint)
    assert endpoint.output == "text"
    assert [request.get("response_format", {}).get("type") for request in fake.requests] == [
        "json_schema", "json_object", None, None,
    ]  # fmt: skip
    assert "JSON schema" not in fake.requests[0]["messages"][0]["content"]
    for request in fake.requests[1:]:
        assert '"additionalProperties": false' in request["messages"][0]["content"]
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert unknown in warnings[0]
    assert "asked for as json_object" in warnings[0]


async def test_the_limit_of_a_reply_is_sent_by_the_name_the_endpoint_knows(fake, say, make_endpoint):
    fake.say(
        say.refusal(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
        say.chat({}),
        say.chat({}),
    )
    endpoint = make_endpoint(max_tokens=500)
    await ask(endpoint)
    await ask(endpoint)
    assert fake.requests[0]["max_tokens"] == 500
    assert [request.get("max_completion_tokens") for request in fake.requests[1:]] == [500, 500]
    assert "max_tokens" not in fake.requests[1]
    assert endpoint.output == "json_schema"


async def test_an_address_may_be_whole_and_a_key_absent(fake, say, make_endpoint):
    fake.say(say.chat({}))
    await ask(make_endpoint(f"{fake.url}/chat/completions?api-version=1", key=None))
    assert fake.paths == ["/v1/chat/completions?api-version=1"]
    assert "Authorization" not in fake.headers[0]


@pytest.mark.parametrize("content", ["a\ud800", 7, {"a": 1}, [1], None, [{"type": "text", "text": "a\ud800"}]])
async def test_a_strange_reply_was_paid_for_and_is_not_asked_for_again(fake, say, make_endpoint, content):
    turn = say.chat("")
    turn.body["choices"][0] |= {"message": {"content": content}, "finish_reason": 3}
    turn.body["usage"] = {"prompt_tokens": None}
    fake.say(turn)
    completion = await ask(make_endpoint())
    assert completion.text in ("", "a\ufffd\ufffd\ufffd")
    assert completion.finish == "stop"
    assert completion.prompt_tokens > 0


async def test_what_no_database_stores_is_replaced(fake, say, make_endpoint):
    fake.say(say.chat("a\0b\ud800c"))
    text = (await ask(make_endpoint())).text
    assert "\0" not in text
    assert text.encode().decode() == text


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"llm_url": "http://h/v1"}, "ESCALADE_LLM_MODEL"),
        ({"llm_url": "h/v1", "llm_model": "m"}, "http://"),
        ({"llm_url": "http://user:word@h/v1", "llm_model": "m"}, "ESCALADE_LLM_KEY"),
        ({"llm_key": "two words"}, "without spaces"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_words(settings, fault):
    with pytest.raises(ValueError, match=fault):
        Settings(**settings)


@pytest.mark.parametrize("value", ["very-secret words", "very-secret\u00e9"])
def test_a_malformed_key_is_not_shown(monkeypatch, value):
    monkeypatch.setenv("ESCALADE_LLM_KEY", value)
    with pytest.raises(ValueError, match="printable ASCII") as raised:
        Settings()
    assert "very-secret" not in str(raised.value)


def test_settings_come_from_the_environment(monkeypatch):
    given = {
        "URL": "http://127.0.0.1:1/v1", "MODEL": "m", "KEY": "k", "CONCURRENCY": "3", "BUDGET_TOKENS": "70",
        "TIMEOUT_S": "2.5", "MAX_TOKENS": "900", "TRIES": "4", "REPAIRS": "0",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(f"ESCALADE_LLM_{name}", value)
    read = Settings()
    assert (read.llm_url, read.llm_model) == ("http://127.0.0.1:1/v1", "m")
    assert read.llm_key is not None
    assert read.llm_key.get_secret_value() == "k"
    assert "k" not in repr(read.llm_key)
    assert (read.llm_concurrency, read.llm_budget_tokens, read.llm_timeout_s) == (3, 70, 2.5)
    assert (read.llm_max_tokens, read.llm_tries, read.llm_repairs) == (900, 4, 0)


async def test_settings_make_an_endpoint_or_none():
    assert open_endpoint(Settings()) is None
    endpoint = open_endpoint(Settings(llm_url="http://127.0.0.1:9/v1", llm_model="m", llm_key="k"))
    assert endpoint is not None
    assert endpoint.model == "m"
    await endpoint.close()
