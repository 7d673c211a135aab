"""Which processor is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from medviewer.errors import InputError
from medviewer.inference import device as devices
from medviewer.inference.device import (
    budget,
    describe_device,
    gpu_resource,
    has_gpu,
    limit_memory,
    resolve_device,
)
from medviewer.inference.windows.memory import free_gb

GIB = 2**30


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    has_gpu.cache_clear()
    yield
    has_gpu.cache_clear()


def plugin(gpu: str) -> Any:
    return SimpleNamespace(name="Spleen", resources=SimpleNamespace(gpu=gpu))


def test_auto_takes_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for present, device in ((True, "cuda:0"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda present=present: present)
        assert resolve_device("auto") == device
        assert resolve_device("cpu") == "cpu"


def test_cuda_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="finds no CUDA device here; choose auto or cpu"):
        resolve_device("cuda")
    with pytest.raises(InputError, match="not 'gpu'"):
        resolve_device("gpu")


def test_a_plugin_may_forbid_the_gpu_or_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [resolve_device(choice, plugin("never")) for choice in ("auto", "cpu", "cuda")] == ["cpu"] * 3
    assert [resolve_device(choice, plugin("required")) for choice in ("auto", "cuda")] == ["cuda:0"] * 2
    with pytest.raises(InputError, match="Spleen runs on a GPU only, but the CPU was asked for"):
        resolve_device("cpu", plugin("required"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="Spleen runs on a GPU only, but torch finds no CUDA device"):
        resolve_device("auto", plugin("required"))
    assert resolve_device("auto", plugin("optional")) == "cpu"


def test_the_cpu_is_described() -> None:
    assert describe_device("cpu") == f"CPU, {torch.get_num_threads()} threads"


def test_a_gpu_is_looked_for_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver, package = tmp_path / "nvidiactl", tmp_path / "torch"
    package.mkdir()
    monkeypatch.setattr(devices, "_DRIVERS", (str(driver),))
    spec = SimpleNamespace(origin=str(package / "__init__.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: cast(Any, spec))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def found(cuda: str) -> bool:
        (package / "version.py").write_text(f"__version__ = '2.13'\ncuda: Optional[str] = {cuda}\nhip = None\n")
        has_gpu.cache_clear()
        return has_gpu()

    assert not found("'13.0'"), "no driver"
    driver.touch()
    assert found("'13.0'")
    assert not found("None"), "a torch for the CPU"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert not found("'13.0'"), "hidden by the user"


def test_only_what_may_run_on_the_gpu_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "has_gpu", lambda: True)
    assert [gpu_resource(choice) for choice in ("auto", "cuda", "cpu")] == ["GPU", "GPU", ""]
    assert gpu_resource("auto", plugin(gpu="never")) == ""
    monkeypatch.setattr(devices, "has_gpu", lambda: False)
    assert gpu_resource("auto") == ""


def test_what_torch_holds_for_reuse_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    assert budget("cpu") is None
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (6 * GIB, 16 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 3 * GIB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: GIB)
    assert budget("cuda:0") == 8 * GIB
    assert free_gb("cuda:0") == pytest.approx(8 * GIB / 1e9)
    monkeypatch.setenv("MEDVIEWER_GPU_SHARE", "0.25")
    assert budget("cuda:0") == 3 * GIB
    assert free_gb("cuda:0") == pytest.approx(3 * GIB / 1e9)


def test_the_share_of_the_gpu_is_set_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[float, str]] = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda *values: told.append(values))
    limit_memory("cuda:0")
    monkeypatch.setenv("MEDVIEWER_GPU_SHARE", "0.5")
    limit_memory("cpu")
    limit_memory("cuda:0")
    assert told == [(0.5, "cuda:0")]
    for wrong in ("2", "0", "half"):
        monkeypatch.setenv("MEDVIEWER_GPU_SHARE", wrong)
        with pytest.raises(InputError, match="above 0 and up to 1"):
            limit_memory("cuda:0")
