"""Covariates that are more than amounts: names, gaps, and names that training never saw."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from forecast.networks.covariates import AMOUNT, GAPPY, Columns, CovariateReader, embedding_width

COLUMNS = Columns((AMOUNT, 3), (GAPPY,), (2,))


def _reader() -> CovariateReader:
    torch.manual_seed(0)
    return CovariateReader(COLUMNS).eval()


def _table(reader: CovariateReader, number: int) -> torch.Tensor:
    return next(iter(reader.embeddings[number].parameters()))


def _values() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    known = torch.tensor([[[0.5, 0.0], [torch.nan, 2.0], [1.5, -1.0], [0.0, torch.nan]]], dtype=torch.float64)
    past = torch.tensor([[[2.0], [torch.nan]]], dtype=torch.float64)
    return known, past, torch.tensor([[1.0]], dtype=torch.float64)


def test_every_column_becomes_as_many_numbers_as_the_widths_say() -> None:
    read = _reader()(*_values())
    assert tuple(part.shape[-1] for part in read) == COLUMNS.widths() == (1 + embedding_width(3), 2, embedding_width(2))
    assert all(part.dtype == torch.float32 for part in read)


def test_amounts_stay_and_only_gappy_ones_say_that_they_are_missing() -> None:
    known, past, _ = _reader()(*_values())
    assert known[0, :, 0].tolist() == [0.5, 0.0, 1.5, 0.0]
    assert past[0].tolist() == [[2.0, 0.0], [0.0, 1.0]]


def test_a_name_is_a_row_of_its_table_and_unknown_and_missing_ones_have_rows_of_their_own() -> None:
    reader = _reader()
    known, _, static = reader(*_values())
    table = _table(reader, 0)
    torch.testing.assert_close(known[0, :, 1:], table[[2, 4, 0, 1]])
    torch.testing.assert_close(static, _table(reader, 1)[[3]])


def test_a_place_beyond_the_list_is_unknown_too() -> None:
    reader, (known, past, static) = _reader(), _values()
    known[0, 0, 1] = 7.0
    torch.testing.assert_close(reader(known, past, static)[0][0, 0, 1:], _table(reader, 0)[0])


def test_training_hides_some_names_so_that_the_bucket_of_the_unknown_learns() -> None:
    reader = _reader().train()
    places = torch.zeros(4000, 2, 2, dtype=torch.float64)
    known, _, _ = reader(places, torch.zeros(4000, 1, 1), torch.zeros(4000, 1))
    hidden = (known[:, :, 1:] == _table(reader, 0)[0]).all(dim=-1)
    assert (hidden[:, 0] == hidden[:, 1]).all(), "a segment hides its name throughout"
    assert hidden[:, 0].float().mean().item() == pytest.approx(0.05, abs=0.02)
    known.sum().backward()
    gradient = _table(reader, 0).grad
    assert isinstance(gradient, torch.Tensor)
    assert gradient[0].abs().sum() > 0


def test_plain_columns_are_amounts_that_were_never_missing() -> None:
    assert Columns((AMOUNT,), (), (AMOUNT,)).plain
    assert not COLUMNS.plain
    assert not Columns((GAPPY,)).plain
    assert [embedding_width(n) for n in (1, 2, 30, 100_000)] == [2, 3, 7, 16]
    assert np.isfinite(torch.cat([p.flatten() for p in _reader()(*_values())]).detach().numpy()).all()
