"""Twelve conversations as users and agents have them. Every text, function and argument in one is a word of its own."""

from typing import Any

TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"Tells the {name}.",
            "parameters": {"type": "object", "properties": {"place": {"type": "string", "description": "Where."}}, "required": ["place"]},
        },
    }
    for name in ("barometer", "sundial")
]


def says(role: str, content: str) -> dict[str, Any]:
    """A message without calls."""
    return {"role": role, "content": content}


def calls(content: str | None, *places: str, function: str = "barometer") -> dict[str, Any]:
    """An assistant's message with a call for each place; the ids are as long as other services make them."""
    made = [
        {"id": f"call_{place}_0123456789", "type": "function", "function": {"name": function, "arguments": {"place": place}}}
        for place in places
    ]
    return {"role": "assistant", "content": content, "tool_calls": made}


def result(place: str, content: str, function: str = "barometer") -> dict[str, Any]:
    """What a call returned."""
    return {"role": "tool", "content": content, "tool_call_id": f"call_{place}_0123456789", "name": function}


PLAIN: dict[str, list[dict[str, Any]]] = {
    "a question": [says("user", "ostrich?")],
    "a lone system message": [says("system", "pelican.")],
    "a system message and a question": [says("system", "pelican."), says("user", "ostrich?")],
    "three turns": [says("user", "ostrich?"), says("assistant", "heron."), says("user", "magpie?")],
    "a greeting": [says("assistant", "heron."), says("user", "ostrich?")],
    "a greeting after a system message": [says("system", "pelican."), says("assistant", "heron."), says("user", "ostrich?")],
    "a late system message": [
        says("system", "pelican."),
        says("user", "ostrich?"),
        says("assistant", "heron."),
        says("system", "flamingo."),
        says("user", "magpie?"),
    ],
    "neighbours of one role": [says("system", "pelican."), says("system", "flamingo."), says("user", "ostrich?"), says("user", "magpie?")],
}
CALLING: dict[str, list[dict[str, Any]]] = {
    "a result": [says("system", "pelican."), says("user", "ostrich?"), calls(None, "lisbon"), result("lisbon", "wagtail")],
    "text beside a call": [
        says("system", "pelican."),
        says("user", "ostrich?"),
        calls("heron.", "lisbon"),
        result("lisbon", "wagtail"),
        says("assistant", "bullfinch."),
        says("user", "magpie?"),
    ],
    "two calls at once": [
        says("user", "ostrich?"),
        calls("heron.", "lisbon", "madrid"),
        result("madrid", "kingfisher"),
        result("lisbon", "wagtail"),
    ],
    "two rounds": [
        says("system", "pelican."),
        says("user", "ostrich?"),
        calls("heron.", "lisbon"),
        result("lisbon", "wagtail"),
        calls("curlew.", "madrid", function="sundial"),
        result("madrid", "kingfisher", function="sundial"),
        says("assistant", "bullfinch."),
        says("user", "magpie?"),
    ],
}


def words(history: list[dict[str, Any]]) -> list[str]:
    """Every word that a prompt of the history must have."""
    found = []
    for message in history:
        found += [message["content"]] if message["content"] else []
        for call in message.get("tool_calls", ()):
            found += [call["function"]["name"], *call["function"]["arguments"].values()]
    return found
