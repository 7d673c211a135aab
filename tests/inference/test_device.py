"""Which processor is chosen."""

from __future__ import annotations

import pytest
import torch

from medviewer.errors import InputError
from medviewer.inference.device import describe_device, resolve_device


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


def test_the_cpu_is_described() -> None:
    assert describe_device("cpu") == f"CPU, {torch.get_num_threads()} threads"
