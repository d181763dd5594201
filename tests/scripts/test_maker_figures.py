"""Pictures for producers and charters: they are drawn, from what the files say."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from scripts.make_maker_figures import chart_picture, part, practice_picture, tracks_picture


def test_pictures_are_drawn() -> None:
    for draw in (tracks_picture, chart_picture, practice_picture):
        picture = np.asarray(Image.open(BytesIO(draw())).convert("RGB"))
        assert picture.shape[1] == 900
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20


def test_the_part_has_what_is_to_be_seen() -> None:
    hits, grid = part()
    assert len(hits) > 150
    assert grid.beats[-1] > hits[-1].time
