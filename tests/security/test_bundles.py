"""MONAI bundles made to do harm: expressions, objects, references and archives."""

from __future__ import annotations

import contextlib
import json
import stat
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from medviewer.errors import MedviewerError, UntrustedError
from tests.security.conftest import ARGUMENTS, Attack
from tests.security.exploits import PICKLES, touching, write_pickle

Config = dict[str, Any]
Evil = Callable[[Config, Path], None]

METADATA = {
    "name": "Harm",
    "network_data_format": {
        "inputs": {"image": {"modality": "CT", "num_channels": 1, "spatial_shape": [8, 8, 8]}},
        "outputs": {"pred": {"num_channels": 2, "channel_def": {"0": "background", "1": "thing"}}},
    },
}


def configuration() -> Config:
    """A healthy configuration."""
    return {
        "bundle_root": ".",
        "network_def": {"_target_": "UNet", **ARGUMENTS},
        "network": "$@network_def.to('cpu')",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image"},
                {"_target_": "ScaleIntensityd", "keys": "image"},
            ],
        },
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [8, 8, 8]},
        "postprocessing": {"_target_": "Compose", "transforms": [{"_target_": "AsDiscreted", "argmax": True}]},
    }


def write_bundle(root: Path, config: object, state: dict[str, torch.Tensor], name: str = "inference.json") -> Path:
    """Write a bundle with any configuration; text is written as it is."""
    (root / "configs").mkdir(parents=True)
    (root / "models").mkdir()
    (root / "configs" / "metadata.json").write_text(json.dumps(METADATA))
    (root / "configs" / name).write_text(config if isinstance(config, str) else json.dumps(config))
    torch.save(state, root / "models" / "model.pt")
    return root


def _scripts(config: Config, mark: Path) -> None:
    """Scripts of the bundle, imported by the configuration."""
    config["network_def"]["_target_"] = "scripts.evil.make"


EVIL: dict[str, Evil] = {
    "expression as network": lambda c, mark: c.update(network_def=f"${touching(mark)}"),
    "expression as argument": lambda c, mark: c["network_def"].update(in_channels=f"${touching(mark)}"),
    "expression deep in an argument": lambda c, mark: c["network_def"].update(act=[2, {"x": f"$ {touching(mark)}"}]),
    "import statement": lambda c, mark: c.update(network_def=f"$import os; os.system('touch {mark}')"),
    "list of imports": lambda c, mark: c.update(imports=["$import os", f"${touching(mark)}"], network_def="@imports"),
    "os.system": lambda c, mark: c.update(network_def={"_target_": "os.system", "command": f"touch '{mark}'"}),
    "subprocess": lambda c, mark: c.update(network_def={"_target_": "subprocess.Popen", "args": ["touch", str(mark)]}),
    "eval": lambda c, mark: c.update(network_def={"_target_": "builtins.eval", "_args_": [touching(mark)]}),
    "an object in an argument": lambda c, mark: c["network_def"].update(
        norm={"_target_": "os.system", "command": f"touch '{mark}'"}
    ),
    "called another way": lambda c, mark: c["network_def"].update(
        {"_mode_": "callable", "act": {"_target_": "os.system", "command": f"touch '{mark}'"}}
    ),
    "called in the debugger": lambda c, mark: c["network_def"].update(_mode_="debug"),
    "required before": lambda c, mark: c["network_def"].update(_requires_=[f"${touching(mark)}"]),
    "switched off by code": lambda c, mark: c["network_def"].update(_disabled_=f"${touching(mark)}"),
    "reference to an object": lambda c, mark: c.update(
        evil={"_target_": "os.system", "command": f"touch '{mark}'"}, network_def="@evil"
    ),
    "reference in an expression": lambda c, mark: c.update(x=str(mark), network_def="$open(@x, 'w')"),
    "macro to another file": lambda c, mark: c.update(network_def="%/etc/passwd::root"),
    "macro above the folder": lambda c, mark: c.update(network_def="%../../../secret.json::x"),
    "transform of another package": lambda c, mark: c["preprocessing"]["transforms"].append(
        {"_target_": "os.system", "command": f"touch '{mark}'"}
    ),
    "transform with code": lambda c, mark: c["preprocessing"]["transforms"].append(
        {"_target_": "Lambdad", "keys": "image", "func": f"$lambda x: {touching(mark)}"}
    ),
    "expression as transforms": lambda c, mark: c.update(preprocessing=f"${touching(mark)}"),
    "expression as windows": lambda c, mark: c["inferer"].update(roi_size=f"${touching(mark)}"),
    "inferer of another package": lambda c, mark: c.update(
        inferer={"_target_": "os.system", "command": f"touch '{mark}'"}
    ),
    "expression after the network": lambda c, mark: c["postprocessing"]["transforms"].append(
        {"_target_": "Lambdad", "keys": "pred", "func": f"${touching(mark)}"}
    ),
    "expression that is run": lambda c, mark: c.update(run=[f"${touching(mark)}"], initialize=f"${touching(mark)}"),
    "scripts": _scripts,
}


@pytest.mark.parametrize("name", EVIL)
@pytest.mark.filterwarnings("error")
def test_nothing_of_an_untrusted_bundle_runs(
    attack: Attack, tmp_path: Path, healthy_state: dict[str, torch.Tensor], name: str
) -> None:
    """Refused, or installed and refused when it is to run, or run without what was evil in it."""
    config = configuration()
    EVIL[name](config, attack.mark)
    root = write_bundle(tmp_path / "harm", config, healthy_state)
    (root / "scripts").mkdir()
    (root / "scripts" / "__init__.py").write_text(touching(attack.mark))
    (root / "scripts" / "evil.py").write_text(touching(attack.mark))
    # refused is as good as harmless; any other error is none that the user could read
    with contextlib.suppress(MedviewerError):
        attack.load(attack.install(root))
    assert not attack.mark.exists()


@pytest.mark.parametrize(
    "name", ["expression as network", "os.system", "an object in an argument", "transform with code"]
)
def test_those_bundles_do_harm_to_who_trusts_them(
    attack: Attack, tmp_path: Path, healthy_state: dict[str, torch.Tensor], name: str
) -> None:
    """The control, with MONAI's own parser: the configurations above are no blanks."""
    from monai.bundle.config_parser import ConfigParser

    config = configuration()
    EVIL[name](config, attack.mark)
    parser = ConfigParser(config)
    # a command that was run is no network, which MONAI tells in many ways; and it warns of readers that are not here
    with contextlib.suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parser.get_parsed_content("network_def")
        last = parser.get_parsed_content("preprocessing").transforms[-1]
        last({"image": torch.zeros(1, 2, 2, 2)})
    _wait_for(attack.mark)


def _wait_for(mark: Path) -> None:
    """A process that was started may take a moment to leave its mark."""
    import time

    until = time.monotonic() + 20
    while not mark.exists():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch {mark}']",
        "network_def: !!python/object/apply:subprocess.check_call [[touch, '{mark}']]",
        "network_def: !!python/object/new:pathlib.Path ['{mark}']",
        "network_def: !!python/name:os.system",
        "? !!python/object/apply:os.system ['touch {mark}']\n: 1",
    ],
)
def test_yaml_that_makes_objects(
    attack: Attack, tmp_path: Path, healthy_state: dict[str, torch.Tensor], text: str
) -> None:
    filled = text.replace("{mark}", str(attack.mark))
    root = write_bundle(tmp_path / "harm", filled, healthy_state, "inference.yaml")
    assert "should be plain YAML or JSON" in attack.refused(root)
    described = tmp_path / "weights.pt"
    torch.save(healthy_state, described)
    described.with_suffix(".yaml").write_text(filled)
    assert "should be plain YAML or JSON" in attack.refused(described)


def _doubling(levels: int = 40) -> Config:
    """Each value refers to the one before it twice: 2**40 values, if anybody writes them out."""
    values: Config = {f"a{k}": [f"@a{k - 1}", f"@a{k - 1}"] for k in range(1, levels)}
    return {**configuration(), "a0": 1, **values, "network_def": {"_target_": "UNet", "channels": f"@a{levels - 1}"}}


def _circle() -> Config:
    return {**configuration(), "network_def": "@x", "x": "@y", "y": {"z": "@x"}}


def _path_circle() -> Config:
    return {**configuration(), "network_def": "@x::q", "x": "@x::q"}


@pytest.mark.parametrize("make", [_doubling, _circle, _path_circle])
def test_references_without_end(
    attack: Attack, tmp_path: Path, healthy_state: dict[str, torch.Tensor], make: Callable[[], Config]
) -> None:
    root = write_bundle(tmp_path / "harm", make(), healthy_state)
    assert "refers to itself or to absurdly much" in attack.refused(root)


_LAUGHS = "a0: &a0 [ha, ha]\n" + "".join(f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}, *a{k - 1}]\n" for k in range(1, 30))
_MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{k}: &a{k} {{<<: [{', '.join([f'*a{k - 1}'] * 9)}]}}\n" for k in range(1, 12))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("inference.yaml", _LAUGHS),
        ("inference.yaml", _MERGES),
        ("inference.yaml", "[" * 50_000),
        ("inference.yaml", "a: &a [*a]"),
        ("inference.json", "[" * 200_000),
        ("inference.json", '{"a":' * 50_000),
        ("inference.json", json.dumps({"a": list(range(300_000))})),
        ("inference.json", '{"a": "' + "x" * 5_000_000 + '"}'),
        ("inference.json", '{"a": ' + "9" * 1_000_000 + "}"),
        ("inference.json", "\x00\xff"),
    ],
)
def test_configurations_without_end(
    attack: Attack, tmp_path: Path, healthy_state: dict[str, torch.Tensor], name: str, text: str
) -> None:
    attack.refused(write_bundle(tmp_path / "harm", text, healthy_state, name))


def test_weights_of_a_bundle_that_are_a_pickle(attack: Attack, tmp_path: Path) -> None:
    root = write_bundle(tmp_path / "harm", configuration(), {})
    write_pickle(root / "models" / "model.pt", PICKLES["os.system"](attack.mark), "zip")
    assert "nothing of it was run" in attack.refused(root)


def _archive(root: Path, add: Callable[[zipfile.ZipFile], None]) -> Path:
    """A bundle as an archive, with something added."""
    path = root.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for file in sorted(root.rglob("*")):
            if file.is_file():
                made.write(file, f"harm/{file.relative_to(root).as_posix()}")
        add(made)
    return path


def _link(made: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("harm/configs/link.json")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    made.writestr(info, "/etc/passwd")


MEMBERS: dict[str, Callable[[zipfile.ZipFile], None]] = {
    "above": lambda made: made.writestr("harm/configs/../../../out.txt", "x"),
    "above, Windows": lambda made: made.writestr("harm\\configs\\..\\..\\..\\out.txt", "x"),
    "absolute": lambda made: made.writestr("/tmp/medviewer-out.txt", "x"),
    "drive": lambda made: made.writestr("C:/out.txt", "x"),
    "link": _link,
    "bomb": lambda made: made.writestr("harm/models/zeros.bin", bytes(64 * 2**20)),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_an_archive_that_writes_elsewhere_or_grows(
    attack: Attack, tmp_path: Path, healthy_state: dict[str, torch.Tensor], name: str
) -> None:
    root = write_bundle(tmp_path / "harm", configuration(), healthy_state)
    before = set(tmp_path.iterdir())
    assert "nothing of it was taken" in attack.refused(_archive(root, MEMBERS[name]))
    assert set(tmp_path.iterdir()) - before == {root.with_suffix(".zip")}
    assert not Path("/tmp/medviewer-out.txt").exists()


def test_an_archive_that_lies_about_a_size(
    attack: Attack, tmp_path: Path, healthy_state: dict[str, torch.Tensor]
) -> None:
    """The directory says 10 bytes; unpacked there are more."""
    root = write_bundle(tmp_path / "harm", configuration(), healthy_state)
    path = _archive(root, lambda made: made.writestr("harm/configs/long.txt", b"x" * 100_000))
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"harm/configs/long.txt") - 46  # the central directory's fixed part (APPNOTE 4.3.12)
    data[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    attack.refused(path)


def test_a_folder_with_a_link_out_of_it(attack: Attack, tmp_path: Path, healthy_state: dict[str, torch.Tensor]) -> None:
    root = write_bundle(tmp_path / "harm", configuration(), healthy_state)
    (root / "LICENSE").symlink_to("/etc/passwd")
    assert "a link or device" in attack.refused(root)


def test_settings_that_a_person_wrote_by_hand_lead_nowhere(
    attack: Attack, tmp_path: Path, healthy_state: dict[str, torch.Tensor]
) -> None:
    """An installed folder whose settings point out of it, or ask for code, stays shut without trust."""
    import yaml

    plugin = attack.install(write_bundle(tmp_path / "harm", configuration(), healthy_state))
    path = plugin.folder / "plugin.yaml"
    data = yaml.safe_load(path.read_text())
    for code in (
        {"network": f"${touching(attack.mark)}", "config": "inference.json"},
        {"network": "network_def", "config": "../../../evil.json"},
        {"transforms": [f"${touching(attack.mark)}"], "config": "/etc/passwd"},
    ):
        path.write_text(yaml.safe_dump({**data, "settings": {**data["settings"], "code": code}}))
        from medviewer.inference.loader import load_code

        load_code.cache_clear()
        with pytest.raises(UntrustedError):
            attack.load(plugin)
    assert not attack.mark.exists()
