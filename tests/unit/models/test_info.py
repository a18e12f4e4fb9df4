"""What is known of a pair without its models: read off the models, or stated by a backend that runs models of its own."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

import baco
from baco import ConfigError, Grammar, ModelPair, Router, SamplingParams
from baco.decoding.sequence import CommittedToken
from baco.engine.requests import build_requests
from baco.models.info import PairInfo
from baco.text.prompts import build_prompt
from baco.vocab.compatibility import check_vocabularies
from tests.support.tokenizers import byte_level_bpe


@pytest.fixture
def info() -> PairInfo:
    """A pair of no models: two tokenizers and some numbers."""
    tokenizer = byte_level_bpe()
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    return PairInfo(
        name="served",
        config=None,
        tokenizer=tokenizer,
        base_tokenizer=tokenizer,
        vocab_size=len(tokenizer),
        base_embedding_rows=end,
        context_window=64,
        base_end_ids=frozenset({tokenizer.eos_token_id}),
        aligned_end_ids=frozenset({end}),
    )


def test_prompts_and_answers_need_no_models(info: PairInfo) -> None:
    prompt = build_prompt(info, "the sea", models=("base", "aligned"), max_model_len=info.context_window)
    chat = [{"role": "user", "content": "the sea"}]
    assert prompt.token_ids == {
        "base": [info.tokenizer.bos_token_id, *info.tokenizer.encode("User:\nthe sea\n\nAssistant:\n", add_special_tokens=False)],
        "aligned": info.tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False),
    }
    choices = Grammar.choices(["the captain", "the sea"])
    params = SamplingParams(n=2, max_tokens=8, seed=3, grammar=choices)
    sizes = {"max_model_len": info.context_window, "max_batch_size": 2}
    (request,) = build_requests(info, [prompt], params, Router(), [], score=False, model_logprobs=False, **sizes)
    written = info.tokenizer.encode("the captain", add_special_tokens=False)
    for answer in request.answers(info):
        assert not answer.push([CommittedToken(token_id, from_base=True, finish_reason=None, logprobs=None) for token_id in written])
        assert answer.push([CommittedToken(min(info.aligned_end_ids), from_base=False, finish_reason="stop", logprobs=None)])
    result = request.done.result(timeout=0)
    assert [candidate.text for candidate in result.candidates] == ["the captain"] * 2
    assert result.usage.base_tokens == 2 * len(written)


def test_the_base_reads_no_template_whose_tokens_it_lacks(info: PairInfo) -> None:
    with pytest.raises(ConfigError, match=rf"embedding lacks the chat tokens \[{info.base_embedding_rows}"):
        build_prompt(info, "the sea", models=("base",), base_prompt="template", max_model_len=info.context_window)


def test_a_pairs_numbers_are_those_of_its_files() -> None:
    folder = Path(baco.__file__).parent / "pairs" / "tiny"
    configs, generation = (
        {which: json.loads((folder / which / name).read_text()) for which in ("base", "aligned")}
        for name in ("config.json", "generation_config.json")
    )
    pair = ModelPair.from_pretrained()
    info = pair.info
    assert info.vocab_size == max(config["vocab_size"] for config in configs.values())
    assert info.base_embedding_rows == configs["base"]["vocab_size"]
    assert info.context_window == min(config["max_position_embeddings"] for config in configs.values())
    for which in ("base", "aligned"):
        listed = generation[which]["eos_token_id"]
        assert info.end_ids(which) == set(listed if isinstance(listed, list) else [listed])  # type: ignore[arg-type]
    assert info.lexicon.special.nonzero().flatten().tolist() == pair.lexicon.special.nonzero().flatten().tolist()
    assert info.calibration_file is not None and info.calibration_file.is_file()


def test_a_reserved_token_that_the_aligned_model_renames_is_special_and_so_are_its_markers(info: PairInfo) -> None:
    state = json.loads(info.base_tokenizer.backend_tokenizer.to_str())
    renamed = next(token for token in state["added_tokens"] if token["content"] == "<pad>")
    state["model"]["vocab"]["pondering"] = state["model"]["vocab"].pop("<pad>")
    renamed.update(content="pondering", special=False)
    aligned = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(state)))
    aligned.add_tokens(["<think>", "xylophone"])
    check_vocabularies(info.base_tokenizer, aligned)
    lexicon = replace(info, tokenizer=aligned, vocab_size=len(aligned)).lexicon
    special = {text: bool(lexicon.special[aligned.get_vocab()[text]]) for text in ("pondering", "<think>", "xylophone", "<|im_end|>")}
    assert special == {"pondering": True, "<think>": True, "xylophone": False, "<|im_end|>": True}
