"""The optimisation problems of sparse reconstruction, each with a duality gap."""

from jaxip.problems._analysis import AbstractAnalysis as AbstractAnalysis
from jaxip.problems._analysis import AnalysisLasso as AnalysisLasso
from jaxip.problems._analysis import AnalysisQCBP as AnalysisQCBP
from jaxip.problems._analysis import AnalysisSRLasso as AnalysisSRLasso
from jaxip.problems._enclosure import is_enclosed as is_enclosed
from jaxip.problems._lifted import AbstractLifted as AbstractLifted
from jaxip.problems._problem import AbstractProblem as AbstractProblem
from jaxip.problems._problem import Part as Part
from jaxip.problems._synthesis import QCBP as QCBP
from jaxip.problems._synthesis import AbstractSynthesis as AbstractSynthesis
from jaxip.problems._synthesis import Lasso as Lasso
from jaxip.problems._synthesis import SRLasso as SRLasso
from jaxip.problems._tgv import TGV as TGV
from jaxip.problems._tgv import TGVQCBP as TGVQCBP
from jaxip.problems._variation import TV as TV
from jaxip.problems._variation import TVQCBP as TVQCBP
from jaxip.problems._variation import TVSR as TVSR
from jaxip.problems._variation import WaveletTV as WaveletTV
