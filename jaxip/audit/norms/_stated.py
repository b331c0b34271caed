"""A norm from what a report states of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxip.audit.norms._entrywise import L1Norm, LInfNorm, SparseNorm
from jaxip.audit.norms._euclidean import L2Norm, WeightedL2Norm
from jaxip.audit.norms._norm import AbstractPerturbationNorm

PLAIN = {norm.name: norm for norm in (L2Norm, L1Norm, LInfNorm)}
PREFIX = "norm_"  # of its arrays among those of the report


def norm_stated(
    stated: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> AbstractPerturbationNorm:
    """The norm. Raises: ValueError, in one line, where it is none of ours or damaged."""
    name = stated["name"]
    if name in PLAIN:
        return PLAIN[name]()
    try:
        if name == SparseNorm.name:
            return SparseNorm(stated["entries"])
        if name == WeightedL2Norm.name:
            return WeightedL2Norm(arrays[f"{PREFIX}weights_0"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the norm {name} is damaged: {error}") from None
    raise ValueError(f"the norm {name!r} is none of this version: give norm= to replay")


def arrays_of(norm: AbstractPerturbationNorm) -> dict[str, np.ndarray]:
    """What a report stores of a norm, under its own names."""
    return {f"{PREFIX}{key}": value for key, value in norm.arrays().items()}
