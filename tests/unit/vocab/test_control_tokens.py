import pytest
from transformers import AddedToken

from baco.vocab.control_tokens import control_tokens
from tests.support.tokenizers import byte_level_bpe


@pytest.mark.parametrize(
    ("text", "steers"),
    [
        ("<think>", True),
        ("</tool_call>", True),
        ("<|fim_prefix|>", True),
        ("<\uff5cUser\uff5c>", True),
        ("<unused7>", True),
        ("|||PHONE_NUMBER|||", True),
        ("[THINK]", True),
        ("[|assistant|]", True),
        ("]~b]", True),
        (">>TITLE<<", True),
        ("<bbox>", True),
        ("<table>", False),
        ("</h1>", False),
        ("<br/>", False),
        ("\n\n", False),
        ("   ", False),
        ("▁▁▁", False),
        ("\t", False),
        ("word", False),
        ("don't", False),
        ("...", False),
        ("->", False),
        ("U.S.", False),
    ],
)
def test_an_added_token_that_looks_like_a_marker_steers(text: str, steers: bool) -> None:
    tokenizer = byte_level_bpe()
    tokenizer.add_tokens([AddedToken(text)])
    assert (text in control_tokens(tokenizer)) == steers


def test_special_tokens_steer_whatever_they_look_like_and_so_do_those_that_have_a_role() -> None:
    tokenizer = byte_level_bpe()
    tokenizer.add_tokens([AddedToken("<u>"), AddedToken("stop", special=True)])
    assert "<u>" not in control_tokens(tokenizer)
    tokenizer.eos_token = "<u>"
    assert {"<s>", "<|im_end|>", "<u>", "stop"} <= control_tokens(tokenizer).keys()
    assert all(tokenizer.convert_tokens_to_ids(text) == index for text, index in control_tokens(tokenizer).items())
