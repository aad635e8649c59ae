"""The small network that every step of the horizon runs through."""

from __future__ import annotations

import torch

from forecast.networks.local_mixer import LocalMixer

B, ORIGINS, H, R, P, D = 2, 3, 5, 4, 2, 6


def _parts() -> tuple[LocalMixer, torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    mixer = LocalMixer(paths=R, summary=D, horizon=H, outputs=R + P, hidden=8)
    return mixer, torch.randn(B, ORIGINS, H, R + P), torch.randn(B, ORIGINS, R, H), torch.randn(B, ORIGINS, D)


def test_a_new_one_changes_nothing() -> None:
    mixer, raw, naive, summary = _parts()
    assert torch.equal(mixer(raw, naive, summary), raw)


def test_every_step_sees_the_paths_of_that_step_and_of_no_other() -> None:
    mixer, raw, naive, summary = _parts()
    torch.nn.init.normal_(mixer.out.weight)
    naive.requires_grad_()
    for step in range(H):
        (slope,) = torch.autograd.grad(mixer(raw, naive, summary)[:, :, step].sum(), naive)
        assert (slope[..., step] != 0).all()
        assert (slope[..., :step] == 0).all()
        assert (slope[..., step + 1 :] == 0).all()


def test_it_equals_a_plain_loop() -> None:
    mixer, raw, naive, summary = _parts()
    torch.nn.init.normal_(mixer.out.weight)
    found = mixer(raw, naive, summary)
    for b in range(B):
        for o in range(ORIGINS):
            for h in range(H):
                z = naive[b, o, :, h]
                hidden = mixer.of_paths.weight @ (z.sign() * z.abs().log1p()) + mixer.of_summary(summary[b, o]) + mixer.of_step[h]
                expected = raw[b, o, h] + mixer.out.weight @ (hidden * torch.sigmoid(hidden))
                torch.testing.assert_close(found[b, o, h], expected)
