"""Measurements: every method at every batch size on one pair, taking turns, and what comes out as figures.

Knows methods and subjects; knows nothing of how figures are shown.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from transformers import PreTrainedModel

from baco.models.layer_kinds import layer_kinds
from baco.text.prompts import build_prompt
from benchmarks.methods import METHODS, methods_for
from benchmarks.random_pair import embedding_of, head_of
from benchmarks.subjects import Subject
from benchmarks.timing import Timing, Work, measure_bandwidth, peak_resident_bytes

WARM_UP_TOKENS = 4
MEGABYTE = 1e6

ENGINE, LOOP, GENERATE, ASSISTED = METHODS

Progress = Callable[[str], None]
"""Told what is done next."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured on one pair."""

    batches: tuple[int, ...]
    new_tokens: int
    repeats: int

    @property
    def runs(self) -> int:
        """Runs of all methods together."""
        return sum((self.repeats + 1) * len(methods_for(rows)) for rows in self.batches)


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Medians over the repeats of one method at one batch size; what the method does not tell, or has not, is None."""

    pair: str
    method: str
    batch: int
    prompt_tokens: int
    """Of the last repeat."""
    new_tokens: int
    repeats: int
    tokens_per_second: float
    """New tokens of all rows over the wall-clock time of the whole call."""
    ttft_ms: float
    """From the call to the first token."""
    tpot_ms: float
    """Time per token of a row, after the first."""
    passes_per_token: float | None
    """Forward passes of both models over the tokens of one row."""
    proposed: int | None
    accepted: int | None
    """Tokens of the last repeat that one model or a draft proposed, and those of them that were kept."""
    acceptance: float | None
    """Accepted over proposed tokens."""
    base_share: float | None
    times_loop: float
    """Tokens per second over those of the two-model loop."""
    times_generate: float
    """The same over those of `generate`."""
    weights_mb: float
    """What the weights take that the method uses, tensors that two models share counted once."""
    device_peak_mb: float | None
    """The same, and what the run took beside it at its peak. Only CUDA counts it by run."""
    bandwidth_share: float | None
    """Share of the device's bandwidth that reading weights takes after the first token. Only on CUDA."""
    process_peak_mb: float
    """Largest resident set of the whole process so far: all models, those of the other methods among them."""


def measure(subject: Subject, plan: Plan, prompts: Iterator[str], progress: Progress) -> list[Measurement]:
    """Time all methods on one pair, batch size by batch size; every repeat takes a prompt that no method has read before."""
    measurements = []
    # On CUDA, the warm-up also records what a whole answer needs.
    on_cuda = subject.device.type == "cuda"
    bandwidth = measure_bandwidth(subject.device) if on_cuda else None
    has_states = any(kind.has_state for kind in layer_kinds(subject.aligned.config))
    for rows in plan.batches:
        methods = methods_for(rows, has_states=has_states)
        timings: dict[str, list[Timing]] = {method: [] for method in methods}
        for repeat in range(plan.repeats + 1):
            prompt, new_tokens = next(prompts), plan.new_tokens if repeat or on_cuda else WARM_UP_TOKENS
            work = Work(prompt=prompt, token_ids=prompt_ids(subject, prompt), rows=rows, new_tokens=new_tokens)
            for method, run in methods.items():
                progress(f"{subject.title}: {rows} rows, {method}")
                timing = run(subject, work)
                if repeat:
                    timings[method].append(timing)
        speeds = {method: median(run.tokens / run.total for run in runs) for method, runs in timings.items()}
        measurements += [_summarise(subject, work, method, runs, speeds, bandwidth) for method, runs in timings.items()]
    return measurements


def prompt_ids(subject: Subject, prompt: str) -> list[int]:
    """The prompt as both models read it here: in the aligned model's template."""
    engine = subject.engine
    encoded = build_prompt(engine.pair.info, prompt, models=["aligned"], base_prompt="template", max_model_len=engine.max_model_len)
    return encoded.token_ids["aligned"]


def _summarise(
    subject: Subject, work: Work, method: str, runs: Sequence[Timing], speeds: Mapping[str, float], bandwidth: float | None
) -> Measurement:
    weights, last = weight_bytes(subject, method), runs[-1]
    tpot = median((run.total - run.ttft) / (work.new_tokens - 1) for run in runs)
    per_token = [passed / work.new_tokens for run in runs if (passed := _read_bytes(subject, run)) is not None]
    passes = [(run.passes.base + run.passes.aligned) / work.new_tokens for run in runs if run.passes is not None]
    extra = [run.extra_bytes for run in runs if run.extra_bytes is not None]
    # Nothing else proposes tokens and tells of it.
    speculation = last.passes if method == ENGINE else None
    return Measurement(
        pair=subject.title,
        method=method,
        batch=work.rows,
        prompt_tokens=len(work.token_ids),
        new_tokens=work.new_tokens,
        repeats=len(runs),
        tokens_per_second=speeds[method],
        ttft_ms=median(run.ttft * 1000 for run in runs),
        tpot_ms=tpot * 1000,
        passes_per_token=median(passes) if passes else None,
        proposed=speculation.proposed if speculation else None,
        accepted=speculation.accepted if speculation else None,
        acceptance=speculation.accepted / speculation.proposed if speculation and speculation.proposed else None,
        base_share=last.base_share,
        times_loop=speeds[method] / speeds[LOOP],
        times_generate=speeds[method] / speeds[GENERATE],
        weights_mb=weights / MEGABYTE,
        device_peak_mb=(weights + max(extra)) / MEGABYTE if extra else None,
        bandwidth_share=median(per_token) / tpot / bandwidth if per_token and bandwidth is not None else None,
        process_peak_mb=peak_resident_bytes() / MEGABYTE,
    )


def weight_bytes(subject: Subject, method: str) -> int:
    """Bytes of all weights that a method needs."""
    if method == ENGINE:
        return subject.engine.pair.memory()["total"]
    models = [subject.aligned] if method == GENERATE else [subject.base, subject.aligned]
    return sum(weight.numel() * weight.element_size() for model in models for weight in model.parameters())


def bytes_a_pass(model: PreTrainedModel) -> int:
    """Bytes of weights that one pass reads: all but the embedding, of which it reads a row a token, unless the head is the same tensor."""
    embedding, head = embedding_of(model), head_of(model)
    total = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    return total if embedding is head else total - embedding.numel() * embedding.element_size()


def _read_bytes(subject: Subject, run: Timing) -> int | None:
    """Bytes of weights that a run's passes read."""
    if run.passes is None:
        return None
    return run.passes.base * bytes_a_pass(subject.base) + run.passes.aligned * bytes_a_pass(subject.aligned)
