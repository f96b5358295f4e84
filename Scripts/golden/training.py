"""Losses, schedules and optimiser steps of PyTorch, for Tests/TrainingTests/Golden.

    python Scripts/golden/training.py
"""

import json
import pathlib

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, OneCycleLR, SequentialLR

FOLDER = pathlib.Path(__file__).parents[2] / "Tests" / "TrainingTests" / "Golden"


def write(name, cases):
    (FOLDER / f"{name}.json").write_text(json.dumps(cases, indent=1) + "\n")


def cross_entropy():
    torch.manual_seed(1)
    cases = []
    for classes, smoothing, scale in [(2, 0, 1), (2, 0.1, 3), (3, 0, 5), (5, 0.2, 2), (2, 0.05, 60)]:
        logits = (torch.randn(6, classes) * scale).double().float()
        labels = torch.randint(0, classes, (6,))
        leaf = logits.double().requires_grad_()
        each = torch.nn.functional.cross_entropy(
            leaf, labels, reduction="none", label_smoothing=smoothing)
        each.mean().backward()
        cases.append(dict(
            classes=classes, labelSmoothing=smoothing, logits=logits.flatten().tolist(),
            labels=labels.tolist(), losses=each.tolist(), mean=each.mean().item(),
            gradients=leaf.grad.flatten().tolist()))
    write("cross-entropy", cases)


def schedules():
    cases = []

    def follow(name, steps, optimizer, scheduler, **settings):
        rates, momenta = [], []
        for _ in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            momenta.append(optimizer.param_groups[0]["momentum"])
            optimizer.step()
            scheduler.step()
        cases.append(dict(schedule=name, steps=steps, rates=rates, momenta=momenta, **settings))

    def sgd(rate):
        return torch.optim.SGD([torch.zeros(1, requires_grad=True)], rate, momentum=0.9)

    for steps, cycles in [(1, True), (3, True), (7, True), (40, True), (40, False), (101, True)]:
        optimizer = sgd(0.05)
        scheduler = OneCycleLR(optimizer, 0.05, total_steps=steps, cycle_momentum=cycles)
        follow("onecycle", steps, optimizer, scheduler, peak=0.05, cyclesMomentum=cycles, warmUp=0)
    for steps, warm in [(40, 0.25), (20, 0), (101, 0.05)]:
        optimizer = sgd(0.2)
        rising = int(warm * steps)
        cosine = CosineAnnealingLR(optimizer, steps - rising)
        scheduler = cosine
        if rising:
            optimizer = sgd(0.2)
            scheduler = SequentialLR(
                optimizer,
                [LinearLR(optimizer, 0.01, total_iters=rising),
                 CosineAnnealingLR(optimizer, steps - rising)], [rising])
        follow("cosine", steps, optimizer, scheduler, peak=0.2, cyclesMomentum=True,
               warmUp=warm)
    write("schedules", cases)


def sgd():
    cases = []
    for momentum, nesterov, decay, decays_all, clip in [
            (0, False, 0, False, None), (0.9, False, 0, False, None),
            (0.9, False, 0.1, False, None), (0.9, True, 0.1, True, None),
            (0.9, False, 0.1, True, 0.5), (0.9, True, 0.1, False, 0.5)]:
        torch.manual_seed(2)
        weight = torch.randn(2, 3).requires_grad_()
        bias = torch.randn(2).requires_grad_()
        start = weight.flatten().tolist() + bias.tolist()
        groups = [dict(params=[weight]),
                  dict(params=[bias], weight_decay=decay if decays_all else 0)]
        optimizer = torch.optim.SGD(
            groups, 0.1, momentum=momentum, nesterov=nesterov, weight_decay=decay)
        gradients, values = [], []
        for step in range(5):
            weight.grad = torch.randn(2, 3)
            bias.grad = torch.randn(2)
            gradients.append(weight.grad.flatten().tolist() + bias.grad.tolist())
            if clip is not None:
                torch.nn.utils.clip_grad_norm_([weight, bias], clip)
            optimizer.param_groups[0]["lr"] = optimizer.param_groups[1]["lr"] = 0.1 / (step + 1)
            optimizer.step()
            values.append(weight.flatten().tolist() + bias.tolist())
        cases.append(dict(
            momentum=momentum, nesterov=nesterov, weightDecay=decay, decaysAll=decays_all,
            clip=clip, start=start, gradients=gradients, values=values))
    write("sgd", cases)


if __name__ == "__main__":
    cross_entropy()
    schedules()
    sgd()
