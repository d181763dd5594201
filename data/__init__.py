"""Training data: kits, grooves, the renderer, readers of corpora, shards, augmentation."""
