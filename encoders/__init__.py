"""Records and pictures become hash codes. Only this package imports torch."""

import os

# Set before torch is loaded: its threads then sleep while they wait for each other instead of spinning, which took the
# cores from an engine on the same machine, and half of an encoder's own rate with it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
