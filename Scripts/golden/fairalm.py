"""Values, gradients and dual steps of FairALM's forms by autograd, for Tests/TrainingTests/Golden.

    python Scripts/golden/fairalm.py

Written from the formulas, with masks and means of PyTorch rather than weights of rows.
"""

import json
import pathlib

import torch

FOLDER = pathlib.Path(__file__).parents[2] / "Tests" / "TrainingTests" / "Golden"


def mean(values, mask):
    return values[mask].mean()


def rate(kind, errors, labels, inside, counts):
    """A group's rate from soft errors; by natural shares where both labels are in it."""
    positive, negative = inside & (labels == 1), inside & (labels == 0)
    if kind == "equalOpportunity":
        return 1 - mean(errors, positive)
    if kind == "fprDifference":
        return mean(errors, negative)
    share = counts[1] / sum(counts)
    if kind == "errorRate":
        return (1 - share) * mean(errors, negative) + share * mean(errors, positive)
    return (1 - share) * mean(errors, negative) + share * (1 - mean(errors, positive))


def rows(kind, counts):
    return {"equalOpportunity": counts[1], "fprDifference": counts[0]}.get(kind, sum(counts))


def gaps(kind, errors, labels, groups, counts):
    if kind == "equalizedOdds":
        return (gaps("equalOpportunity", errors, labels, groups, counts)
                + gaps("fprDifference", errors, labels, groups, counts))
    rates = [rate(kind, errors, labels, groups == g, c) for g, c in enumerate(counts)]
    if len(rates) == 2:
        return [rates[1] - rates[0]]
    total = sum(rows(kind, c) for c in counts)
    pooled = sum(rows(kind, c) / total * r for c, r in zip(counts, rates))
    return [r - pooled for r in rates]


def main():
    torch.manual_seed(4)
    cases = []
    plan = [("equant", c, s, g) for c in ["equalOpportunity", "fprDifference", "equalizedOdds",
                                          "errorRate", "demographicParity"]
            for s in ["sigmoid", "crossEntropy"] for g in [2, 3]
            if (c, s) != ("demographicParity", "crossEntropy")]
    plan += [(f, c, "crossEntropy", 2) for f in ["paper", "released"]
             for c in ["equalOpportunity", "fprDifference", "errorRate"]]
    for form, constraint, surrogate, number in plan:
        n, eta, penalty = 20, 0.3, 1.7
        smoothing = 0.1 if surrogate == "sigmoid" and number == 3 else 0.0
        counts = [[50, 80], [70, 20], [10, 30]][:number]
        logits = (torch.randn(n, 2) * 2).double().float()
        cells = torch.cat([torch.arange(2 * number), torch.randint(0, 2 * number, (n - 2 * number,))])
        labels, groups = cells % 2, cells // 2
        leaf = logits.double().requires_grad_()
        losses = torch.nn.functional.cross_entropy(
            leaf, labels, reduction="none", label_smoothing=smoothing)
        after = None
        if form == "equant":
            errors = losses
            if surrogate == "sigmoid":
                errors = torch.softmax(leaf, 1)[torch.arange(n), 1 - labels]
            found = gaps(constraint, errors, labels, groups, counts)
            multipliers = torch.randn(len(found)).double()
            value = losses.mean()
            for multiplier, gap in zip(multipliers, found):
                value = value + multiplier * gap + penalty / 2 * gap ** 2
        else:
            inside = {"equalOpportunity": labels == 1, "fprDifference": labels == 0,
                      "errorRate": labels >= 0}[constraint]
            m0, m1 = mean(losses, inside & (groups == 0)), mean(losses, inside & (groups == 1))
            if form == "paper":
                multipliers = torch.randn(1).double()
                (lam,) = multipliers.tolist()
                value = losses.mean() + (lam + eta) * m0 - (lam - eta) * m1
                after = [lam + eta * (m0 - m1).item()]
            else:
                multipliers = torch.randn(2).double()
                l0, l1 = multipliers.tolist()
                value = (losses.mean() + (eta / 4 + (l0 - l1) / 2) * m0
                         + (eta / 4 + (l1 - l0) / 2) * m1)
                l0 = 0.5 * (l0 - l1) + 0.5 * eta * (m0 - m1).item()
                l1 = 0.5 * (l1 - l0) + 0.5 * eta * (m1 - m0).item()
                after = [l0, l1]
        value.backward()
        cases.append(dict(
            form=form, constraint=constraint, surrogate=surrogate, eta=eta, penalty=penalty,
            labelSmoothing=smoothing, groups=["a", "b", "c"][:number], counts=counts,
            multipliers=multipliers.tolist(), logits=logits.flatten().tolist(),
            labels=labels.tolist(), rowGroups=groups.tolist(), value=value.item(),
            gradients=leaf.grad.flatten().tolist(), multipliersAfter=after))
    (FOLDER / "fairalm.json").write_text(
        "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
