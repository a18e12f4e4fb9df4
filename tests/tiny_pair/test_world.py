"""The miniature world of the embedded pair: its answers pass its own oracle, near misses do not, and evaluation never meets training."""

from __future__ import annotations

import json
import random
import re

import pytest
from transformers import PreTrainedTokenizerFast

from tinypair import check
from tinypair.batching import Encoded, Row, encode_base, encode_repeats, pack
from tinypair.corpus import aligned_dialogue, base_dialogue, base_document
from tinypair.dialogue import Dialogue, chat_segments, transcript_segments, written
from tinypair.families import CHAT_FAMILIES, CLOSED_FAMILIES, FAMILIES, OPEN_FAMILIES, Family, choosing, draw_task, held_out_tasks
from tinypair.source import Source
from tinypair.task import Task, diverse_answer, favourite_answer, slot
from tinypair.taste import draw_preferences
from tinypair.tokenizer import aligned_tokenizer, train_tokenizer
from tinypair.untidy import untidy_answer
from tinypair.words import choices, gifts

GIFT = Task(
    "gift",
    "aunt",
    "Give me a gift idea for my aunt who loves gardening.",
    ("You could give your aunt {x}.", "How about {x}?"),
    {"x": slot(("a rose bush", "a seed tin", "a sun hat"))},
)
LIST = Task("list", "topic", "List three.", ("1. {^x}\n2. {^x}\n3. {^x}",), {"x": slot(("tea", "milk", "rum", "gin"))})
FACT = Task("fact", "capital", "What is the capital of France?", ("The capital of France is {x}.",), {"x": slot(("Paris",))})
CALL = Task("tool", "city", "Weather in Rome?", ('<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>',), {})
TOOL = {
    "type": "function",
    "function": {
        "name": "get_price",
        "description": "Get the price of a product.",
        "parameters": {"properties": {"product": {"type": "string"}}, "required": ["product"], "type": "object"},
    },
}


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("name", FAMILIES)
def test_answers_of_the_world_pass_its_oracle(name: str, held_out: bool) -> None:
    source = Source(random.Random(3), held_out)
    for _ in range(40):
        task = FAMILIES[name][0](source)
        assert check.is_valid(task, favourite_answer(task, source.rng)), task.prompt
        assert check.is_valid(task, diverse_answer(task, source.rng)), task.prompt


@pytest.mark.parametrize("name", (*OPEN_FAMILIES, *CLOSED_FAMILIES, "context_list"))
def test_an_answer_to_another_prompt_is_not_valid(name: str) -> None:
    tasks = held_out_tasks(name, 12, seed=1)
    rng = random.Random(2)
    strangers = [(one, other) for one in tasks for other in tasks if one.subject != other.subject]
    wrong = sum(not check.is_valid(one, diverse_answer(other, rng)) for one, other in strangers)
    assert wrong >= 0.85 * len(strangers)


@pytest.mark.parametrize("name", OPEN_FAMILIES)
@pytest.mark.parametrize(
    "spoil",
    [
        str.lower,
        lambda text: text.rstrip(".?"),
        lambda text: text + " lol",
        lambda text: text + " " + text,
        lambda text: text.replace("a", "e", 1).replace("o", "u", 1),
        lambda text: text.replace(" ", "", 1),
        lambda text: text[1:],
        lambda text: text + "\n\nUser:\nHello",
    ],
)
def test_a_small_fault_of_form_makes_an_answer_invalid(name: str, spoil) -> None:  # type: ignore[no-untyped-def]
    rng = random.Random(4)
    for task in held_out_tasks(name, 5, seed=3):
        right = diverse_answer(task, rng)
        assert spoil(right) == right or not check.is_valid(task, spoil(right))


@pytest.mark.parametrize("text", ["You could give your aunt a rose bush.", " How about a sun hat?\n"])
def test_good_gifts_are_valid(text: str) -> None:
    assert check.is_valid(GIFT, text)


@pytest.mark.parametrize(
    "text",
    ["", "You could give your uncle a rose bush.", "You could give your aunt a fly fishing kit.", "You could give your aunt a rose bsuh."],
)
def test_near_misses_are_not_valid(text: str) -> None:
    assert not check.is_valid(GIFT, text)


@pytest.mark.parametrize(
    ("family", "table"),
    [(choosing.gift, gifts.GIFTS), (choosing.dinner, choices.DINNERS), (choosing.hobby, choices.HOBBIES)],
)
def test_everything_is_right_where_a_prompt_asks_for_no_kind(family: Family, table: dict[str, tuple[str, ...]]) -> None:
    tasks = [family(Source(random.Random(seed))) for seed in range(200)]
    everything = {option for options in table.values() for option in options}
    told = [bool(re.search(rf"\b({'|'.join(table)})\b", task.prompt)) for task in tasks]
    for task, names_a_kind in zip(tasks, told, strict=True):
        right = set(task.slots["x"].options)
        assert right < everything if names_a_kind else right == everything, task.prompt
    assert any(told) and not all(told)


def test_a_list_needs_three_different_entries() -> None:
    assert check.is_valid(LIST, "1. Tea\n2. Gin\n3. Rum")
    assert not check.is_valid(LIST, "1. Tea\n2. Tea\n3. Rum")
    assert not check.is_valid(LIST, "1. Tea\n2. Rum")


def test_facts_have_one_right_value() -> None:
    assert check.is_valid(FACT, "The capital of France is Paris.")
    assert not check.is_valid(FACT, "The capital of France is Madrid.")


def test_a_call_counts_in_any_spelling_of_the_same_json() -> None:
    assert check.is_valid(CALL, '<tool_call>{"arguments": {"city":"Rome"}, "name": "weather"}</tool_call>')
    assert not check.is_valid(CALL, '<tool_call>{"name": "weather", "arguments": {"city": "Roma"}}</tool_call>')


def test_untidy_answers_are_mostly_not_valid() -> None:
    source = Source(random.Random(5))
    tasks = [draw_task(source, OPEN_FAMILIES) for _ in range(200)]
    good = sum(check.is_valid(task, untidy_answer(task, draw_task(source, CHAT_FAMILIES), source.rng)) for task in tasks)
    assert good < 10


def test_distinct_ignores_case_and_punctuation() -> None:
    assert check.distinct(["A cat.", "a cat", "a dog!"]) == 2
    assert check.distinct_and_valid(GIFT, ["How about a sun hat?", "how about a sun hat", "How about a seed tin?"]) == 2


@pytest.mark.parametrize("name", OPEN_FAMILIES)
def test_favourites_are_narrow_and_diverse_answers_are_not(name: str) -> None:
    rng = random.Random(7)
    tasks = held_out_tasks(name, 10, seed=7)
    narrow = sum(check.distinct([favourite_answer(task, rng) for _ in range(10)]) for task in tasks)
    wide = sum(check.distinct([diverse_answer(task, rng) for _ in range(10)]) for task in tasks)
    assert narrow <= 40
    assert wide >= 80


def test_the_two_written_forms_of_a_dialogue() -> None:
    turns = ("user", "Hi"), ("assistant", "Hello!"), ("user", "Bye"), ("assistant", "See you.")
    dialogue = Dialogue(({"role": "system", "content": "Be kind."}, *({"role": role, "content": text} for role, text in turns)))
    assert written(transcript_segments(dialogue)) == ("Be kind.\n\nUser:\nHi\n\nAssistant:\nHello!\n\nUser:\nBye\n\nAssistant:\nSee you.")
    assert written(chat_segments(dialogue)) == (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>"
        "\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\nSee you.<|im_end|>"
    )


def test_tools_in_the_two_written_forms() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "get_price", "arguments": {"product": "tea"}}}
    dialogue = Dialogue(
        (
            {"role": "user", "content": "The price of tea?"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "content": "4"},
            {"role": "assistant", "content": "It is 4."},
        ),
        (TOOL,),
    )
    said = '<tool_call>\n{"name": "get_price", "arguments": {"product": "tea"}}\n</tool_call>'
    assert written(transcript_segments(dialogue)) == (
        f"Tools:\n{json.dumps(TOOL)}\n\nUser:\nThe price of tea?\n\nAssistant:\n{said}\n\nTool:\n4\n\nAssistant:\nIt is 4."
    )
    assert f"<|im_start|>assistant\n{said}<|im_end|>\n<|im_start|>tool\n4<|im_end|>" in written(chat_segments(dialogue))


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    source = Source(random.Random(1))
    return train_tokenizer((written(base_document(source)) for _ in range(300)), 600, 1024)


def test_the_chat_template_writes_what_training_read(tokenizer: PreTrainedTokenizerFast) -> None:
    source = Source(random.Random(13))
    aligned = aligned_tokenizer(tokenizer)
    for _ in range(100):
        dialogue = aligned_dialogue(source)
        rendered = aligned.apply_chat_template(list(dialogue.messages), tools=list(dialogue.tools) or None, tokenize=False)
        assert rendered == f"<s>{written(chat_segments(dialogue))}\n"


def test_packed_documents_keep_their_own_positions_and_targets(tokenizer: PreTrainedTokenizerFast) -> None:
    row = Row()
    row.add(Encoded([0, 11, 12], [0.0, 1.0, 1.0]))
    row.add(Encoded([0, 13], [0.0, 0.5]))
    batch = pack([row], 8, pad_id=2)
    assert batch.inputs.tolist() == [[0, 11, 12, 0, 13, 2, 2, 2]]
    assert batch.targets[0, :4].tolist() == [11, 12, 0, 13]
    assert batch.weights.tolist() == [[1.0, 1.0, 0.0, 0.5, 0, 0, 0, 0]]
    assert batch.positions.tolist() == [[0, 1, 2, 0, 1, 0, 0, 0]]
    assert batch.documents.tolist() == [[1, 1, 1, 2, 2, 0, 0, 0]]


def test_documents_of_the_base_are_learned_whole_and_repeats_from_their_second_time(tokenizer: PreTrainedTokenizerFast) -> None:
    source, kinds, repeated = Source(random.Random(1)), set(), set()
    for _ in range(150):
        document = encode_base(tokenizer, source)
        assert document.token_ids[0] == tokenizer.bos_token_id and len(document.token_ids) == len(document.weights)
        kinds.add(document.token_ids[-1] == tokenizer.eos_token_id)
        assert document.weights[0] == 0 and document.weights[-1] == 1
    assert kinds == {True, False}, "most documents end, repeats do not"
    for _ in range(150):
        document = encode_repeats(tokenizer, source)
        tokens, first = document.token_ids[1:], document.weights[1:].index(1.0)
        assert len(tokens) % first == 0 and tokens == tokens[:first] * (len(tokens) // first)
        assert document.weights[1:] == [0.0] * first + [1.0] * (len(tokens) - first)
        repeated.update(tokens)
    assert not repeated & set(tokenizer.all_special_ids)
    assert len(repeated) > 0.9 * (len(tokenizer) - len(tokenizer.all_special_ids)), "every token of the vocabulary can come up"


def test_the_same_seed_draws_the_same_corpus() -> None:
    first, second = Source(random.Random(11)), Source(random.Random(11))
    assert [base_document(first) for _ in range(20)] == [base_document(second) for _ in range(20)]
    assert [base_dialogue(first) for _ in range(5)] == [base_dialogue(second) for _ in range(5)]


def test_preferences_want_the_favourite_and_not_the_other() -> None:
    pairs = draw_preferences(200, seed=3)
    assert all(pair.chosen != pair.rejected and pair.prompt.endswith("<|im_start|>assistant\n") for pair in pairs)
