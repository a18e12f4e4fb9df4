"""Custom events that say which model wrote each token of a stream, as it is written: for user interfaces in two colours.

An event is named `ROUTE_EVENT`; its data are ``{"candidate": 0, "tokens": [[text, "base" | "aligned"], …]}``. Read them from
``astream_events(version="v2")``, or in a handler's ``on_custom_event``. They belong to the run that the model is called in, as LangChain
has it; a model that is called on its own gets one around it. Knows stream events and runs; knows nothing of decoding.
"""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, get_callback_manager_for_config

from baco import StreamEvent

ROUTE_EVENT = "baco_route"


def route_data(event: StreamEvent) -> dict[str, Any]:
    """What a custom event says of new tokens."""
    return {"candidate": event.index, "tokens": [[token.text, token.owner] for token in event.tokens]}


def within_run(config: RunnableConfig | None) -> bool:
    """Whether a call with this configuration is part of a run."""
    return get_callback_manager_for_config(ensure_config(config)).parent_run_id is not None
