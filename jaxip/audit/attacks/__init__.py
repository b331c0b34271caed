"""The attacks: each is a class with one method, and a list of them is an ensemble."""

from jaxip.audit.attacks._ascent import STARTS as STARTS
from jaxip.audit.attacks._ascent import GradientAscent as GradientAscent
from jaxip.audit.attacks._attack import AbstractAttack as AbstractAttack
from jaxip.audit.attacks._attack import named as named
from jaxip.audit.attacks._box import AnswerSearch as AnswerSearch
from jaxip.audit.attacks._directions import Directions as Directions
from jaxip.audit.attacks._directions import Pilots as Pilots
from jaxip.audit.attacks._entries import EntryStart as EntryStart
from jaxip.audit.attacks._entries import SignStart as SignStart
from jaxip.audit.attacks._far import FarStart as FarStart
from jaxip.audit.attacks._gathered import gathered as gathered
from jaxip.audit.attacks._jacobian import JacobianStart as JacobianStart
from jaxip.audit.attacks._published import PublishedTest as PublishedTest
from jaxip.audit.attacks._published import QPath as QPath
from jaxip.audit.attacks._published import q_ascent as q_ascent

ATTACKS: tuple[AbstractAttack, ...] = (GradientAscent(), AnswerSearch())
