"""What the worker process does between two jobs."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from medviewer.jobs.worker import give_memory_back


class Cuda(SimpleNamespace):
    """As much of torch.cuda as is asked for."""

    def __init__(self, initialised: bool, broken: bool = False) -> None:
        self.told: list[str] = []
        self._state = initialised, broken

    def is_initialized(self) -> bool:
        return self._state[0]

    def synchronize(self) -> None:
        if self._state[1]:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    def empty_cache(self) -> None:
        self.told.append("empty")


@pytest.mark.parametrize(
    ("cuda", "fit", "told"), [(Cuda(False), True, []), (Cuda(True), True, ["empty"]), (Cuda(True, True), False, [])]
)
def test_gpu_memory_goes_back_after_a_job(
    monkeypatch: pytest.MonkeyPatch, cuda: Cuda, fit: bool, told: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert give_memory_back() is fit
    assert cuda.told == told
