"""Files of weights that are more than numbers, or claim more than they hold."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from pathlib import Path

import psutil
import pytest
import torch

from medviewer.errors import UntrustedError
from tests.security.conftest import Attack
from tests.security.exploits import PICKLES, Marking, write_hidden_pickle, write_pickle, write_safetensors

_MOST_GROWTH = 400 * 2**20
"""Bytes by which reading a small file may make the process grow: imports, and no bomb."""


@pytest.mark.parametrize("name", PICKLES)
@pytest.mark.parametrize(("suffix", "form"), [(".pt", "zip"), (".pth", "legacy"), (".ckpt", "plain"), (".bin", "zip")])
def test_a_pickle_with_code_is_refused(attack: Attack, tmp_path: Path, name: str, suffix: str, form: str) -> None:
    source = write_pickle(tmp_path / f"evil{suffix}", PICKLES[name](attack.mark), form)
    assert "nothing of it was run" in attack.refused(attack.describe(source))


@pytest.mark.parametrize("name", sorted(set(PICKLES) - {"getattr"}))
def test_those_pickles_do_harm_to_who_trusts_them(attack: Attack, tmp_path: Path, name: str) -> None:
    """The control: the files above are no blanks."""
    source = write_pickle(tmp_path / "evil.pt", PICKLES[name](attack.mark), "zip")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # one payload opens a file and leaves it open
        torch.load(source, weights_only=False)
    assert attack.mark.exists()


def test_a_checkpoint_whose_pickle_was_exchanged(attack: Attack, tmp_path: Path) -> None:
    source = write_hidden_pickle(tmp_path / "evil.pt", PICKLES["os.system"](attack.mark))
    assert "nothing of it was run" in attack.refused(attack.describe(source))


def test_a_pickle_under_the_name_of_safetensors(attack: Attack, tmp_path: Path) -> None:
    source = write_pickle(tmp_path / "evil.safetensors", PICKLES["os.system"](attack.mark), "plain")
    assert "should be a safetensors file" in attack.refused(attack.describe(source))


@pytest.mark.parametrize(
    ("header", "length"),
    [
        (b"{}", 2**63),
        (b"{}", 2**40),
        (b"[" * 100_000, None),
        ({"w": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}, None),
        ({"w": {"dtype": "F32", "shape": [2**62, 8], "data_offsets": [0, 8]}}, None),
        ({"w": {"dtype": "F32", "shape": [2], "data_offsets": [-8, 8]}}, None),
        ({"w": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}}, None),
        ({"w": {"dtype": "object", "shape": [2], "data_offsets": [0, 8]}}, None),
    ],
)
def test_a_safetensors_header_that_lies(
    attack: Attack, tmp_path: Path, header: object, length: int | None, healthy_state: dict[str, torch.Tensor]
) -> None:
    assert healthy_state  # what importing MONAI takes is taken before the memory is measured
    source = write_safetensors(tmp_path / "lies.safetensors", header, bytes(8), length)
    before = psutil.Process().memory_info().rss
    assert "should be a safetensors file" in attack.refused(attack.describe(source))
    assert psutil.Process().memory_info().rss - before < _MOST_GROWTH


def test_a_tensor_that_stands_for_more_than_the_file_holds(attack: Attack, tmp_path: Path) -> None:
    """One stored number, read over and over: 4 TB, once anybody copies it."""
    source = tmp_path / "bomb.pt"
    torch.save({"weight": torch.zeros(1).expand(2**40)}, source)
    assert "far more numbers than it has room for" in attack.refused(attack.describe(source))


def test_a_checkpoint_that_grows_when_it_is_unpacked(attack: Attack, tmp_path: Path) -> None:
    source = tmp_path / "bomb.pt"
    torch.save({"weight": torch.zeros(2)}, tmp_path / "small.pt")
    with zipfile.ZipFile(tmp_path / "small.pt") as small, zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as made:
        for info in small.infolist():
            made.writestr(info.filename, small.read(info))
        made.writestr("small/data/1", bytes(200 * 2**20))
    assert "would grow to 0.2 GB" in attack.refused(attack.describe(source))


def test_a_network_that_no_machine_holds(attack: Attack, tmp_path: Path) -> None:
    source = write_safetensors(tmp_path / "large.safetensors", {})
    huge = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [60_000, 60_000], "strides": [2]}
    settings = {"network": "UNet", "arguments": huge}
    assert "larger than a billion numbers" in attack.refused(attack.describe(source, settings=settings))


@pytest.mark.parametrize(
    "settings",
    [
        {"network": "os.system", "arguments": {"command": "true"}},
        {"network": "__class__", "arguments": {}},
        {"network": "UNet", "arguments": {}, "library": "evil.so"},
        {"network": "UNet", "arguments": ["os.system"]},
        {"network": "UNet", "arguments": {"channels": [[[[[[[[1]]]]]]]]}},
        {"network": "UNet", "arguments": {"act": "os.system"}},
        {"network": "ResNet", "arguments": {"block": "os.system", "layers": [1], "block_inplanes": [1]}},
        {"network": ["UNet"]},
    ],
)
def test_names_lead_to_networks_of_the_catalogue_only(attack: Attack, tmp_path: Path, settings: object) -> None:
    source = write_safetensors(tmp_path / "named.safetensors", {})
    attack.refused(attack.describe(source, settings=settings))


def test_torchscript_is_not_opened_before_it_is_trusted(attack: Attack, tmp_path: Path) -> None:
    source = tmp_path / "script.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's advice to whoever writes TorchScript
        made = torch.jit.script(Marking(str(attack.mark)))  # type: ignore[no-untyped-call]
        attack.mark.unlink(missing_ok=True)
        made.save(source)
        attack.mark.unlink(missing_ok=True)
    plugin = attack.install(attack.describe(source, settings={}))
    with pytest.raises(UntrustedError):
        attack.load(plugin)
    assert not attack.mark.exists()
    attack.load(plugin, trusted=True)
    assert attack.mark.exists()  # the control: it does harm to who trusts it


def test_a_pickle_put_in_the_place_of_installed_weights(
    attack: Attack, tmp_path: Path, healthy_state: dict[str, torch.Tensor]
) -> None:
    source = write_pickle(tmp_path / "fine.pt", healthy_state, "zip")
    plugin = attack.install(attack.describe(source))
    weights = plugin.folder / "weights.safetensors"
    weights.write_bytes(pickle.dumps(PICKLES["os.system"](attack.mark)))
    with pytest.raises(Exception, match="not the file that the manifest names"):
        attack.load(plugin)
    assert not attack.mark.exists()
