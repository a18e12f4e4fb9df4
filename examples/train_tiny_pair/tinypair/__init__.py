"""The miniature world, and the training, of the embedded pair."""

import os

# Threads that wait for each other sleep instead of spinning: on a busy machine training is several times faster.
# The OpenMP library reads this when torch is first imported, which is after this line.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
