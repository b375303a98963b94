"""Networks, their training, and the models beside them."""

import os

# Read once, when TensorFlow is first imported. By default it uses oneDNN's matrix products on processors with
# AVX-512 only; where there is AVX2 alone they take a quarter less time as well (EXPERIMENTS.md).
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
