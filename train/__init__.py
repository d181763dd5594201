"""Training: the loop, its state, its validation and its log."""

from mt3drum.extras import need

need("train", "x_transformers", "yaml", "tensorboard")
