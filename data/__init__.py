"""Training data: kits, grooves, the renderer, readers of corpora, shards, augmentation."""

from mt3drum.extras import need

need("train", "scipy", "webdataset")
