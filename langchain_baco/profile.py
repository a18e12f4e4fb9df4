"""What a pair can do, in the terms of LangChain's model profiles, which agents and middleware read. Knows capabilities; loads nothing."""

from langchain_core.language_models import ModelProfile

from baco.models.capabilities import Capabilities


def profile(known: Capabilities, name: str) -> ModelProfile:
    """State capabilities as a profile. What is not known is left out, as LangChain expects it."""
    found = ModelProfile(
        name=name,
        open_weights=True,
        text_inputs=True,
        image_inputs=False,
        audio_inputs=False,
        video_inputs=False,
        text_outputs=True,
        image_outputs=False,
        audio_outputs=False,
        video_outputs=False,
        tool_call_streaming=True,
        structured_output=True,
        temperature=True,
    )
    if known.context_window is not None:
        # Prompt and answer share the window, and an answer has at least one token.
        found["max_input_tokens"] = found["max_output_tokens"] = known.context_window - 1
    if known.has_tools is not None:
        found["tool_calling"] = found["tool_choice"] = known.has_tools
    if known.thinks is not None:
        found["reasoning_output"] = known.thinks
    return found
