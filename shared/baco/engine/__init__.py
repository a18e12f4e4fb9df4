"""Requests of any thread become answers: the object that a user holds, the queue, and the worker."""

from baco.engine.engine import Engine

__all__ = ["Engine"]
