"""Training data: sampled and synthesised kits, grooves, the renderer, readers of corpora, shards, augmentation."""
