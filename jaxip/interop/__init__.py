"""Operators of other libraries, unchanged, as operators of this one; and one way back."""

from jaxip.interop._deepinv import from_deepinv as from_deepinv
from jaxip.interop._host import HostOperator as HostOperator
from jaxip.interop._host import from_functions as from_functions
from jaxip.interop._pylops import from_pylops as from_pylops
from jaxip.interop._scico import from_scico as from_scico
from jaxip.interop._scipy import from_scipy as from_scipy
from jaxip.interop._scipy import to_scipy as to_scipy
from jaxip.interop._sigpy import from_sigpy as from_sigpy
