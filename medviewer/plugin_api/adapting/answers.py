"""What a network of another maker answers, as the host expects it: one tensor of raw scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from medviewer.errors import ContractError

if TYPE_CHECKING:
    from torch import Tensor

Answers = Literal["logits", "probabilities"]
ANSWERS: tuple[Answers, ...] = ("logits", "probabilities")

_FLOOR = 1e-6
"""The least probability that has a logit."""


def first_tensor(output: Any, name: str) -> Tensor:
    """The answer of a network that gives a tensor, or several in a list, a tuple or a mapping: the first of them.

    Raises
    ------
    ContractError
        If there is no tensor in it.
    """
    import torch

    while isinstance(output, list | tuple | dict) and output:
        output = next(iter(output.values())) if isinstance(output, dict) else output[0]
    if not isinstance(output, torch.Tensor):
        raise ContractError(f"{name}: the network should return a tensor, not a {type(output).__name__}.")
    return output


def as_logits(output: Tensor, answers: Answers, activation: str) -> Tensor:
    """Scores that the host's activation turns back into what the network answered.

    Parameters
    ----------
    answers
        ``probabilities`` of a network that ends in a softmax or a sigmoid of its own.
    activation
        The manifest's `outputs.activation`.
    """
    import torch

    if answers == "logits":
        return output
    if activation == "sigmoid":
        return torch.logit(output, eps=_FLOOR)
    return output.clamp_min(_FLOOR).log()
