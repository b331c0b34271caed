"""Linear operators with exact adjoints, and the sampling patterns that go with them."""

from jaxip.operators._basic import Diagonal as Diagonal
from jaxip.operators._basic import FunctionOperator as FunctionOperator
from jaxip.operators._basic import Identity as Identity
from jaxip.operators._basic import Matrix as Matrix
from jaxip.operators._blocks import BlockDiagonal as BlockDiagonal
from jaxip.operators._blocks import Stack as Stack
from jaxip.operators._fourier import Fourier as Fourier
from jaxip.operators._fourier import SubsampledFourier as SubsampledFourier
from jaxip.operators._norms import check_adjoint as check_adjoint
from jaxip.operators._norms import materialise as materialise
from jaxip.operators._norms import norm_bounds as norm_bounds
from jaxip.operators._norms import random_like as random_like
from jaxip.operators._operator import AbstractLinearOperator as AbstractLinearOperator
from jaxip.operators._operator import Adjoint as Adjoint
from jaxip.operators._operator import Composed as Composed
from jaxip.operators._operator import Scaled as Scaled
from jaxip.operators._operator import Sum as Sum
from jaxip.operators._operator import auto_rmv as auto_rmv
