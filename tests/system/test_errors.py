"""Every bad input gets an error of its own kind that says what to do, before any model has done any work."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

import baco.models.pair
from baco import (
    BacoError,
    ChatTemplateError,
    ConfigError,
    ContextOverflowError,
    Engine,
    ModelNotFoundError,
    ModelPair,
    PromptError,
    Router,
    SamplingParams,
    UnknownKeywordError,
    VocabularyError,
)
from tests.support.pairs import CONTEXT_WINDOW

PairFolders = Callable[[str], tuple[Path, Path]]
LONG = "a long story about the sea " * 60


@pytest.fixture
def idle(engine: Engine) -> Iterator[Engine]:
    """An engine whose models must not run while the test does."""
    passes: list[str] = []
    hooks = [
        model.register_forward_pre_hook(lambda module, inputs: passes.append(type(module).__name__))
        for model in (engine.pair.base, engine.pair.aligned)
    ]
    yield engine
    for hook in hooks:
        hook.remove()
    assert passes == [], "a model ran before the error"


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """No weight may be read while the test runs."""

    def read(*args: object) -> None:
        raise AssertionError("weights were read before the error")

    monkeypatch.setattr(baco.models.pair, "load_model", read)


def all_ways(engine: Engine) -> list[Callable[..., Any]]:
    """The ways to ask for an answer. A stream must refuse when it is asked for, not at its first event."""
    return [engine.generate, engine.stream, lambda prompt, *rest, **named: engine.generate_batch(["good", prompt, "good"], *rest, **named)]


def test_every_refusal_can_be_caught_as_one_kind_and_as_pythons_own() -> None:
    assert issubclass(ConfigError, BacoError) and issubclass(ConfigError, ValueError)
    assert issubclass(UnknownKeywordError, TypeError)
    assert issubclass(PromptError, BacoError) and issubclass(PromptError, ValueError)


@pytest.mark.parametrize("prompt", ["", "  \n\t", [], [{"role": "user", "content": " "}]])
def test_an_empty_prompt_is_refused(idle: Engine, prompt: Any) -> None:
    for ask in all_ways(idle):
        with pytest.raises(PromptError, match="the prompt is empty; give at least one message with text"):
            ask(prompt)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ([{"role": "User", "content": "hi"}], "message 0 has the role 'User'; roles are: system, user, assistant, tool"),
        ([{"content": "hi"}], "message 0 has the role None"),
        ([{"role": "user", "content": "hi"}, {"role": "user", "content": None}], r"message 1 \(user\) must have a text .* but has None"),
    ],
)
def test_a_malformed_message_is_named(idle: Engine, prompt: Any, message: str) -> None:
    for ask in all_ways(idle):
        with pytest.raises(PromptError, match=message):
            ask(prompt)


@pytest.mark.parametrize("which", ["base", "aligned"])
def test_a_prompt_beyond_the_context_names_the_model_and_the_counts(idle: Engine, which: str) -> None:
    for ask in all_ways(idle):
        with pytest.raises(ContextOverflowError, match=f"the {which} model's prompt .* holds {CONTEXT_WINDOW}") as caught:
            ask(LONG, None, Router(which))
        error = caught.value
        assert (error.model, error.max_model_len) == (which, CONTEXT_WINDOW)
        assert error.prompt_tokens > CONTEXT_WINDOW and str(error.prompt_tokens) in str(error)
        assert f"shorten the prompt by {error.prompt_tokens - CONTEXT_WINDOW + 1} tokens" in str(error)


def test_a_prompt_that_leaves_no_room_for_one_token_is_refused_and_one_that_does_is_not(engine: Engine) -> None:
    prompt = "the sea and the fish"
    ids = engine.generate(prompt, SamplingParams(max_tokens=1, seed=0)).prompt_token_ids
    longest = max(len(tokens) for tokens in ids.values())
    with pytest.raises(ContextOverflowError, match=f"has {longest} tokens, .* holds {longest} .*shorten the prompt by 1 tokens"):
        Engine(engine.pair, max_model_len=longest).generate(prompt)
    result = Engine(engine.pair, max_model_len=longest + 1).generate(prompt, SamplingParams(seed=0))
    assert len(result.candidates[0].token_ids) == 1


def test_an_empty_batch_or_a_text_in_place_of_one_is_refused(idle: Engine) -> None:
    wrong: list[Any] = [[], "a fish"]
    for batch in wrong:
        with pytest.raises(ConfigError, match="`batch` must be a list of at least one prompt"):
            idle.generate_batch(batch)


def test_an_unknown_base_prompt_names_the_nearest(idle: Engine) -> None:
    message = r"`base_prompt` must be 'transcript', 'template' or a Jinja template.*did you mean 'transcript'\?"
    for ask in all_ways(idle):
        with pytest.raises(ConfigError, match=message):
            ask("a fish", base_prompt="transcripts")


def test_an_unknown_keyword_of_the_engine_is_an_error(idle: Engine) -> None:
    for ask in all_ways(idle):
        with pytest.raises(TypeError, match="temperature"):
            ask("a fish", temperature=0.5)


def test_a_tokenizer_without_a_chat_template_is_named(engine: Engine, idle: Engine) -> None:
    tokenizer = AutoTokenizer.from_pretrained(engine.pair.tokenizer.name_or_path)
    tokenizer.chat_template = None
    bare = Engine(ModelPair.from_models(engine.pair.base, engine.pair.aligned, tokenizer))
    for ask in all_ways(bare):
        with pytest.raises(ChatTemplateError, match=r"has no chat template; is this the aligned \(instruct\) model") as caught:
            ask("a fish")
        assert tokenizer.name_or_path in str(caught.value)


def test_a_base_model_alone_needs_no_chat_template(engine: Engine) -> None:
    tokenizer = AutoTokenizer.from_pretrained(engine.pair.tokenizer.name_or_path)
    tokenizer.chat_template = None
    bare = Engine(ModelPair.from_models(engine.pair.base, engine.pair.aligned, tokenizer))
    params = SamplingParams(max_tokens=6, seed=1)
    assert bare.generate("a fish", params, Router("base")).candidates == engine.generate("a fish", params, Router("base")).candidates


@pytest.mark.usefixtures("no_weights")
def test_mismatched_vocabularies_show_the_first_differing_tokens(pair_folders: PairFolders) -> None:
    base, _ = pair_folders("llama")
    _, aligned = pair_folders("mistral")
    with pytest.raises(VocabularyError, match=r"differ in [0-9]+ of the [0-9]+ ids that both have") as caught:
        ModelPair.from_pretrained(base=str(base), aligned=str(aligned))
    tokens = [AutoTokenizer.from_pretrained(folder).convert_ids_to_tokens([5, 6, 7]) for folder in (base, aligned)]
    for token_id, ours, theirs in zip((5, 6, 7), *tokens, strict=True):
        assert f"id {token_id}: base {ours!r}, aligned {theirs!r}" in str(caught.value)


@pytest.mark.usefixtures("no_weights")
def test_a_missing_model_folder_is_named(tmp_path: Path, pair_folders: PairFolders) -> None:
    base, aligned = pair_folders("llama")
    for missing in (str(tmp_path / "nowhere"), "./nowhere", "~/nowhere-at-all", "no/such/folder"):
        for pair in ({"base": missing, "aligned": str(aligned)}, {"base": str(base), "aligned": missing}):
            with pytest.raises(ModelNotFoundError, match="there is no model folder") as caught:
                ModelPair.from_pretrained(**pair)
            assert repr(missing) in str(caught.value)


@pytest.mark.usefixtures("no_weights")
def test_a_folder_without_a_model_is_named(tmp_path: Path, pair_folders: PairFolders) -> None:
    _, aligned = pair_folders("llama")
    with pytest.raises(ModelNotFoundError, match=r"has no config.json, so it is not a transformers model folder"):
        ModelPair.from_pretrained(base=str(tmp_path), aligned=str(aligned))


def test_a_folder_without_weights_or_tokenizer_says_what_it_needs(tmp_path: Path, pair_folders: PairFolders) -> None:
    base, aligned = pair_folders("llama")
    for missing in ("model.safetensors", "tokenizer.json"):
        broken = tmp_path / missing
        shutil.copytree(base, broken)
        (broken / missing).unlink()
        with pytest.raises(ModelNotFoundError, match=r"(?s)cannot load .*config.json, model.safetensors and tokenizer.json"):
            ModelPair.from_pretrained(base=str(broken), aligned=str(aligned))


@pytest.mark.usefixtures("no_weights")
def test_a_hub_id_that_cannot_be_reached_says_what_to_do(pair_folders: PairFolders) -> None:
    _, aligned = pair_folders("llama")
    with pytest.raises(ModelNotFoundError, match=r"(?s)cannot load 'nobody/nothing'.*network access once"):
        ModelPair.from_pretrained(base="nobody/nothing", aligned=str(aligned))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"pair": "qwen2.5-0.5"}, ModelNotFoundError, r"did you mean 'qwen2.5-0.5b'\?"),
        ({"pair": "tiny", "base": "x"}, ConfigError, "give a pair by name, or `base` and `aligned`, not both"),
        ({"base": "x/y"}, ConfigError, "a pair needs both `base` and `aligned`"),
        ({"base": "smollm2-135m", "aligned": "x/y"}, ModelNotFoundError, "is a preset, which names two models"),
        ({"dtype": "float8"}, ConfigError, "`dtype` must be one of auto, float32, bfloat16, float16, but is 'float8'"),
        ({"device": "tpu"}, ConfigError, "`device` must be one of auto, cpu, cuda, mps"),
        ({"device": "cuda:99"}, ConfigError, "`device`"),
        ({"quantization": "int3"}, ConfigError, "`quantization` must be None, 'int8' or 'int4', but is 'int3'"),
    ],
)
@pytest.mark.usefixtures("no_weights")
def test_a_pair_that_cannot_be_is_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ModelPair.from_pretrained(**arguments)
