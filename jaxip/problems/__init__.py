"""The optimisation problems of reconstruction, each with a duality gap."""

from jaxip.problems._composite import Problem as Problem
from jaxip.problems._enclosure import is_enclosed as is_enclosed
from jaxip.problems._fidelity import AbstractFidelity as AbstractFidelity
from jaxip.problems._fidelity import Ball as Ball
from jaxip.problems._fidelity import Norm as Norm
from jaxip.problems._fidelity import Squared as Squared
from jaxip.problems._lifted import AbstractLifted as AbstractLifted
from jaxip.problems._named import QCBP as QCBP
from jaxip.problems._named import Lasso as Lasso
from jaxip.problems._named import SRLasso as SRLasso
from jaxip.problems._problem import AbstractProblem as AbstractProblem
from jaxip.problems._problem import Part as Part
from jaxip.problems._term import Term as Term
from jaxip.problems._tgv import TGV as TGV
from jaxip.problems._variation import TV as TV
from jaxip.problems._variation import WaveletTV as WaveletTV
