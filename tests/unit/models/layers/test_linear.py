"""Linear layers in another form, beside `F.linear` of the weight that they stand for."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from baco.models.layers.linear import MIN_FLOAT32_WEIGHTS, PackedLinear, WeightOnlyLinear, can_pack, packing_pays
from baco.models.layers.quantized import BLOCK, Int4Linear, Int8Linear, dequantize_int4, quantize_int4, quantize_int8

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 1e-2, torch.float16: 2e-3}
"""Of the largest output: a few roundings of each type."""
MODES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "inference": torch.inference_mode,
    "no grad": torch.no_grad,
    "plain": nullcontext,
}

on_packing_processors = pytest.mark.skipif(not can_pack(torch.float32), reason="needs oneDNN on an x86 processor")


def linear(in_features: int, out_features: int, dtype: torch.dtype = torch.float32, bias: bool = True, seed: int = 0) -> nn.Linear:
    generator = torch.Generator().manual_seed(seed)
    layer = nn.Linear(in_features, out_features, bias=bias).requires_grad_(False)
    layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator))
    if bias:
        layer.bias.copy_(torch.randn(layer.bias.shape, generator=generator))
    return layer.to(dtype)


def inputs(*shape: int, dtype: torch.dtype, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def dense(layer: WeightOnlyLinear, plain: nn.Linear) -> Tensor:
    """The weight that a layer stands for, in float64, from the quantiser's own output."""
    if isinstance(layer, Int8Linear):
        codes, scales = quantize_int8(plain.weight)
        return codes.double() * scales.double()[:, None]
    if isinstance(layer, Int4Linear):
        int4, scales_and_zeros = quantize_int4(plain.weight)
        return dequantize_int4(int4, scales_and_zeros.double())
    return plain.weight.double()


def expected(layer: WeightOnlyLinear, plain: nn.Linear, x: Tensor) -> Tensor:
    return functional.linear(x.double(), dense(layer, plain), None if plain.bias is None else plain.bias.double())


def error(result: Tensor, truth: Tensor) -> float:
    return float((result.double() - truth).abs().max() / truth.abs().max())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(1,), (3,), (17,), (0,), (2, 3), (2, 1), (1, 40)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", [PackedLinear, Int8Linear, Int4Linear])
def test_a_layer_is_the_product_with_its_weight(
    form: type[WeightOnlyLinear], dtype: torch.dtype, shape: tuple[int, ...], mode: str
) -> None:
    if form is PackedLinear and not can_pack(dtype):
        pytest.skip("this processor does not pack this type")
    plain = linear(96, 48, dtype)
    layer = form(plain)
    x = inputs(*shape, 96, dtype=dtype)
    with MODES[mode]():
        result = layer(x)
    assert result.shape == (*shape, 48) and result.dtype == dtype
    if x.numel():
        assert error(result, expected(layer, plain, x)) < TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("form", [PackedLinear, Int8Linear, Int4Linear])
def test_a_layer_of_several_blocks_without_a_bias_reads_strided_rows(form: type[WeightOnlyLinear], dtype: torch.dtype) -> None:
    if form is PackedLinear and not can_pack(dtype):
        pytest.skip("this processor does not pack this type")
    plain = linear(64, BLOCK + 16, dtype, bias=False)
    layer = form(plain)
    for rows in (2, 30):
        x = inputs(rows, 128, dtype=dtype)[:, ::2]
        assert error(layer(x), expected(layer, plain, x)) < TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", [Int8Linear, Int4Linear])
def test_the_weight_of_a_quantised_layer_is_what_its_codes_say(form: type[WeightOnlyLinear], dtype: torch.dtype) -> None:
    plain = linear(64, 32, dtype)
    layer = form(plain)
    assert layer.weight.shape == plain.weight.shape and layer.weight.dtype == dtype
    assert error(layer.weight, dense(layer, plain)) < TOLERANCE[dtype]


@on_packing_processors
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_packed_weight_comes_back_bit_for_bit(dtype: torch.dtype) -> None:
    if not can_pack(dtype):
        pytest.skip("this processor does not pack this type")
    plain = linear(40, 33, dtype)
    assert torch.equal(PackedLinear(plain).weight, plain.weight)


@on_packing_processors
@pytest.mark.parametrize("bias", [True, False])
def test_a_compiled_program_multiplies_with_the_same_packed_weight(bias: bool) -> None:
    plain = linear(40, 33, bias=bias)
    layer = PackedLinear(plain)
    copied = copy.deepcopy(layer)
    del layer
    x = torch.randn(2, 3, 40)
    with torch.inference_mode():
        program = torch.compile(copied, backend="aot_eager", fullgraph=True)
        assert torch.equal(program(x), copied(x))
        torch.testing.assert_close(program(x), plain(x))


@given(st.integers(1, 5), st.integers(1, 40), st.sampled_from(DTYPES), st.floats(-6, 3), st.integers(0, 2**31), st.booleans())
def test_eight_bits_are_off_by_at_most_half_a_step(
    rows: int, columns: int, dtype: torch.dtype, exponent: float, seed: int, one_row_of_zeros: bool
) -> None:
    weight = (torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * 10**exponent).to(dtype)
    if one_row_of_zeros:
        weight[0] = 0
    codes, scales = quantize_int8(weight)
    assert codes.dtype == torch.int8 and codes.abs().max() <= 127
    off = (codes.double() * scales.double()[:, None] - weight.double()).abs()
    assert (off <= scales.double()[:, None] * (0.5 + 1e-6)).all()


@given(st.integers(1, 3), st.integers(1, 4), st.floats(-3, 2), st.floats(-3, 3), st.integers(0, 2**31))
def test_four_bits_are_off_by_at_most_half_a_step(rows: int, groups: int, exponent: float, offset: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = (torch.randn(rows, groups * 32, generator=generator) + offset) * 10**exponent
    codes, scales_and_zeros = quantize_int4(weight)
    assert codes.max() <= 15
    assert scales_and_zeros.shape == (groups, rows, 2)
    steps = scales_and_zeros[..., 0].t().repeat_interleave(32, dim=1).double()
    off = (dequantize_int4(codes, scales_and_zeros.double()) - weight.double()).abs()
    assert (off <= steps * 0.501 + weight.abs().max().double() * 1e-6).all()


def test_four_bits_spend_all_codes_between_the_smallest_and_the_largest_weight() -> None:
    weight = torch.linspace(-1, 2, 32)[None]
    codes, scales_and_zeros = quantize_int4(weight)
    assert (int(codes[0, 0]), int(codes[0, -1])) == (0, 15)
    assert torch.allclose(dequantize_int4(codes, scales_and_zeros)[0, [0, -1]], torch.tensor([-1.0, 2.0]), atol=1e-5)


@pytest.mark.parametrize(
    ("form", "sizes", "taken"),
    [
        (Int8Linear, (64, 7), True),
        (Int8Linear, (48, 64), False),
        (Int4Linear, (64, 48), True),
        (Int4Linear, (64, 40), False),
        (Int4Linear, (48, 48), False),
    ],
)
def test_a_size_that_a_kernel_does_not_take_is_refused(form: type[WeightOnlyLinear], sizes: tuple[int, int], taken: bool) -> None:
    assert form.takes(linear(*sizes)) is taken


@on_packing_processors
def test_only_what_gains_by_it_is_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baco.models.layers.linear.packing_pays", lambda dtype: True)
    assert PackedLinear.takes(linear(MIN_FLOAT32_WEIGHTS // 128, 128))
    assert not PackedLinear.takes(linear(32, 32))
    assert not PackedLinear.takes(linear(32, 32, torch.float16))
    assert not PackedLinear.takes(nn.Linear(MIN_FLOAT32_WEIGHTS, 2, device="meta"))
    monkeypatch.setattr("baco.models.layers.linear.packing_pays", lambda dtype: False)
    assert not PackedLinear.takes(linear(MIN_FLOAT32_WEIGHTS // 128, 128))


@pytest.mark.parametrize(
    ("intel", "bfloat16", "tiles", "pays"),
    [
        (True, False, False, {torch.float32: False, torch.bfloat16: False}),
        (True, True, False, {torch.float32: False, torch.bfloat16: True}),
        (True, False, True, {torch.float32: False, torch.bfloat16: True}),
        (False, False, False, {torch.float32: True, torch.bfloat16: False}),
        (False, True, False, {torch.float32: True, torch.bfloat16: True}),
    ],
)
def test_packing_depends_on_the_processor(
    intel: bool, bfloat16: bool, tiles: bool, pays: dict[torch.dtype, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("baco.models.layers.linear._is_intel", lambda: intel)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bfloat16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    packing_pays.cache_clear()
    try:
        assert {dtype: packing_pays(dtype) for dtype in pays} == pays
    finally:
        packing_pays.cache_clear()


def test_without_onednn_nothing_is_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    can_pack.cache_clear()
    try:
        assert not can_pack(torch.float32)
    finally:
        can_pack.cache_clear()


@on_packing_processors
def test_a_trial_that_goes_wrong_means_no_packing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Tensor:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", fail)
    can_pack.cache_clear()
    try:
        assert not can_pack(torch.float32)
    finally:
        can_pack.cache_clear()


@pytest.mark.parametrize("form", [PackedLinear, Int8Linear, Int4Linear])
def test_a_copy_works_shares_the_weight_and_saves_as_a_plain_layer(form: type[WeightOnlyLinear]) -> None:
    if form is PackedLinear and not can_pack(torch.float32):
        pytest.skip("this processor does not pack")
    plain = linear(64, 32)
    model = nn.Sequential(form(plain).eval())
    copied = copy.deepcopy(model)
    x = inputs(3, 64, dtype=torch.float32)
    assert copied[0] is not model[0] and not copied[0].training
    assert torch.equal(copied(x), model(x))
    assert {id(tensor) for tensor in copied.buffers()} == {id(tensor) for tensor in model.buffers()}
    saved = nn.Sequential(linear(64, 32, seed=9))
    saved.load_state_dict(copied.state_dict())
    assert error(saved(x), expected(model[0], plain, x)) < 1e-5
