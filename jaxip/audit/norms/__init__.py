"""Norms of a perturbation of the data."""

from jaxip.audit.norms._entrywise import L1Norm as L1Norm
from jaxip.audit.norms._entrywise import LInfNorm as LInfNorm
from jaxip.audit.norms._entrywise import SparseNorm as SparseNorm
from jaxip.audit.norms._euclidean import L2Norm as L2Norm
from jaxip.audit.norms._euclidean import WeightedL2Norm as WeightedL2Norm
from jaxip.audit.norms._norm import AbstractPerturbationNorm as AbstractPerturbationNorm
from jaxip.audit.norms._stated import arrays_of as arrays_of
from jaxip.audit.norms._stated import norm_stated as norm_stated
