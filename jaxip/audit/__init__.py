"""Audits of any reconstruction map: worst cases with witnesses, canaries, verdicts, a report."""

from jaxip.audit._canaries import CanaryScore as CanaryScore
from jaxip.audit._canaries import run_canaries as run_canaries
from jaxip.audit._ensemble import LEVELS as LEVELS
from jaxip.audit._lipschitz import LipschitzBound as LipschitzBound
from jaxip.audit._lipschitz import local_lipschitz as local_lipschitz
from jaxip.audit._noise import random_noise as random_noise
from jaxip.audit._published import QAscent as QAscent
from jaxip.audit._published import q_ascent as q_ascent
from jaxip.audit._record import Record as Record
from jaxip.audit._replay import Replay as Replay
from jaxip.audit._replay import replay as replay
from jaxip.audit._report import Report as Report
from jaxip.audit._report import output_folder as output_folder
from jaxip.audit._run import run as run
from jaxip.audit._target import Target as Target
from jaxip.audit._verdict import Verdict as Verdict
from jaxip.audit._worst_case import Attack as Attack
from jaxip.audit._worst_case import chain as chain
from jaxip.audit._worst_case import worst_case as worst_case
