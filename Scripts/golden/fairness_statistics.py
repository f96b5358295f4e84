"""Writes the goldens of distributions, intervals and tests from SciPy and statsmodels.

What neither offers (Tango, MOVER-R, BCa on given replicates, DeLong) is computed here the slow and
obvious way: the constrained likelihood maximised numerically, every pair compared.
"""

import json
import os

import numpy
from scipy import optimize, special, stats
from statsmodels.stats import contingency_tables, multitest, proportion

folder = os.path.join(os.path.dirname(__file__), "../../Tests/FairnessTests/Golden")
random = numpy.random.default_rng(7)


def cases(rows, **columns):
    return [{**{k: f(*row) for k, f in columns.items()}, "in": [float(x) for x in row]} for row in rows]


golden = {}
golden["elementary"] = [
    {"in": [float(x)], "exponential": float(numpy.exp(x)), "logarithm": float(numpy.log(abs(x))),
     "onePlus": float(numpy.log1p(x)) if x > -1 else None}
    for x in [-700.3, -50.25, -3.7, -0.9, -0.29, -1e-9, 1e-12, 1e-4, 0.29, 0.31, 0.7, 1.0, 1.5, 2.718,
              10.1, 123.456, 700.3]
]
golden["normal"] = [
    {"in": [float(x)], "cumulative": float(stats.norm.cdf(x)), "density": float(stats.norm.pdf(x)),
     "complementary": float(special.erfc(x))}
    for x in [-30, -8.5, -5, -2.9, -2, -1.96, -1, -0.3, -1e-8, 0, 0.5, 1, 1.4, 1.9, 2, 2.1, 3, 5, 8]
]
golden["quantile"] = [
    {"in": [p], "quantile": float(stats.norm.ppf(p))}
    for p in [1e-300, 1e-20, 1e-6, 0.005, 0.025, 0.05, 0.3, 0.4999, 0.5, 0.7, 0.95, 0.975, 0.9999]
]
golden["beta"] = [
    {"in": [x, a, b], "cumulative": float(special.betainc(a, b, x))}
    for x, a, b in [
        (0.2, 0.5, 0.5), (0.9, 3, 2), (0.5, 12.5, 30), (0.01, 0.5, 100.5), (0.24, 2000.5, 6000.5),
        (0.7, 30000, 12000), (0.7143, 300000.5, 120000.5), (0.001, 5, 8000), (0.999, 8000, 5)]
]
golden["betaQuantile"] = [
    {"in": [p, a, b], "quantile": float(special.betaincinv(a, b, p))}
    for p, a, b in [
        (0.025, 0.5, 20.5), (0.975, 3.5, 17.5), (0.025, 500.5, 1500.5), (0.975, 12.5, 0.5),
        (0.5, 1, 1), (0.05, 100000.5, 300000.5)]
]
golden["logGamma"] = [
    {"in": [x], "logGamma": float(special.gammaln(x))}
    for x in [0.1, 0.5, 1.5, 3, 7.25, 15.9, 16, 100.5, 1e4, 1e6]
]
golden["binomial"] = [
    {"in": [k, n, p], "probability": float(stats.binom.pmf(k, n, p)),
     "cumulative": float(stats.binom.cdf(k, n, p))}
    for k, n, p in [(0, 5, 0.5), (5, 5, 0.5), (3, 20, 0.5), (40, 100, 0.5), (480, 1000, 0.5),
                    (10, 12, 0.9), (49800, 100000, 0.5), (3, 100000, 1e-5), (24, 8000, 0.002)]
]
shares = [(0, 10), (10, 10), (7, 12), (1, 5), (580, 1000), (3, 20000), (81, 263), (15, 148), (0, 20)]
golden["wilson"] = [
    {"in": [k, n, c], "interval": [float(x) for x in proportion.proportion_confint(
        k, n, 1 - c, "wilson")]}
    for k, n in shares for c in (0.9, 0.95, 0.99)
]
golden["jeffreys"] = [
    {"in": [k, n, 0.95],
     "interval": [0.0 if k == 0 else float(stats.beta.ppf(0.025, k + 0.5, n - k + 0.5)),
                  1.0 if k == n else float(stats.beta.ppf(0.975, k + 0.5, n - k + 0.5))]}
    for k, n in shares
]
# statsmodels' difference is first minus second.
golden["newcombe"] = [
    {"in": [a, m, b, n, 0.95], "interval": [float(x) for x in proportion.confint_proportions_2indep(
        a, m, b, n, method="newcomb", compare="diff", alpha=0.05)]}
    for (a, m, b, n) in [(56, 70, 48, 80), (9, 10, 3, 10), (10, 10, 0, 20), (5, 56, 0, 29),
                         (7984, 9000, 1914, 3000), (10, 10, 0, 10)]
]


def tango(gained, lost, n, confidence):
    """Inverts the score test with the constrained maximum found by a search."""
    z = stats.norm.ppf((1 + confidence) / 2)

    def statistic(d):
        low, high = max(0.0, -d), (1 - d) / 2
        negative = lambda q: -(
            special.xlogy(gained, q + d) + special.xlogy(lost, q)
            + special.xlogy(n - gained - lost, max(1 - 2 * q - d, 0)))
        # The derivative of the log-likelihood falls from +inf to -inf between the two ends.
        slope = lambda q: (
            (gained / (q + d) if gained else 0) + (lost / q if lost else 0)
            - 2 * (n - gained - lost) / (1 - 2 * q - d))
        a, b = low + 1e-15, high - 1e-15
        if slope(a) <= 0:
            q = low
        elif slope(b) >= 0:
            q = high
        else:
            q = optimize.brentq(slope, a, b, xtol=1e-17, rtol=1e-15)
        return (gained - lost - n * d) / numpy.sqrt(n * (2 * q + d * (1 - d)))

    estimate = (gained - lost) / n
    return [
        optimize.brentq(lambda d: statistic(d) - z, -1 + 1e-9, estimate - 1e-9, xtol=1e-15),
        optimize.brentq(lambda d: statistic(d) + z, estimate + 1e-9, 1 - 1e-9, xtol=1e-15),
    ]


golden["tango"] = [
    {"in": [g, l, n, c], "interval": tango(g, l, n, c)}
    for g, l, n in [(1, 0, 44), (0, 0, 30), (12, 2, 50), (5, 5, 60), (3, 40, 7984), (20, 20, 1914),
                    (0, 9, 400)] for c in (0.9, 0.95)
]


def newcombe_paired(e, f, g, h):
    """Newcombe's method 10 from the four cells: yes-yes, yes-no, no-yes, no-no (first minus second)."""
    n = e + f + g + h
    p1, p2 = (e + f) / n, (e + g) / n
    l1, u1 = proportion.proportion_confint(e + f, n, 0.05, "wilson")
    l2, u2 = proportion.proportion_confint(e + g, n, 0.05, "wilson")
    margins = (e + f) * (g + h) * (e + g) * (f + h)
    cross = e * h - f * g
    phi = 0.0 if margins == 0 else (max(cross - n / 2, 0) if cross > 0 else cross) / margins ** 0.5
    low = ((p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2) ** 0.5
    high = ((u1 - p1) ** 2 - 2 * phi * (u1 - p1) * (p2 - l2) + (p2 - l2) ** 2) ** 0.5
    return [p1 - p2 - low, p1 - p2 + high]


# The first is Newcombe's published example (f): 36, 12, 2, 0 has the interval 0.0569 to 0.3404.
golden["newcombePaired"] = [
    {"in": [float(x) for x in cell], "interval": [float(x) for x in newcombe_paired(*cell)]}
    for cell in [(36, 12, 2, 0), (20, 12, 2, 16), (43, 0, 1, 0), (50, 0, 0, 0), (4000, 60, 30, 500)]
]
golden["mcnemar"] = [
    {"in": [b, c], "exact": float(contingency_tables.mcnemar([[5, b], [c, 5]], exact=True).pvalue),
     "midP": float(min(1, contingency_tables.mcnemar([[5, b], [c, 5]], exact=True).pvalue
                       - stats.binom.pmf(min(b, c), b + c, 0.5)) if b != c
                   else 1 - stats.binom.pmf(b, b + c, 0.5) / 2)}
    for b, c in [(1, 7), (0, 3), (4, 4), (59, 6), (10, 25), (2010, 1890), (6, 16)]
]
p = [0.01, 0.04, 0.03, 0.005, 0.2, 0.2, 0.9]
golden["multiplicity"] = {
    "p": p, "holm": [float(x) for x in multitest.multipletests(p, method="holm")[1]],
    "benjaminiHochberg": [float(x) for x in multitest.multipletests(p, method="fdr_bh")[1]],
}


def delong(scores, labels):
    """Areas and their covariance by comparing every positive with every negative."""
    high, low = scores[:, labels == 1], scores[:, labels == 0]
    psi = (high[:, :, None] > low[:, None, :]) + 0.5 * (high[:, :, None] == low[:, None, :])
    v10, v01 = psi.mean(axis=2), psi.mean(axis=1)
    covariance = numpy.cov(v10) / v10.shape[1] + numpy.cov(v01) / v01.shape[1]
    return psi.mean(axis=(1, 2)), covariance


labels = (random.random(80) < 0.4).astype(int)
first = (labels * 0.2 + random.random(80) * 0.8).round(2)
second = (first + random.normal(0, 0.1, 80)).clip(0, 1).round(2)
area, covariance = delong(numpy.array([first, second]), labels)
z = stats.norm.ppf(0.975)
logit = numpy.log(area[0] / (1 - area[0]))
half = z * covariance[0, 0] ** 0.5 / (area[0] * (1 - area[0]))
golden["delong"] = {
    "labels": labels.tolist(), "first": first.tolist(), "second": second.tolist(),
    "areas": area.tolist(), "covariance": covariance.tolist(),
    "interval": [float(1 / (1 + numpy.exp(-logit + half))), float(1 / (1 + numpy.exp(-logit - half)))],
}
values = numpy.sort(random.normal(0.3, 1, 999))
estimate, acceleration = 0.25, 0.03
bias = stats.norm.ppf((values < estimate).mean())
level = lambda z: stats.norm.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))
golden["bca"] = {
    "values": values.tolist(), "estimate": estimate, "acceleration": acceleration,
    "interval": [float(numpy.quantile(values, level(-z))), float(numpy.quantile(values, level(z)))],
    "percentile": [float(numpy.quantile(values, 0.025)), float(numpy.quantile(values, 0.975))],
}
with open(os.path.join(folder, "statistics.json"), "w") as file:
    json.dump(golden, file, separators=(",", ":"))
