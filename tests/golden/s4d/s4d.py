"""Makes this case: a context network of S4D layers in PyTorch, on random numbers. `python s4d.py DIR` needs torch, numpy and safetensors.

The kernel and the convolution are computed as in the authors' minimal example of S4D (Gu et al. 2022): broadcast exponentials, `rfft` of twice the
length. The parameters have this crate's names.
"""

import math
import sys

import numpy
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

IN, HIDDEN, STATE, LAYERS, BATCH, TIME = 6, 10, 8, 2, 3, 50


def start():
    p = {"input.weight": torch.randn(HIDDEN, IN) / math.sqrt(IN), "input.bias": torch.randn(HIDDEN) / math.sqrt(IN)}
    for i in range(LAYERS):
        p |= {
            f"layers.{i}.log_dt": torch.rand(HIDDEN) * (math.log(0.1) - math.log(0.001)) + math.log(0.001),
            f"layers.{i}.log_A_real": math.log(0.5) + 0.1 * torch.randn(HIDDEN, STATE // 2),
            f"layers.{i}.A_imag_offset": 0.3 * torch.randn(HIDDEN, STATE // 2),
            f"layers.{i}.C": torch.view_as_real(torch.randn(HIDDEN, STATE // 2, dtype=torch.cdouble)),
            f"layers.{i}.D": torch.randn(HIDDEN),
            f"layers.{i}.output_linear.weight": torch.randn(2 * HIDDEN, HIDDEN) / math.sqrt(HIDDEN),
            f"layers.{i}.output_linear.bias": torch.randn(2 * HIDDEN) / math.sqrt(HIDDEN),
            f"layers.{i}.norm.weight": 1 + 0.1 * torch.randn(HIDDEN),
            f"layers.{i}.norm.bias": 0.1 * torch.randn(HIDDEN),
        }
    # What a float holds, so that both sides start from the same numbers.
    return {name: value.float().double().requires_grad_() for name, value in p.items()}


def kernel(p, length):
    dt = torch.exp(p["log_dt"])
    a = -torch.exp(p["log_A_real"]) + 1j * (math.pi * torch.arange(STATE // 2, dtype=torch.double) + p["A_imag_offset"])
    dta = a * dt.unsqueeze(-1)
    c = torch.view_as_complex(p["C"]) * (torch.exp(dta) - 1.0) / a
    return 2 * torch.einsum("hn, hnl -> hl", c, torch.exp(dta.unsqueeze(-1) * torch.arange(length))).real


def layer(p, x):
    u, length = x.transpose(1, 2), x.shape[1]
    y = torch.fft.irfft(torch.fft.rfft(kernel(p, length), n=2 * length) * torch.fft.rfft(u, n=2 * length), n=2 * length)
    y = (y[..., :length] + u * p["D"].unsqueeze(-1)).transpose(1, 2)
    y = F.glu(F.linear(F.gelu(y), p["output_linear.weight"], p["output_linear.bias"]), dim=-1)
    return F.layer_norm(x + y, (HIDDEN,), p["norm.weight"], p["norm.bias"])


def forward(p, z):
    x = F.linear(z, p["input.weight"], p["input.bias"])
    for i in range(LAYERS):
        x = layer({name.split(".", 2)[2]: value for name, value in p.items() if name.startswith(f"layers.{i}.")}, x)
    return x


torch.manual_seed(1)
torch.set_default_dtype(torch.double)
p = start()
z = torch.randn(BATCH, TIME, IN).float().double().requires_grad_()
weights = torch.randn(BATCH, TIME, HIDDEN).float().double()
c = forward(p, z)
(c * weights).sum().backward()
named = lambda of: {name: of(value).detach().float().contiguous() for name, value in p.items()}
save_file(named(lambda v: v), f"{sys.argv[1]}/parameters.safetensors")
save_file(named(lambda v: v.grad) | {"z": z.grad.float()}, f"{sys.argv[1]}/gradients.safetensors")
for name, value in {"z": z, "c": c, "weights": weights}.items():
    numpy.save(f"{sys.argv[1]}/{name}.npy", value.detach().float().numpy())
