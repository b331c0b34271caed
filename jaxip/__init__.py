"""Inverse problems in JAX: reconstructed with a proof, learned by unrolling, audited."""

import importlib
from typing import Any

__version__ = "0.1.0"

_SUBPACKAGES = (
    "audit",
    "certificates",
    "data",
    "functionals",
    "interop",
    "metrics",
    "networks",
    "operators",
    "plotting",
    "problems",
    "recipes",
    "solvers",
    "testing",
    "training",
    "unrolled",
)
_FROM_SOLVERS = ("Reconstruction", "Solution", "Status", "solve", "status_name")
_FROM_NUMERICS = ("abs2", "gradient", "value_and_gradient")

__all__ = [*_SUBPACKAGES, *_FROM_SOLVERS, *_FROM_NUMERICS]


def __getattr__(name: str) -> Any:
    """Load a subpackage on first use, so that `import jaxip` imports no flax, optax, matplotlib."""
    if name in _SUBPACKAGES:
        return importlib.import_module(f"jaxip.{name}")
    if name in _FROM_SOLVERS:
        return getattr(importlib.import_module("jaxip.solvers"), name)
    if name in _FROM_NUMERICS:
        return getattr(importlib.import_module("jaxip._numerics"), name)
    raise AttributeError(f"module 'jaxip' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
