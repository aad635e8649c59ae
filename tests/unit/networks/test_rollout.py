"""Sample paths against a plain loop that reads the whole history again for every drawn value."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from forecast.networks.autoregressive import AutoregressiveNetwork
from forecast.networks.build import build_model
from forecast.networks.interfaces import Batch
from forecast.networks.parts import HeadName
from forecast.networks.settings import NetworkSettings
from tests.unit.networks.worlds import COLUMNS, LEVELS, WIDTHS, random_y

HORIZON, SAMPLES, STEPS = 3, 4, 24


def _network(head: HeadName) -> AutoregressiveNetwork:
    torch.manual_seed(3)
    settings = NetworkSettings(encoder="deepar", head=head, lags=8, hidden_size=12, samples=SAMPLES)
    network = build_model(settings, horizon=HORIZON, levels=LEVELS, season_lengths=(4,), columns=COLUMNS).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    assert isinstance(network, AutoregressiveNetwork)
    return network


def _batch(y: Tensor, lead: int, origins: Tensor, wanted: Tensor | None = None) -> Batch:
    generator = torch.Generator().manual_seed(1)
    rows, steps = y.shape
    known = torch.randn(rows, STEPS + 2 * HORIZON, WIDTHS.known, generator=generator)[:, : steps + HORIZON]
    past = torch.randn(rows, STEPS, WIDTHS.past, generator=generator)
    past = torch.cat([past, torch.full((rows, HORIZON, WIDTHS.past), torch.nan)], dim=1)[:, :steps]
    static = torch.randn(rows, WIDTHS.static, generator=generator)
    before = torch.full((rows, lead), torch.nan, dtype=torch.float64)
    zero = torch.zeros(rows, 2, dtype=torch.float64)
    return Batch(steps, torch.cat([before, y], dim=1), known, past, static, origins, None, zero, torch.ones(rows), wanted)


def _plainly(network: AutoregressiveNetwork, y: Tensor, row: int, origin: int) -> Tensor:
    """Paths [S, H] of one row from one origin."""
    paths = torch.zeros(SAMPLES, HORIZON, dtype=torch.float64)
    for sample in range(SAMPLES):
        seen = y[:, : origin + 1]
        for step in range(HORIZON):
            batch = _batch(seen, network.lead, torch.full((len(y), 1), seen.shape[1] - 1))
            past = torch.where(torch.arange(seen.shape[1])[:, None] <= origin, batch.past, torch.nan)
            given, _ = network.one_step.distribution(batch._replace(past=past, known=batch.known[:, : seen.shape[1] + 1]), None)
            drawn = network.one_step.head.draw(given, network.probabilities[sample, step])[:, 0]
            seen = torch.cat([seen, drawn], dim=1)
        paths[sample] = seen[row, origin + 1 :]
    return paths


@pytest.mark.parametrize("head", ["student_t", "negative_binomial", "tweedie"])
def test_paths_of_many_origins_in_one_pass_equal_a_plain_loop(head: HeadName) -> None:
    network = _network(head)
    y = random_y(2, STEPS) if head == "student_t" else random_y(2, STEPS).abs().div(20).round()
    origins = torch.tensor([[12, 7, 23], [4, 20, 9]])
    wanted = torch.tensor([[True, True, True], [True, True, False]])
    with torch.inference_mode():
        found, _ = network.sample_paths(_batch(y, network.lead, origins, wanted), None)
        prediction, _ = network.predict(_batch(y, network.lead, origins, wanted), None)
        for row, column in wanted.nonzero().tolist():
            expected = _plainly(network, y, row, int(origins[row, column]))
            torch.testing.assert_close(found[row, column], expected, rtol=1e-5, atol=1e-4)
            torch.testing.assert_close(prediction.mean[row, column], expected.mean(dim=0), rtol=1e-5, atol=1e-4)
    assert found[1, 2].isnan().all(), "nobody asked for it"


def test_quantiles_of_the_paths_are_the_smallest_that_enough_of_them_do_not_exceed() -> None:
    network = _network("student_t")
    batch = _batch(random_y(2, STEPS), network.lead, torch.full((2, 1), STEPS - 1))
    with torch.inference_mode():
        paths, _ = network.sample_paths(batch, None)
        prediction, _ = network.predict(batch, None)
    ordered = paths.sort(dim=2).values[:, :, [0, 1, 3]].transpose(2, 3)  # of four paths: 0.1 -> first, 0.5 -> second, 0.9 -> last
    torch.testing.assert_close(prediction.quantiles, ordered)
