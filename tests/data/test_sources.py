"""Weighted sources, parts of them, and which hits are labelled."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest

from data.augment import AugmentConfig
from data.example import LoaderConfig
from data.loader import make_loader
from data.shards.find import ShardSet
from data.shards.walk import BLOCK, Order, located, source_of, taken
from tests.data.test_loader import CODEC, PLAIN, keys, members_of, same, write_tar
from tokenizer.codec import Codec
from tokenizer.drums import CLASS_INDEX, NUM_CLASSES
from tokenizer.encode import decode
from tokenizer.hits import Hit

WEIGHTS = (3.0, 1.0)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """Seven samples called a... in two shards, three called b... in one."""
    folder = tmp_path_factory.mktemp("sources")
    made = {"a": (4, 3), "b": (3,)}
    return [
        [
            write_tar(
                folder / f"{name}-{shard}.tar", {f"{name}{shard}{i}": members_of(i) for i in range(size)}
            )
            for shard, size in enumerate(sizes)
        ]
        for name, sizes in made.items()
    ]


def take(
    sources: list[list[str]], number: int, rank: int, world: int, start: int = 0, workers: int = 0
) -> list:
    config = LoaderConfig(2, workers, augment=PLAIN, swap_band=0.0, buffer=4)
    loader = make_loader(sources, CODEC, config, rank, world, start, WEIGHTS)
    return list(itertools.islice(loader, number))


def test_every_block_has_the_shares_of_the_weights(sources: list[list[str]]) -> None:
    order = Order(tuple(map(tuple, sources)), 5, 4, WEIGHTS)
    for block in range(3):
        count = Counter(source_of(order, number) for number in range(block * BLOCK, (block + 1) * BLOCK))
        assert count == {0: 75, 1: 25}
    first = [source_of(order, number) for number in range(BLOCK)]
    assert first != [source_of(order, number) for number in range(BLOCK, 2 * BLOCK)], "no fixed pattern"
    for number in (0, 1, 99, 100, 257):
        assert [taken(order, s, number) for s in (0, 1)] == [
            sum(source_of(order, n) == s for n in range(number)) for s in (0, 1)
        ]


def test_even_the_smallest_weight_is_heard() -> None:
    order = Order((("a",), ("b",), ("c",)), 0, 4, (1000.0, 1.0, 1.0))
    assert Counter(source_of(order, number) for number in range(BLOCK)) == {0: 98, 1: 1, 2: 1}


def test_each_source_has_whole_epochs(sources: list[list[str]]) -> None:
    order = Order(tuple(map(tuple, sources)), 0, 4, WEIGHTS)
    found = list(itertools.islice(located(order, 0, 1, 0, Counter()), 28 * 4))
    for source, size in ((0, 7), (1, 3)):
        names = [place.members["__key__"] for place in found if place.source == source]
        for epoch in range(len(names) // size):
            assert len(set(names[epoch * size : (epoch + 1) * size])) == size


def test_ranks_workers_and_resume_give_one_stream(sources: list[list[str]]) -> None:
    whole = [key for batch in take(sources, 12, 0, 1) for key in batch.keys]
    ranks = [keys(take(sources, 6, rank, 2)) for rank in range(2)]
    assert [key for pair in zip(*ranks, strict=True) for key in pair] == whole
    for rank in range(2):
        straight = take(sources, 6, rank, 2)
        assert same(take(sources, 2, rank, 2, start=8), straight[4:]), "resuming is counting"
    assert same(take(sources, 4, 1, 2, workers=2), take(sources, 4, 1, 2))


def test_a_share_of_the_shards_is_that_of_every_run(sources: list[list[str]]) -> None:
    names = [f"/x/train-{number:06d}.tar" for number in range(40)]
    elsewhere = [name.replace("/x/", "/y/") for name in names]
    half, tenth = (ShardSet(names, {}, [names]).part(share)[0] for share in (0.5, 0.1))
    assert len(half) == 20 and len(tenth) == 4 and set(tenth) < set(half)
    assert ShardSet(elsewhere, {}, [elsewhere]).part(0.1)[0] == [name.replace("/x/", "/y/") for name in tenth]
    groups = ShardSet(names, {}, [names[:1], names]).part(0.01)
    assert groups[0] == names[:1] and len(groups[1]) == 1, "at least one of each"


def test_labels_of_a_class_subset_and_of_a_scheme() -> None:
    hits = [Hit(0.0, CLASS_INDEX["tom2_head"], 90), Hit(0.01, CLASS_INDEX["tom3_rim"], 80)]
    hits += [Hit(0.5, CLASS_INDEX["kick"], 70), Hit(0.7, CLASS_INDEX["aux1"], 60)]
    kicks = LoaderConfig(classes=frozenset({CLASS_INDEX["kick"]})).labelled(hits)
    assert kicks == [hits[2]]
    eight = LoaderConfig(scheme="8").labelled(hits)
    assert [(hit.time, hit.drum) for hit in eight] == [
        (0.0, CLASS_INDEX["tom1_head"]),
        (0.5, CLASS_INDEX["kick"]),
        (0.7, CLASS_INDEX["aux1"]),
    ]
    assert len(LoaderConfig(scheme="5").labelled(hits)) == 2, "five labels leave the auxiliary classes out"
    assert LoaderConfig().labelled(hits) == hits


def test_the_sound_of_drums_without_a_label_stays(tmp_path: Path) -> None:
    shard = write_tar(tmp_path / "a.tar", {"s": members_of(0, band=False)})

    def batch(classes: frozenset[int]) -> tuple:
        config = LoaderConfig(1, augment=PLAIN, swap_band=0.0, classes=classes)
        return next(iter(make_loader([shard], CODEC, config)))

    whole, kick = batch(frozenset(range(NUM_CLASSES))), batch(frozenset({CLASS_INDEX["kick"]}))
    assert (whole[0] == kick[0]).all()
    assert {hit.drum for hit in decode(Codec(segment_steps=100), kick[1][0].tolist()).hits} == {0}
    assert kick[2][..., 1:].max() == 0 and whole[2][..., 1:].max() == 1


def test_a_curriculum_grows_with_the_batch_and_survives_a_resume(sources: list[list[str]]) -> None:
    config = AugmentConfig(seconds=1.0, ramp_batches=10, band_low=-20, band_high=10)
    assert config.at(10) is config and config.at(0).band_probability == 0 and config.at(0).band_high == -20
    assert config.at(5).noise_probability == pytest.approx(config.noise_probability / 2)
    assert config.at(5).band_high == pytest.approx(-5) and config.at(3).level_probability == 1

    def batches(start: int) -> list:
        settings = LoaderConfig(2, augment=config, buffer=4)
        return list(itertools.islice(make_loader(sources, CODEC, settings, start_sample=start), 6))

    straight = batches(0)
    assert same(batches(8)[:2], straight[4:])
    later = LoaderConfig(2, augment=AugmentConfig(seconds=1.0, band_low=-20, band_high=10), buffer=4)
    plain = list(itertools.islice(make_loader(sources, CODEC, later), 1))
    assert not same(plain, straight[:1]), "the first batches are easier"
