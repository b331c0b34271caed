"""Images to reconstruct: files, real brain slices, phantoms, and SIMULATED measurements."""

from jaxip.data._brain import brain_slice as brain_slice
from jaxip.data._load import load_array as load_array
from jaxip.data._load import load_image as load_image
from jaxip.data._output import OutputError as OutputError
from jaxip.data._output import OutputFolder as OutputFolder
from jaxip.data._output import Pictures as Pictures
from jaxip.data._output import Writers as Writers
from jaxip.data._phantoms import random_ellipses as random_ellipses
from jaxip.data._phantoms import random_field as random_field
from jaxip.data._phantoms import random_phantom as random_phantom
from jaxip.data._phantoms import shepp_logan as shepp_logan
from jaxip.data._phantoms import smooth_phase as smooth_phase
from jaxip.data._simulate import complex_noise as complex_noise
from jaxip.data._simulate import simulate as simulate
