"""The report of an audit: rows, verdicts, hashes, the files, and the check of them."""

from jaxip.audit.report._fingerprint import hash_arrays as hash_arrays
from jaxip.audit.report._fingerprint import hash_map as hash_map
from jaxip.audit.report._published import ImageRecord as ImageRecord
from jaxip.audit.report._published import ImageWitness as ImageWitness
from jaxip.audit.report._published import published_test as published_test
from jaxip.audit.report._record import Record as Record
from jaxip.audit.report._record import numbers as numbers
from jaxip.audit.report._record import record as record
from jaxip.audit.report._record import stored as stored
from jaxip.audit.report._replay import Replay as Replay
from jaxip.audit.report._replay import replay as replay
from jaxip.audit.report._report import Report as Report
from jaxip.audit.report._report import environment as environment
from jaxip.audit.report._report import output_folder as output_folder
from jaxip.audit.report._verdict import Evidence as Evidence
from jaxip.audit.report._verdict import Verdict as Verdict
from jaxip.audit.report._verdict import amplification as amplification
from jaxip.audit.report._verdict import counted as counted
from jaxip.audit.report._verdict import judge as judge
