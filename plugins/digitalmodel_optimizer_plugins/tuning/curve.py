"""Throughput against workers: Gunther's Universal Scalability Law, with what is not known of it.

``X(N) = rate * N / (1 + sigma (N - 1) + kappa N (N - 1))``: ``rate`` is that of one worker,
``sigma`` the share that has to be done in turn, ``kappa`` what workers cost each other (N. J.
Gunther, Guerrilla Capacity Planning, 2007, ch. 4). Measured throughputs scatter around it by a
factor, so their logarithms have an additive error.

The posterior stands on a grid of ``sigma`` and ``kappa``; on each node ``rate`` and the variance
have their normal-inverse-gamma posterior in closed form, so nothing is drawn at random and the
same observations give the same answer. What is asked of it are ratios of throughputs, in which
``rate`` cancels out: after one observation they have the prior's uncertainty, and say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# From none to all in turn; from none to a throughput that falls from three workers on.
_SIGMAS = np.concatenate(([0.0], np.geomspace(0.002, 1.0, 22)))
_KAPPAS = np.concatenate(([0.0], np.geomspace(0.00003, 0.2, 22)))
# Runs of the same batch on the same machine differ by some 5 %; the prior weighs as three of them.
_USUAL_NOISE = 0.05
_PRIOR_RUNS = 3.0
# A run counts 0.9 times as much as the one after it: after 7 runs half as much.
FADING = 0.9
# What one worker alone would do is guessed from how much several wait, to a factor of 1.6.
_GUESSED_TO = 0.45
LOW, HIGH = 0.1, 0.9


@dataclass(frozen=True)
class Curve:
    """The posterior: a weight for each node (``sigma``, ``kappa``), and there the logarithm of
    ``rate`` with its standard deviation. ``noise``: expected scatter of a run, as a share.
    """

    sigma: Any
    kappa: Any
    weight: Any
    log_rate: Any
    log_rate_sd: Any
    noise: float
    runs: int

    def shape(self, workers: float) -> Any:
        """``X(workers) / rate`` at each node."""
        return shape(workers, self.sigma, self.kappa)

    def throughput(self, workers: float) -> tuple[float, float, float]:
        """Median, and from and to where 8 of 10 lie."""
        logs = self.log_rate + np.log(self.shape(workers))
        spread = np.linspace(-1.6, 1.6, 9)
        values = (logs[:, None] + self.log_rate_sd[:, None] * spread).ravel()
        weights = (self.weight[:, None] * np.exp(-(spread**2) / 2)).ravel()
        low, middle, high = (_quantile(values, weights, q) for q in (LOW, 0.5, HIGH))
        return float(np.exp(middle)), float(np.exp(low)), float(np.exp(high))

    def nodes(self, number: int) -> tuple[Any, Any, Any]:
        """About ``number`` nodes that stand for all: their sigma, kappa, log of rate.

        Those in whose share of the weight, ordered by sigma and kappa, the middle of each of
        ``number`` equal parts falls.
        """
        reached = np.cumsum(self.weight)
        middles = (np.arange(number) + 0.5) / number * reached[-1]
        chosen = np.minimum(np.searchsorted(reached, middles), len(reached) - 1)
        return self.sigma[chosen], self.kappa[chosen], self.log_rate[chosen]

    def mean(self, of: Any) -> float:
        return float(np.dot(self.weight, of))

    def interval(self, of: Any) -> tuple[float, float]:
        """From and to where 8 of 10 lie, of a value at each node."""
        return _quantile(of, self.weight, LOW), _quantile(of, self.weight, HIGH)


def shape(workers: Any, sigma: Any, kappa: Any) -> Any:
    """Throughput of so many workers, with that of one as the unit."""
    return workers / (1.0 + sigma * (workers - 1) + kappa * workers * (workers - 1))


def fit(
    workers: Sequence[int], mb_per_s: Sequence[float], alone_mb_per_s: float | None = None
) -> Curve:
    """The posterior after these runs, the oldest first.

    :param alone_mb_per_s: a guess at what one worker alone would do at least. Where many workers
        mostly wait, it says that they wait for each other, before fewer have been seen.
    :raises ValueError: there are none, or a value is not above 0.
    """
    numbers, rates = np.asarray(workers, float), np.asarray(mb_per_s, float)
    if not len(numbers) or numbers.min() < 1 or not np.all(np.isfinite(rates)) or rates.min() <= 0:
        raise ValueError("a curve needs runs with one worker or more and a throughput above 0")
    sigma, kappa = (grid.ravel() for grid in np.meshgrid(_SIGMAS, _KAPPAS, indexing="ij"))
    counts = FADING ** np.arange(len(numbers) - 1, -1, -1.0)
    logs = np.log(rates) - np.log(shape(numbers[:, None], sigma, kappa)).T  # node, run
    total = counts.sum()
    log_rate = logs @ counts / total
    squares = ((logs - log_rate[:, None]) ** 2) @ counts
    if alone_mb_per_s is not None:
        short = np.maximum(0.0, np.log(alone_mb_per_s) - log_rate)
        squares += (_USUAL_NOISE / _GUESSED_TO) ** 2 * short**2
    # Variance known as if _PRIOR_RUNS had shown the usual noise; rate with a flat prior.
    freedom = _PRIOR_RUNS + total - 1
    scale = _PRIOR_RUNS * _USUAL_NOISE**2 + squares
    log_weight = -0.5 * freedom * np.log(scale) + np.log(_prior(sigma, kappa))
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    variance = scale / max(freedom, 1.0)
    return Curve(
        sigma,
        kappa,
        weight,
        log_rate,
        np.sqrt(variance / total),
        float(np.sqrt(np.dot(weight, variance))),
        len(numbers),
    )


def _prior(sigma: Any, kappa: Any) -> Any:
    """Workers mostly help: half of the weight below a sigma of 0.06, and a kappa of 0.002."""
    return 1.0 / (1.0 + (sigma / 0.3) ** 2) / (1.0 + (kappa / 0.02) ** 2)


def _quantile(values: Any, weights: Any, share: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    place = int(np.searchsorted(reached, share * reached[-1]))
    return float(values[order][min(place, len(order) - 1)])
