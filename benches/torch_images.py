#!/usr/bin/env python3
"""The same training steps of Deep InfoMax in PyTorch, for comparison on the same machine within the same minute.

    python3 -m venv VENV && VENV/bin/pip install torch numpy        (several GB; only for measurements, never a dependency)
    VENV/bin/python torch_images.py local|global|supervised [--estimator jsd|infonce] [--units 512] [--batch 64] [-n 30] [--threads 2]

Both use these networks. Encoder: basic28x28 (convolutions of 64 and 128 channels, 5/2/2, a fully connected layer of 1024, Y of 64). Local critic:
two layers of `units`, a shortcut and layer norm on the locations, the same without layer norm on Y, and inner products of all pairs. Global
critic: 512, 512, 1 on all pairs, whose first layer is computed once for the locations and once for Y, as in cpc. Discriminator of the prior:
1000, 200, 1 with a gradient penalty, trained in the same step. The optimizer is Adam. Images are random. Prints the median time of a step in
seconds as JSON.
"""
import argparse, json, time
import torch, torch.nn as nn, torch.nn.functional as F


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv0 = nn.Conv2d(1, 64, 5, 2, 2)
        self.conv1 = nn.Conv2d(64, 128, 5, 2, 2)
        self.fc, self.y = nn.Linear(6272, 1024), nn.Linear(1024, 64)

    def forward(self, x):
        places = F.relu(self.conv1(F.relu(self.conv0(x))))  # (B, 128, 7, 7)
        return places, self.y(F.relu(self.fc(places.flatten(1))))


class Block(nn.Module):
    def __init__(self, inputs, units, norm):
        super().__init__()
        self.deep = nn.Sequential(nn.Linear(inputs, units), nn.ReLU(), nn.Linear(units, units))
        self.shortcut = nn.Linear(inputs, units, bias=False)
        self.norm = nn.LayerNorm(units) if norm else nn.Identity()

    def forward(self, x):
        return self.norm(self.deep(x) + self.shortcut(x))


class Local(nn.Module):
    def __init__(self, units):
        super().__init__()
        self.places, self.y = Block(128, units, True), Block(64, units, False)

    def loss(self, places, y, estimator):
        B, C, M, _ = places.shape
        rows = places.permute(0, 2, 3, 1).reshape(B * M * M, C)
        scores = (self.y(y) @ self.places(rows).t()).view(B, B, M * M)  # of Y_i with the locations of image j
        same = torch.eye(B, dtype=torch.bool)
        joint, others = scores[same], scores[~same].view(B, -1)
        if estimator == "jsd":
            return F.softplus(-joint).mean() + F.softplus(others).mean()
        return F.softplus(others.logsumexp(1, keepdim=True) - joint).mean()


class Global(nn.Module):
    def __init__(self):
        super().__init__()
        self.x, self.y = nn.Linear(6272, 512), nn.Linear(64, 512)
        self.rest = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 1))

    def loss(self, places, y, estimator):
        B = y.shape[0]
        hidden = F.relu(self.x(places.flatten(1))[None] + self.y(y)[:, None])
        scores = self.rest(hidden.view(B * B, -1)).view(B, B)
        same = torch.eye(B, dtype=torch.bool)
        if estimator == "jsd":
            return F.softplus(-scores[same]).mean() + F.softplus(scores[~same]).mean()
        return F.cross_entropy(scores, torch.arange(B))


def prior(discriminator, y):
    made, drawn = torch.sigmoid(y), torch.rand_like(y)
    for p in discriminator.parameters():
        p.requires_grad_(False)
    encoder = F.softplus(-discriminator(made)).mean()
    for p in discriminator.parameters():
        p.requires_grad_(True)
    both = torch.cat([drawn, made.detach()]).requires_grad_()
    scores = discriminator(both)
    slope = torch.autograd.grad(scores.sum(), both, create_graph=True)[0]
    n = len(y)
    return encoder, F.softplus(-scores[:n]).mean() + F.softplus(scores[n:]).mean() + slope.pow(2).sum(1).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["local", "global", "supervised"])
    parser.add_argument("--estimator", default="jsd", choices=["jsd", "infonce"])
    parser.add_argument("--units", type=int, default=512)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("-n", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    encoder = Encoder()
    critic = {"local": lambda: Local(a.units), "global": Global, "supervised": lambda: nn.Linear(64, 10)}[a.what]()
    discriminator = nn.Sequential(nn.Linear(64, 1000), nn.ReLU(), nn.Linear(1000, 200), nn.ReLU(), nn.Linear(200, 1))
    parameters = [*encoder.parameters(), *critic.parameters()]
    if a.what != "supervised":
        parameters += discriminator.parameters()
    adam = torch.optim.Adam(parameters, lr=1e-4, betas=(0.5, 0.999))
    images, labels = torch.rand(a.batch, 1, 28, 28), torch.randint(10, (a.batch,))
    times = []
    for _ in range(a.n + 3):
        began = time.perf_counter()
        adam.zero_grad()
        places, y = encoder(images)
        if a.what == "supervised":
            loss = F.cross_entropy(critic(y), labels)
        else:
            fooled, told = prior(discriminator, y)
            loss = critic.loss(places, y, a.estimator) + 0.1 * fooled + told
        loss.backward()
        adam.step()
        times.append(time.perf_counter() - began)
    times = sorted(times[3:])
    print(json.dumps({"torch": torch.__version__, "what": a.what, "step_seconds": round(times[len(times) // 2], 4)}))


if __name__ == "__main__":
    main()
