"""Which cases of a parametrised test are slow. Knows pytest's marks; knows nothing of what is tested."""

from collections.abc import Iterable
from typing import Any

import pytest


def slow_but(quick: Iterable[Any], cases: Iterable[Any]) -> list[Any]:
    """Mark all cases as slow but those of them that `make test` runs as well."""
    kept = list(quick)
    return [case if case in kept else pytest.param(case, marks=pytest.mark.slow) for case in cases]
