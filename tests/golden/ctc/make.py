"""Writes ctc.json: losses and gradients of PyTorch's CTC, in float64."""
import json
import sys

import torch

torch.manual_seed(1)
scores = torch.randn(5, 30, 5, dtype=torch.float64, requires_grad=True)
lengths = [30, 22, 9, 5, 17]
labels = [[0, 1, 2, 3, 3, 2, 1, 1, 0], [2, 2, 2], [], [1, 1, 1, 1], [3, 0, 3, 0, 2, 1, 1, 2]]
losses = torch.nn.functional.ctc_loss(
    scores.log_softmax(-1).transpose(0, 1),
    torch.tensor(sum(labels, [])),
    torch.tensor(lengths),
    torch.tensor([len(row) for row in labels]),
    blank=4,
    reduction="none",
    zero_infinity=True,
)
(losses * torch.arange(1, 6)).sum().backward()
golden = {
    "torch": torch.__version__.split("+")[0],
    "lengths": lengths,
    "labels": labels,
    "scores": scores.detach().flatten().tolist(),
    "losses": losses.tolist(),
    "gradient": scores.grad.flatten().tolist(),
}
with open(sys.argv[1], "w") as file:
    json.dump(golden, file)
