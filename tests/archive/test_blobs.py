from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from medviewer.archive.blobs import array_sha256, read_array, write_array, write_atomic
from medviewer.errors import StoreError

dtypes = st.sampled_from([np.uint8, np.int16, np.uint16, np.float16, np.float32])


@given(
    array=dtypes.flatmap(lambda d: arrays.arrays(d, arrays.array_shapes(max_dims=4, max_side=6))), flip=st.booleans()
)
def test_an_array_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, flip: bool) -> None:
    path = tmp_path_factory.mktemp("blobs") / "a.npy.gz"
    stored = array[::-1] if flip else array
    write_array(path, stored)
    back = read_array(path)
    assert back.dtype == stored.dtype
    np.testing.assert_array_equal(back, stored)
    assert array_sha256(back) == array_sha256(stored)


def test_a_label_map_takes_little_room(tmp_path: Path) -> None:
    labels = np.zeros((60, 120, 120), np.uint8)
    labels[20:40, 30:90, 30:90] = 1
    write_array(tmp_path / "mask.npy.gz", labels)
    assert (tmp_path / "mask.npy.gz").stat().st_size < labels.size / 50


def test_a_failed_write_leaves_the_former_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, lambda stream: stream.write(b"before"))

    def fail(stream: object) -> None:
        raise OSError("no space left on device")

    with pytest.raises(StoreError, match="free some space"):
        write_atomic(path, fail)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: b"", lambda data: data[:60] + b"\xff" + data[61:]]
)
def test_a_damaged_array_is_told(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "a.npy.gz"
    write_array(path, np.arange(1000, dtype=np.int16))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StoreError, match="missing or damaged"):
        read_array(path)


def test_a_missing_array_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="missing or damaged"):
        read_array(tmp_path / "none.npy.gz")


def test_the_hash_tells_type_and_shape_apart() -> None:
    flat = np.zeros(6, np.uint8)
    hashes = {array_sha256(flat), array_sha256(flat.reshape(2, 3)), array_sha256(flat.view(np.int8))}
    assert len(hashes) == 3
