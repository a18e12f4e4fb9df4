"""Tiny pairs of random-weight models of many architectures, saved as a user's model folders would be.

Random weights at their usual scale give almost uniform distributions, which test nothing. Here the output layer is scaled so that
entropies range from a fraction of a nat to several nats, end tokens come up now and then, and the aligned model is the base with
noise on every weight: different, but with shared mass.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    DeepseekV3Config,
    FalconH1Config,
    Gemma3TextConfig,
    Gemma4TextConfig,
    GenerationConfig,
    Glm4MoeConfig,
    GPT2Config,
    GPTNeoXConfig,
    GptOssConfig,
    GraniteMoeHybridConfig,
    JambaConfig,
    KimiLinearConfig,
    Lfm2Config,
    Llama4TextConfig,
    LlamaConfig,
    Mamba2Config,
    Ministral3Config,
    MistralConfig,
    NemotronHConfig,
    Olmo2Config,
    Olmo3Config,
    OlmoHybridConfig,
    Phi3Config,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3_5TextConfig,
    Qwen3Config,
    Qwen3MoeConfig,
    Qwen3NextConfig,
    SmolLM3Config,
)

from baco import ModelPair
from tests.support.tokenizers import byte_level_bpe, sentencepiece_like

SLIDING_WINDOW = 8
CHUNK_SIZE = 16
CONTEXT_WINDOW = 256
EXTRA_CHAT_TOKEN = "<|think|>"
"""A token that only the aligned model of some architectures has: its id lies beyond the base's embedding."""

_SIZES = {"hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2, "max_position_embeddings": CONTEXT_WINDOW}
_GATED = _SIZES | {"intermediate_size": 64, "num_key_value_heads": 2}

ARCHITECTURES: dict[str, Callable[..., PreTrainedConfig]] = {
    "llama": lambda **ids: LlamaConfig(**_GATED, **ids),
    "qwen2": lambda **ids: Qwen2Config(**_GATED, **ids, tie_word_embeddings=True),
    "qwen3": lambda **ids: Qwen3Config(**_GATED, **ids, head_dim=16),
    "gemma3": lambda **ids: Gemma3TextConfig(
        **(_GATED | {"num_hidden_layers": 4}),
        **ids,
        head_dim=8,
        query_pre_attn_scalar=8,
        sliding_window=SLIDING_WINDOW,
        layer_types=["sliding_attention", "full_attention"] * 2,
        tie_word_embeddings=False,
    ),
    "olmo2": lambda **ids: Olmo2Config(**_GATED, **ids),
    "mistral": lambda **ids: MistralConfig(**_GATED, **ids, sliding_window=SLIDING_WINDOW),
    "phi3": lambda **ids: Phi3Config(**_GATED, **ids, sliding_window=SLIDING_WINDOW),
    "gpt_neox": lambda **ids: GPTNeoXConfig(**_SIZES, **ids, intermediate_size=64),
    "gpt2": lambda **ids: GPT2Config(n_embd=32, n_head=4, n_layer=2, n_positions=CONTEXT_WINDOW, tie_word_embeddings=False, **ids),
}
_DELTA = {"linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
_STATE, _FULL = "linear_attention", "full_attention"
_DEEP = _GATED | {"num_hidden_layers": 4, "head_dim": 8}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}

RECURRENT: dict[str, Callable[..., PreTrainedConfig]] = {
    "qwen3_5": lambda **ids: Qwen3_5TextConfig(**_DEEP, **_DELTA, **ids, layer_types=[_STATE] * 3 + [_FULL]),
    "qwen3_next": lambda **ids: Qwen3NextConfig(
        **_DEEP, **_DELTA, **_EXPERTS, **ids, shared_expert_intermediate_size=32, layer_types=[_STATE] * 3 + [_FULL]
    ),
    "olmo_hybrid": lambda **ids: OlmoHybridConfig(
        **_DEEP, **(_DELTA | {"linear_num_key_heads": 4}), **ids, layer_types=[_STATE] * 3 + [_FULL]
    ),
    "lfm2": lambda **ids: Lfm2Config(**_GATED | {"num_hidden_layers": 4}, **ids, layer_types=["conv", "conv", _FULL, "conv"]),
    "falcon_h1": lambda **ids: FalconH1Config(
        **_DEEP, **ids, mamba_d_ssm=32, mamba_n_heads=4, mamba_d_head=8, mamba_d_state=8, mamba_n_groups=1
    ),
    "granite_hybrid": lambda **ids: GraniteMoeHybridConfig(
        **_GATED | {"num_hidden_layers": 4},
        **ids,
        num_local_experts=0,
        shared_intermediate_size=64,
        mamba_n_heads=4,
        mamba_d_head=16,
        mamba_d_state=8,
        mamba_n_groups=1,
        layer_types=["mamba", "mamba", "attention", "mamba"],
    ),
    "nemotron_h": lambda **ids: NemotronHConfig(
        **_GATED | {"num_hidden_layers": 5, "head_dim": 8},
        **ids,
        layers_block_type=[_STATE, "mlp", _FULL, _STATE, "mlp"],
        mamba_num_heads=8,
        mamba_head_dim=8,
        ssm_state_size=8,
        n_groups=2,
    ),
    "mamba2": lambda **ids: Mamba2Config(hidden_size=32, num_hidden_layers=4, num_heads=8, head_dim=8, state_size=8, n_groups=1, **ids),
    "jamba": lambda **ids: JambaConfig(
        **_GATED | {"num_hidden_layers": 4},
        **ids,
        num_experts=4,
        mamba_d_state=8,
        mamba_dt_rank=8,
        attn_layer_period=4,
        attn_layer_offset=1,
    ),
    "kimi_linear": lambda **ids: KimiLinearConfig(
        **(_DEEP | _EXPERTS | {"num_key_value_heads": 4}),
        **ids,
        linear_head_dim=8,
        linear_num_heads=4,
        layer_types=[_STATE] * 3 + [_FULL],
        kv_lora_rank=16,
        qk_nope_head_dim=8,
        qk_rope_head_dim=8,
        v_head_dim=8,
    ),
}
"""Architectures with a state that has no positions."""

_SLIDING = {"sliding_window": SLIDING_WINDOW, "layer_types": ["sliding_attention", _FULL] * 2}

MODERN: dict[str, Callable[..., PreTrainedConfig]] = {
    "qwen3_moe": lambda **ids: Qwen3MoeConfig(**_DEEP, **_EXPERTS, **ids),
    "gpt_oss": lambda **ids: GptOssConfig(**_DEEP, **_SLIDING, **ids, num_local_experts=4, num_experts_per_tok=2),
    "gemma4": lambda **ids: Gemma4TextConfig(
        **_DEEP,
        **_SLIDING,
        **ids,
        vocab_size_per_layer_input=ids["vocab_size"],
        hidden_size_per_layer_input=8,
        num_kv_shared_layers=0,
        tie_word_embeddings=False,
    ),
    "ministral3": lambda **ids: Ministral3Config(**_DEEP, **ids),
    "olmo3": lambda **ids: Olmo3Config(**(_GATED | {"num_hidden_layers": 4}), **_SLIDING, **ids),
    "smollm3": lambda **ids: SmolLM3Config(**_GATED, **ids),
    "glm4_moe": lambda **ids: Glm4MoeConfig(
        **_DEEP,
        **ids,
        n_routed_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=32,
        first_k_dense_replace=1,
        n_group=1,
        topk_group=1,
    ),
    "llama4": lambda **ids: Llama4TextConfig(
        **_DEEP,
        **ids,
        intermediate_size_mlp=64,
        num_local_experts=2,
        attention_chunk_size=CHUNK_SIZE,
        attn_temperature_tuning=True,
        floor_scale=8,
        layer_types=["chunked_attention"] * 3 + [_FULL],
        no_rope_layers=[1, 1, 1, 0],
    ),
    "deepseek_v3": lambda **ids: DeepseekV3Config(
        **(_DEEP | {"num_key_value_heads": 4}),
        **ids,
        n_routed_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=32,
        first_k_dense_replace=1,
        n_group=1,
        topk_group=1,
        q_lora_rank=16,
        kv_lora_rank=16,
        qk_rope_head_dim=8,
        qk_nope_head_dim=8,
        v_head_dim=8,
    ),
}
"""Other architectures of today."""

SENTENCEPIECE = ("gemma3", "mistral", "phi3")
WITH_EXTRA_CHAT_TOKEN = ("qwen3", "gpt_neox", "gpt2")

WEIGHT_SCALE = 0.3
LOGIT_SCALE = 4.0
END_TOKEN_SCALE = 1.8
EXTRA_TOKEN_SCALE = 3.0
NOISE_SCALE = 0.12
CONVOLUTION_SCALE = 8.0
"""Else the states of some architectures hardly matter."""


def make_pair_folders(tmp: Path, arch: str) -> tuple[Path, Path]:
    """Save the pair of one architecture under `tmp`; return the folders of the base and of the aligned model."""
    base_tokenizer, tokenizer = _tokenizers(arch)
    base = _new_model(arch, len(base_tokenizer), tokenizer, seed=3)
    aligned = _perturbed(base, _new_model(arch, len(tokenizer), tokenizer, seed=13))
    ends = {"base": "</s>", "aligned": "<|im_end|>"}
    folders = {which: tmp / arch / which for which in ends}
    for which, model, its_tokenizer in (("base", base, base_tokenizer), ("aligned", aligned, tokenizer)):
        ids = {"eos_token_id": tokenizer.convert_tokens_to_ids(ends[which]), "pad_token_id": tokenizer.pad_token_id}
        model.generation_config = GenerationConfig(bos_token_id=tokenizer.bos_token_id, **ids)
        model.save_pretrained(folders[which])
        its_tokenizer.save_pretrained(folders[which])
    return folders["base"], folders["aligned"]


def make_pair(arch: str, tokenizer: PreTrainedTokenizerFast, end: str = "</s>") -> ModelPair:
    """Make a pair in memory, both models of which use one tokenizer."""
    base = _new_model(arch, len(tokenizer), tokenizer, seed=3)
    aligned = _perturbed(base, _new_model(arch, len(tokenizer), tokenizer, seed=13))
    for model in (base, aligned):
        model.generation_config = GenerationConfig(eos_token_id=tokenizer.convert_tokens_to_ids(end))
    return ModelPair.from_models(base, aligned, tokenizer)


def _tokenizers(arch: str) -> tuple[PreTrainedTokenizerFast, PreTrainedTokenizerFast]:
    """Tokenizers of the base (no chat template) and of the aligned model."""
    build = sentencepiece_like if arch in SENTENCEPIECE else byte_level_bpe
    base, aligned = build(), build()
    base.chat_template = None
    # AutoTokenizer makes Qwen-2's own class of it, which would add an id beyond the models' embeddings as its unknown token.
    base.unk_token = aligned.unk_token = base.unk_token or "<pad>"
    if arch in WITH_EXTRA_CHAT_TOKEN:
        aligned.add_special_tokens({"additional_special_tokens": [EXTRA_CHAT_TOKEN]}, replace_extra_special_tokens=False)
    return base, aligned


def _new_model(arch: str, vocab_size: int, tokenizer: PreTrainedTokenizerFast, seed: int) -> PreTrainedModel:
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = (ARCHITECTURES | RECURRENT | MODERN)[arch](vocab_size=vocab_size, **ids)
    config.initializer_range = WEIGHT_SCALE
    torch.manual_seed(seed)
    model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, torch.nn.Conv1d):
            module.weight *= CONVOLUTION_SCALE
    head = model.get_output_embeddings().weight
    head.copy_(torch.randn(head.shape) * LOGIT_SCALE / head.shape[1] ** 0.5)
    scales = {"</s>": END_TOKEN_SCALE, "<|im_end|>": END_TOKEN_SCALE, EXTRA_CHAT_TOKEN: EXTRA_TOKEN_SCALE}
    for token, scale in scales.items():
        token_id = tokenizer.get_vocab().get(token)
        if token_id is not None and token_id < vocab_size:
            head[token_id] *= scale
    return model  # type: ignore[no-any-return]


def _perturbed(base: PreTrainedModel, aligned: PreTrainedModel) -> PreTrainedModel:
    """Make the aligned model the base plus noise on every weight; rows of tokens that the base lacks keep their own weights."""
    originals = dict(base.named_parameters())
    for name, weight in aligned.named_parameters():
        original = originals[name]
        noise = torch.randn(original.shape) * NOISE_SCALE * max(float(original.std()), WEIGHT_SCALE)
        weight[: len(original)] = original + noise
    return aligned
