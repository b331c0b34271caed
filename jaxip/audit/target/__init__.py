"""The map under audit: what it is, what it answers, what is known of it."""

from jaxip.audit.target._answers import ROUNDING as ROUNDING
from jaxip.audit.target._answers import Evaluator as Evaluator
from jaxip.audit.target._answers import check_image as check_image
from jaxip.audit.target._answers import in_one_line as in_one_line
from jaxip.audit.target._answers import in_words as in_words
from jaxip.audit.target._bounds import Bound as Bound
from jaxip.audit.target._bounds import bound_of as bound_of
from jaxip.audit.target._sight import SEEN as SEEN
from jaxip.audit.target._sight import unseen as unseen
from jaxip.audit.target._target import Target as Target
from jaxip.audit.target._target import as_target as as_target
from jaxip.audit.target._target import measured as measured
from jaxip.audit.target._target import stand_in_name as stand_in_name
from jaxip.audit.target._target import stand_ins_of as stand_ins_of
from jaxip.audit.target._target import target_without as target_without
from jaxip.audit.target._target import with_operator as with_operator
