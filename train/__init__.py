"""Training: the loop, its state, its validation and its log."""
