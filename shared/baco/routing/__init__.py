"""Routers: who speaks next, the base or the aligned model. Knows tensors and token classes; knows no models and no text."""

from baco.routing.registry import RouterKind, Rule, register_router, router_names
from baco.routing.router import Judge, Router
from baco.routing.signals import Prefix, Signals

__all__ = ["Judge", "Prefix", "Router", "RouterKind", "Rule", "Signals", "register_router", "router_names"]
