"""Asking the LLM: what is paid, what is kept, what is asked again; on both database engines, over real HTTP."""

import asyncio
import logging
import threading

import pytest

from escalade.types import Message
from escalade_server.errors import LlmBudgetSpent, LlmReplyUnusable, LlmUnavailable
from escalade_server.storage.sessions import Database
from escalade_server.synthesis.llm import Question, open_llm
from escalade_server.synthesis.replies import UnusableReply

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
    "additionalProperties": False,
}


def question(text="What is six times seven?"):
    messages = (Message(role="system", content="Answer in JSON."), Message(role="user", content=text))
    return Question("sum", messages, SCHEMA)


def read(document):
    if not isinstance(document.get("answer"), int):
        raise UnusableReply(["answer: an integer is needed"])
    return document["answer"]


async def test_a_question_is_answered_and_its_cost_counted(fake, say, make_llm):
    fake.say(say.chat({"answer": 42}, tokens=(31, 7)))
    llm = await make_llm()
    assert await llm.ask(question(), read) == 42
    assert (llm.usage.calls, llm.usage.cached, llm.usage.prompt_tokens, llm.usage.completion_tokens) == (1, 0, 31, 7)
    assert llm.usage.tokens == 38
    assert fake.paths == ["/v1/chat/completions"]
    assert fake.headers[0]["Authorization"] == f"Bearer {say.key}"
    assert fake.requests[0] == {
        "model": say.model,
        "messages": [
            {"role": "system", "content": "Answer in JSON."},
            {"role": "user", "content": "What is six times seven?"},
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "sum", "strict": True, "schema": SCHEMA},
        },
    }


async def test_a_question_asked_before_makes_no_call(fake, say, make_llm):
    fake.say(say.chat({"answer": 42}))
    first = await make_llm(payer="job_1")
    await first.ask(question(), read)
    again = await make_llm(payer="job_2")
    assert await again.ask(question(), read) == 42
    assert (again.usage.calls, again.usage.cached, again.usage.tokens) == (0, 1, 0)
    assert len(fake.requests) == 1


async def test_another_question_schema_or_model_is_paid_for(fake, say, make_llm):
    fake.say(say.chat({"answer": 1}), say.chat({"answer": 2}), say.chat({"answer": 3}))
    llm = await make_llm()
    await llm.ask(question(), read)
    assert await llm.ask(question("And six times eight?"), read) == 2
    loose = Question("sum", question().messages, {"type": "object"})
    assert await llm.ask(loose, read) == 3


async def test_the_same_question_asked_at_once_is_paid_for_once(fake, say, make_llm):
    fake.say(say.chat({"answer": 42}))
    llm = await make_llm()
    assert await asyncio.gather(*(llm.ask(question(), read) for _ in range(5))) == [42] * 5
    assert (llm.usage.calls, llm.usage.cached) == (1, 4)


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("I am not sure.", "no JSON object"),
        ('{"answer": 4', "broken"),
        ({"answer": "many"}, "answer: an integer is needed"),
        ({}, "answer: an integer is needed"),
    ],
)
async def test_an_unusable_reply_goes_back_with_what_is_wrong(fake, say, make_llm, reply, fault):
    fake.say(say.chat(reply), say.chat({"answer": 42}))
    llm = await make_llm()
    assert await llm.ask(question(), read) == 42
    roles = [message["role"] for message in fake.requests[1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert fault in fake.requests[1]["messages"][-1]["content"]
    assert llm.usage.calls == 2


async def test_prose_thoughts_and_fences_around_the_object_cost_nothing_more(fake, say, make_llm):
    fake.say(say.chat('<think>{"answer": 1}?</think>Here you are:\n```json\n{"answer": 42}\n```\nAnything else?'))
    llm = await make_llm()
    assert await llm.ask(question(), read) == 42


async def test_unusable_replies_end_and_are_not_paid_for_again(fake, say, make_llm):
    fake.say(*(say.chat("no") for _ in range(3)))
    llm = await make_llm(payer="job_1")
    with pytest.raises(LlmReplyUnusable, match="ESCALADE_LLM_TRIES") as raised:
        await llm.ask(question(), read)
    assert raised.value.faults == ("there is no JSON object in the reply",)
    again = await make_llm(payer="job_2")
    with pytest.raises(LlmReplyUnusable):
        await again.ask(question(), read)
    assert (again.usage.calls, again.usage.cached) == (0, 3)
    # More tries go on after those that were paid for.
    fake.say(say.chat({"answer": 42}))
    third = await make_llm(payer="job_3", tries=4)
    assert await third.ask(question(), read) == 42
    assert (third.usage.calls, third.usage.cached) == (1, 3)


@pytest.mark.parametrize(
    ("turn", "fault"),
    [
        (lambda say: say.chat('{"answer": 42}', finish="length"), "cut off"),
        (lambda say: say.chat(None, refusal="I would rather not."), "I would rather not"),
        (lambda say: say.chat(None, finish="content_filter"), "declined"),
        (lambda say: say.chat(None), "no JSON object"),
    ],
)
async def test_a_reply_that_is_cut_off_or_declined_is_unusable(fake, say, make_llm, turn, fault):
    fake.say(turn(say))
    llm = await make_llm(tries=1)
    with pytest.raises(LlmReplyUnusable, match=fault):
        await llm.ask(question(), read)


async def test_no_call_begins_once_the_budget_is_spent_and_nothing_paid_is_lost(fake, say, make_llm):
    fake.say(say.chat({"answer": 1}, tokens=(60, 50)))
    llm = await make_llm(payer="job_1", budget_tokens=110)
    await llm.ask(question("one"), read)
    with pytest.raises(LlmBudgetSpent, match="110 of 110 tokens"):
        await llm.ask(question("two"), read)
    assert len(fake.requests) == 1
    # What is there already needs no budget, and a job that starts again remembers what it has spent.
    resumed = await make_llm(payer="job_1", budget_tokens=110)
    assert await resumed.ask(question("one"), read) == 1
    assert (resumed.usage.calls, resumed.usage.tokens) == (1, 110)
    with pytest.raises(LlmBudgetSpent):
        await resumed.ask(question("two"), read)
    fake.say(say.chat({"answer": 2}))
    richer = await make_llm(payer="job_1", budget_tokens=111)
    assert await richer.ask(question("two"), read) == 2


async def test_unusable_replies_count_against_the_budget(fake, say, make_llm):
    fake.say(say.chat("no", tokens=(60, 50)))
    llm = await make_llm(budget_tokens=100)
    with pytest.raises(LlmBudgetSpent):
        await llm.ask(question(), read)


async def test_an_endpoint_that_counts_no_tokens_is_counted_by_length_and_told_so(fake, say, make_llm, caplog):
    fake.say(say.chat({"answer": 42}, tokens=None), say.chat({"answer": 43}, tokens=None))
    llm = await make_llm()
    await llm.ask(question("x" * 300), read)
    # "Answer in JSON." and the 300 letters; the reply's 14 characters.
    assert (llm.usage.prompt_tokens, llm.usage.completion_tokens) == (315 // 3 + 1, 14 // 3 + 1)
    await llm.ask(question("another"), read)
    assert sum("no token counts" in record.message for record in caplog.records) == 1


async def test_no_more_calls_are_under_way_than_allowed(fake, say, make_llm):
    pair = threading.Barrier(2, timeout=20)
    for number in range(6):
        turn = say.chat({"answer": number})
        turn.hold = pair.wait
        fake.say(turn)
    llm = await make_llm(concurrency=2)
    await asyncio.gather(*(llm.ask(question(str(number)), read) for number in range(6)))
    assert fake.most_under_way == 2


async def test_a_reply_without_end_is_given_up_and_asked_for_again(fake, say, make_llm):
    slow = say.chat({"answer": 1})
    slow.hold = lambda: fake.released.wait(20)
    fake.say(slow, say.chat({"answer": 2}))
    llm = await make_llm(timeout_s=0.3)
    assert await llm.ask(question(), read) == 2
    assert llm.usage.calls == 1


async def test_a_job_cancelled_while_a_reply_is_stored_keeps_it(fake, say, make_llm, make_endpoint, database_url):
    fake.say(say.chat({"answer": 42}))
    waiting: list[asyncio.Task[int]] = []

    class Cancelling(Database):
        """Cancels the job at the moment when its reply is paid for and not yet stored."""

        def write(self):
            waiting[0].cancel()
            return super().write()

    database = Cancelling(database_url)
    try:
        llm = await open_llm(make_endpoint(), database, payer="job_1", budget_tokens=1_000)
        waiting.append(asyncio.create_task(llm.ask(question(), read)))
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]
        await llm.close()
    finally:
        await database.close()
    again = await make_llm(payer="job_1")
    assert await again.ask(question(), read) == 42
    assert (again.usage.calls, again.usage.cached) == (1, 1)
    assert len(fake.requests) == 1


async def test_an_endpoint_that_is_not_there_is_told_so_without_the_key(make_llm, say, free_port, caplog, pauses):
    caplog.set_level(logging.DEBUG)
    llm = await make_llm(url=f"http://127.0.0.1:{free_port}/v1")
    with pytest.raises(LlmUnavailable, match=r"failed 4 times in a row.*ESCALADE_LLM_URL") as raised:
        await llm.ask(question("a statement that is nobody's business"), read)
    assert len(pauses.made_s) == 3
    logged = caplog.text + raised.value.detail
    assert say.key not in logged
    assert "nobody's business" not in logged


async def test_neither_the_key_nor_prompt_nor_reply_is_logged(fake, say, make_llm, caplog):
    caplog.set_level(logging.DEBUG, logger="escalade_server")
    fake.say(say.chat("a useless reply"), say.chat({"answer": 42}))
    llm = await make_llm()
    await llm.ask(question("a statement that is nobody's business"), read)
    assert "unusable" in caplog.text
    for secret in (say.key, "nobody's business", "useless"):
        assert secret not in caplog.text
