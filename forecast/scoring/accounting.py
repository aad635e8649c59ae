"""Where every series of the input went: input = ok + fallback + quarantined + excluded, and the gates on these numbers.

It must not count rows of the table itself; the audit does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from forecast.core.errors import GateError
from forecast.scoring.audit import Audited
from forecast.scoring.evidence import Refusal, distinct
from forecast.scoring.request import Gates


@final
@dataclass(frozen=True, slots=True)
class Accounting:
    """Series by what became of them, and those that are not ok by reason (a quarantined one may have several)."""

    input: int
    ok: int
    fallback: int
    quarantined: int
    excluded: int
    reasons: dict[str, int]

    def counts(self) -> dict[str, int]:
        """Returns the five numbers by name."""
        return {
            "input": self.input,
            "ok": self.ok,
            "fallback": self.fallback,
            "quarantined": self.quarantined,
            "excluded": self.excluded,
        }


def account(series: int, refused: Sequence[Refusal], audited: Audited) -> Accounting:
    """Returns the accounting of a run.

    Args:
        series: Ids in the input, counted before anything was refused.
        refused: Quarantined and excluded series.
        audited: The finished rows.

    Raises:
        GateError: the numbers do not add up: a series was lost on the way.
    """
    quarantined = distinct([refusal for refusal in refused if refusal.action == "quarantine"])
    excluded = distinct([refusal for refusal in refused if refusal.action == "excluded"]) - quarantined
    parts = audited.ok + audited.fallback + len(quarantined) + len(excluded)
    if parts != series:
        raise GateError(
            f"{series} series came in and {parts} are accounted for; nothing was published; this is an error of the program, report it"
        )
    reasons = Counter(audited.reasons)
    reasons.update(defect for defect, _ in {(refusal.defect, refusal.unique_id) for refusal in refused})
    return Accounting(series, audited.ok, audited.fallback, len(quarantined), len(excluded), dict(sorted(reasons.items())))


def keep_quarantine_gate(series: int, quarantined: int, gates: Gates) -> None:
    """Raises GateError when more series were quarantined than allowed; asked before the model works in vain."""
    if quarantined > gates.max_quarantine_share * series:
        raise GateError(f"{quarantined} of {series} series are quarantined, {gates.max_quarantine_share:.1%} are allowed; "
                        "see the evidence file, repair the input or raise max_quarantine_share")  # fmt: skip


def keep_fallback_gate(series: int, reasons: Counter[str], gates: Gates) -> None:
    """Raises GateError when more series fell back than allowed; asked after every shard, so that a broken model ends early.

    Args:
        series: In the input.
        reasons: Series that fell back so far, by reason.
        gates: What is allowed.
    """
    fallback = reasons.total()
    if fallback > gates.max_fallback_share * series:
        reason, count = reasons.most_common(1)[0]
        raise GateError(f"{fallback} of {series} series have only a fallback forecast, {gates.max_fallback_share:.1%} are allowed; "
                        f"the most frequent reason is {reason!r} ({count} series): remove it, or raise max_fallback_share")  # fmt: skip


def keep_size_gate(published: int, gates: Gates) -> None:
    """Raises GateError when fewer series can be published than expected."""
    if published < gates.min_series:
        raise GateError(
            f"{published} series can be forecast, at least {gates.min_series} are expected; check that the input is complete"
        )
