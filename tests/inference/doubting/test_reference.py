"""What a training set looks like to a network, and how far an image is from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medviewer.errors import PluginError
from medviewer.inference.doubting.reference import Reference, build, read, reference_path, shrunk_covariance, write


def cloud(images: int, width: int, seed: int = 0) -> np.ndarray:
    """Features that hang together, as a network's do."""
    chance = np.random.default_rng(seed)
    mixing = chance.normal(size=(width, width))
    return chance.normal(size=(images, width)) @ mixing + 5


def test_many_images_make_a_covariance_and_few_a_bank() -> None:
    assert build(cloud(100, 8)).kind == "mahalanobis"
    assert build(cloud(12, 8)).kind == "nearest"


@pytest.mark.parametrize(("images", "width", "part"), [(300, 6, 0.05), (30, 40, 0.15)])
def test_what_comes_from_the_same_place_lies_inside_and_what_does_not_outside(
    images: int, width: int, part: float
) -> None:
    """Thirty images know less of how far their kind goes than three hundred do."""
    rows = cloud(images + 200, width)
    reference = build(rows[:images])
    inside = [reference.distance(row) for row in rows[images:]]
    assert np.mean([one is not None and one > 1 for one in inside]) < part
    odd = np.random.default_rng(1).normal(size=width) * 8 - 5
    distance = reference.distance(odd)
    assert distance is not None
    assert distance > 1.5


def test_mahalanobis_counts_in_standard_deviations() -> None:
    """By hand: a spread of 1 and of 10; ten along the narrow axis is far, ten along the wide one is not."""
    rows = np.random.default_rng(0).normal(size=(800, 2)) * (1, 10)
    reference = build(rows)
    narrow, wide = (reference.distance(np.array(one)) for one in ((10.0, 0.0), (0.0, 10.0)))
    assert narrow is not None
    assert wide is not None
    assert narrow * reference.limit == pytest.approx(10, rel=0.05)
    assert wide * reference.limit == pytest.approx(1, rel=0.05)


def test_groups_are_left_out_together() -> None:
    """Five copies of each of eight images: each for itself is near to its copies, and the limit means nothing."""
    chance = np.random.default_rng(0)
    base = chance.normal(size=(8, 60))
    rows = np.repeat(base, 5, axis=0) + chance.normal(size=(40, 60)) * 0.01
    groups = np.repeat(np.arange(8), 5).tolist()
    assert build(rows, groups).limit > 20 * build(rows).limit


def test_the_covariance_is_shrunk_as_published() -> None:
    """Ledoit and Wolf 2004, lemma 3.3, sum by sum."""
    rows = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0], [4.0, 3.0], [0.0, 0.5]])
    sample = np.cov(rows.T, bias=True)
    made = shrunk_covariance(rows)
    scale = np.trace(sample) / 2
    shrinkage = 1 - made[0, 1] / sample[0, 1]
    assert 0 < shrinkage < 1
    np.testing.assert_allclose(np.diag(made), (1 - shrinkage) * np.diag(sample) + shrinkage * scale, rtol=1e-5)
    centred = rows - rows.mean(axis=0)
    spread = ((sample - scale * np.eye(2)) ** 2).sum() / 2
    noise = sum(((np.outer(x, x) - sample) ** 2).sum() / 2 for x in centred) / len(rows) ** 2
    assert shrinkage == pytest.approx(min(noise, spread) / spread)


def test_features_that_never_change_make_no_distance_endless() -> None:
    rows = np.column_stack([cloud(60, 3), np.zeros(60)])
    distance = build(rows).distance(np.append(rows[0, :3], 0.0))
    assert distance is not None
    assert 0 <= distance < 2


def test_features_that_are_not_a_number_are_far() -> None:
    assert build(cloud(60, 3)).distance(np.array([np.nan, 0, 0])) == np.inf


@pytest.mark.parametrize("kind", ["mahalanobis", "nearest", "none"])
def test_it_is_read_as_it_was_written(kind: str, tmp_path: Path) -> None:
    made = {"mahalanobis": build(cloud(60, 3), source="A"), "nearest": build(cloud(6, 9)), "none": Reference()}[kind]
    made = made.with_temperature(1.7)
    path = reference_path(tmp_path / "weights.safetensors")
    write(path, made)
    again = read(path)
    assert path.name == "weights.reference.safetensors"
    assert (again.kind, again.limit, again.temperature, again.source, again.images) == (
        made.kind, made.limit, 1.7, made.source, made.images,
    )  # fmt: skip
    if kind == "none":
        assert again.distance(np.zeros(3)) is None
    else:
        row = cloud(1, 3 if kind == "mahalanobis" else 9, seed=5)[0]
        assert again.distance(row) == pytest.approx(made.distance(row))


def test_a_bank_takes_in_what_was_learnt_since() -> None:
    reference, new = build(cloud(10, 40)), cloud(3, 40, seed=9)
    before, after = (one.distance(new[0]) for one in (reference, reference.with_images(new)))
    assert before is not None
    assert before > 0.1
    assert after == pytest.approx(0, abs=1e-3)


def test_a_reference_of_another_network_is_refused() -> None:
    with pytest.raises(PluginError, match="knows 8 features, but its network gives 4; make the reference again"):
        build(cloud(100, 8)).distance(np.zeros(4))


@pytest.mark.parametrize("rows", [np.zeros((4, 3)), np.zeros(9), np.full((9, 2), np.nan)])
def test_too_few_images_or_none_that_are_numbers_make_none(rows: np.ndarray) -> None:
    with pytest.raises(PluginError, match="A reference needs finite features of at least 5 images"):
        build(rows)


@pytest.mark.parametrize("damage", ["nothing", "text", "cut", "other", "negative"])
def test_a_damaged_file_is_said(damage: str, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "a.reference.safetensors"
    write(path, build(cloud(60, 3)))
    if damage == "nothing":
        path.unlink()
    elif damage == "text":
        path.write_text("no")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    elif damage == "other":
        save_file({"weight": np.zeros(3, np.float32)}, path)
    else:
        path.write_bytes(path.read_bytes().replace(b'\\"limit\\": ', b'\\"limit\\":-'))
    with pytest.raises(PluginError, match=r"a\.reference\.safetensors should say what the training set"):
        read(path)
