"""Writes the sample panel: three years of daily sales of 12 products in 5 stores, seeded, the same bytes at every run.

    python data/generate_sample.py [FOLDER]

It makes `sales.parquet`, `future.parquet` and `stores.parquet`; README.md beside this file explains their columns. The numbers are
invented, but their structure is that of shops: demand is a product of level, trend, weekdays, time of year, price, promotion,
holidays and a persistent disturbance that all products of a store share; what is sold is a whole number drawn around it.

It must not read a clock, the network or any file: everything comes from SEED and the tables below.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
AnyArray: TypeAlias = NDArray[Any]

SEED = 20260503
FIRST_DAY = date(2023, 5, 8)  # a Monday
HISTORY = 156 * 7  # days; the last one is Sunday 2026-05-03
HORIZON = 28  # days of future.parquet
DAYS = HISTORY + HORIZON
WEEKS = DAYS // 7
EASTER = (date(2023, 4, 9), date(2024, 3, 31), date(2025, 4, 20), date(2026, 4, 5))


class Store(NamedTuple):
    """A shop: weekday factors Monday to Sunday (0 is closed), what a public holiday leaves, size and share of promotions joined."""

    number: str
    kind: str
    weekdays: tuple[float, ...]
    on_holiday: float
    floor_area: int
    level: float
    joins: float


class Product(NamedTuple):
    """An article: daily level, price, elasticity, yearly swing and its peak day, half-year swing, Christmas extra, promotions."""

    name: str
    category: str
    level: float
    price: float
    elasticity: float
    swing: float
    peak: int
    half_swing: float
    christmas: float
    weeks_between_promotions: int
    perishable: bool


STORES = (
    Store("007", "city", (0.95, 0.95, 1.0, 1.05, 1.25, 1.45, 0.0), 0.0, 820, 1.3, 1.0),
    Store("012", "suburb", (0.8, 0.85, 0.9, 1.0, 1.35, 1.75, 0.0), 0.0, 2400, 1.9, 1.0),
    Store("031", "station", (1.15, 1.1, 1.1, 1.15, 1.3, 0.8, 0.75), 1.25, 180, 0.7, 0.4),
    Store("104", "village", (0.9, 0.95, 0.7, 1.0, 1.3, 1.1, 0.0), 0.0, 410, 0.45, 0.8),
    Store("250", "outlet", (0.6, 0.6, 0.7, 0.85, 1.3, 2.1, 1.2), 0.5, 3600, 1.0, 1.0),
)
PRODUCTS = (
    Product("coffee-beans-1kg", "pantry", 22.0, 12.99, 2.6, 0.10, 350, 0.02, 0.25, 6, False),
    Product("oat-milk-1l", "dairy", 38.0, 1.99, 1.8, 0.06, 20, 0.03, 0.0, 7, True),
    Product("sourdough-loaf", "bakery", 55.0, 3.49, 0.7, 0.04, 330, 0.02, 0.05, 19, True),
    Product("strawberries-500g", "fruit", 26.0, 3.99, 1.9, 1.35, 160, 0.25, 0.0, 5, True),
    Product("ice-cream-tub", "frozen", 18.0, 4.49, 2.1, 0.85, 200, 0.05, 0.1, 6, False),
    Product("sparkling-water-6x1l", "drinks", 44.0, 3.29, 2.3, 0.30, 205, 0.03, 0.1, 8, False),
    Product("chocolate-box", "sweets", 12.0, 7.99, 2.4, 0.25, 350, 0.30, 1.1, 7, False),
    Product("barbecue-charcoal-3kg", "seasonal", 6.0, 5.99, 2.0, 1.50, 185, 0.10, 0.0, 9, False),
    Product("laundry-tabs-40", "household", 9.0, 9.49, 3.0, 0.03, 90, 0.02, 0.0, 6, False),
    Product("batteries-aa-8", "household", 1.6, 6.99, 1.5, 0.15, 355, 0.05, 1.2, 13, False),
    Product("umbrella-compact", "seasonal", 0.35, 14.99, 1.0, 0.45, 310, 0.25, 0.2, 26, False),
    Product("light-bulb-e27", "household", 0.5, 4.29, 0.9, 0.30, 345, 0.0, 0.1, 26, False),
)
# Series that begin late: days of history that they have.
SHORT = {
    "031-oat-milk-1l": 210,
    "104-ice-cream-tub": 95,
    "250-sparkling-water-6x1l": 45,
    "104-umbrella-compact": 20,
    "250-oat-milk-1l": 5,
}
# Stretches without a row (first day, days): all more than a year before the end of the history.
HOLES = {
    "007-laundry-tabs-40": ((120, 40), (300, 9)),
    "031-coffee-beans-1kg": ((60, 75),),
    "104-sourdough-loaf": ((410, 21), (500, 14), (620, 6)),
}
# Stretches with a row but without a count (first day, days): the till was down, price and promotion are still known.
UNCOUNTED = {"012-strawberries-500g": ((700, 12), (980, 5)), "250-chocolate-box": ((640, 30),), "007-light-bulb-e27": ((1040, 10),)}


def holidays() -> tuple[FloatArray, FloatArray]:
    """Returns 1 on public holidays, and the rush before them: 1 on the last open day before, 0.4 the day earlier. Shapes [days]."""
    fixed = ((1, 1), (5, 1), (10, 3), (12, 25), (12, 26))
    days = {date(year, month, day) for year in range(FIRST_DAY.year, 2027) for month, day in fixed}
    days |= {easter + timedelta(after) for easter in EASTER for after in (-2, 1, 39, 50)}
    public, rush = np.zeros(DAYS), np.zeros(DAYS)
    for day in sorted(days):
        position = (day - FIRST_DAY).days
        if 0 <= position < DAYS:
            public[position] = 1.0
        for before, strength in ((1, 1.0), (2, 0.4)):
            if 0 <= position - before < DAYS:
                rush[position - before] = max(rush[position - before], strength)
    return public, np.where(public > 0, 0.0, rush)


def time_of_year(product: Product) -> FloatArray:
    """Returns the log factor of the time of year, Christmas included. Shape [days]."""
    number = np.array([(FIRST_DAY + timedelta(d)).timetuple().tm_yday for d in range(DAYS)], dtype=np.float64)
    angle = 2.0 * np.pi * (number - product.peak) / 365.25
    before_christmas = np.where((number >= 335) & (number <= 358), (number - 334) / 24.0, 0.0)
    return product.swing * np.cos(angle) + product.half_swing * np.cos(2.0 * angle) + product.christmas * before_christmas


def persistent(rng: np.random.Generator, memory: float, spread: float) -> FloatArray:
    """Returns an autoregression of order 1 with the given memory and stationary standard deviation. Shape [days]."""
    shocks = rng.standard_normal(DAYS) * spread * np.sqrt(1.0 - memory**2)
    out = np.zeros(DAYS)
    out[0] = shocks[0]
    for day in range(1, DAYS):
        out[day] = memory * out[day - 1] + shocks[day]
    return out


def trend(rng: np.random.Generator) -> FloatArray:
    """Returns a log trend with one to three changes of slope and, in one of four series, a lasting jump. Shape [days]."""
    breaks = np.sort(rng.integers(90, HISTORY - 60, size=int(rng.integers(1, 4))))
    out = rng.standard_normal() * 0.15 / 365.25 * np.arange(DAYS)
    for day in breaks:
        out[day:] += rng.standard_normal() * 0.3 / 365.25 * np.arange(DAYS - day)
    jump, day = rng.standard_normal() * 0.35, int(rng.integers(200, HISTORY - 120))
    if rng.random() < 0.25:
        out[day:] += jump
    return np.asarray(np.clip(out, -1.2, 1.2))


def promotions(rng: np.random.Generator, product: Product) -> tuple[FloatArray, FloatArray]:
    """Returns, by week, whether the chain promotes the product, and the price cut as a share. Shapes [weeks]."""
    promoted, cut = np.zeros(WEEKS), np.zeros(WEEKS)
    week = int(rng.integers(1, product.weeks_between_promotions + 1))
    while week < WEEKS:
        length = 2 if rng.random() < 0.2 else 1
        promoted[week : week + length], cut[week : week + length] = 1.0, rng.choice([0.15, 0.2, 0.25, 0.33])
        week += length + product.weeks_between_promotions + int(rng.integers(-2, 3))
    return promoted, cut


def list_price(rng: np.random.Generator, product: Product) -> FloatArray:
    """Returns the price without promotions: two to four rises of 2 to 7 percent. Shape [days]."""
    price = np.full(DAYS, product.price)
    for day in np.sort(rng.integers(60, DAYS - 60, size=int(rng.integers(2, 5)))):
        price[day - day % 7 :] *= 1.0 + rng.uniform(0.02, 0.07)
    return np.round(price, 1) - 0.01


def log_demand(store: Store, product: Product, promo: FloatArray, price: FloatArray, usual: FloatArray) -> FloatArray:
    """Returns what price and promotion do: constant elasticity, the display, the dip of full larders after it. Shape [days]."""
    effect = -product.elasticity * np.log(price / usual) - 0.5 * product.elasticity * np.log(usual / usual[0])
    effect += promo * (0.08 if product.perishable else 0.18)
    if not product.perishable:
        before = np.concatenate([np.zeros(7), promo[:-7]])
        effect -= np.where((before > 0) & (promo == 0), 0.06 * product.elasticity, 0.0)
    return np.asarray(effect)


def series(
    rng: np.random.Generator, store: Store, product: Product, shared: FloatArray, plan: tuple[FloatArray, ...]
) -> dict[str, FloatArray]:
    """Returns y, promo, price and holiday of one product in one store, without short starts and holes. Shapes [days]."""
    promoted, cut, usual = plan
    joined = promoted * (rng.random(WEEKS) < store.joins)
    promo = np.repeat(joined, 7)
    price = np.round(usual * (1.0 - np.repeat(cut * joined, 7)), 2)
    public, rush = holidays()
    weekday = np.array(store.weekdays)[np.arange(DAYS) % 7] * np.exp(0.04 * rng.standard_normal(7))[np.arange(DAYS) % 7]
    own_level = product.level * store.level * np.exp(0.25 * rng.standard_normal())
    log_rate = trend(rng) + time_of_year(product) + log_demand(store, product, promo, price, usual)
    log_rate += shared + persistent(rng, 0.6, 0.10) + 0.35 * rush + 0.05 * rng.standard_normal(DAYS)
    rate = own_level * weekday * np.exp(log_rate) * np.where(public > 0, store.on_holiday, 1.0)
    # Rounded, so that a last-bit difference of exp between processors cannot change a draw.
    return {"y": rng.poisson(np.round(rate, 5)).astype(np.float64), "promo": promo, "price": price, "holiday": public}


def keep_rows(name: str, columns: dict[str, FloatArray]) -> tuple[AnyArray, dict[str, FloatArray]]:
    """Returns the days that the history of a series has, and its columns with y missing where nothing was counted."""
    there = np.arange(DAYS) >= HISTORY - SHORT.get(name, HISTORY)
    for first, length in HOLES.get(name, ()):
        there[first : first + length] = False
    y = columns["y"].copy()
    for first, length in UNCOUNTED.get(name, ()):
        y[first : first + length] = np.nan
    return there, {**columns, "y": y}


def panel() -> dict[str, pa.Table]:
    """Returns the three tables by file name."""
    plans_rng, *store_rngs = np.random.default_rng(SEED).spawn(1 + len(STORES))
    plans = [(*promotions(plans_rng, product), list_price(plans_rng, product)) for product in PRODUCTS]
    parts: dict[str, list[pa.Table]] = {"sales": [], "future": []}
    static: list[dict[str, Any]] = []
    for store, rng in zip(STORES, store_rngs, strict=True):
        shared = persistent(rng, 0.85, 0.12)
        for product, plan in zip(PRODUCTS, plans, strict=True):
            name = f"{store.number}-{product.name}"
            there, columns = keep_rows(name, series(rng, store, product, shared, plan))
            past = np.arange(DAYS) < HISTORY
            parts["sales"].append(_table(name, np.flatnonzero(there & past), columns, ("y", "promo", "price", "holiday")))
            parts["future"].append(_table(name, np.flatnonzero(~past), columns, ("promo", "price", "holiday")))
            static.append(
                {"unique_id": name, "store": store.number, "store_type": store.kind, "product": product.name,
                 "category": product.category, "floor_area": float(store.floor_area), "perishable": int(product.perishable)}
            )  # fmt: skip
    return {
        **{file: pa.concat_tables(tables).combine_chunks() for file, tables in parts.items()},
        "stores": pa.Table.from_pylist(static),
    }


def _table(name: str, days: AnyArray, columns: dict[str, FloatArray], names: tuple[str, ...]) -> pa.Table:
    stamps = (np.datetime64(FIRST_DAY, "D") + days).astype("datetime64[ns]")
    table = {"unique_id": pa.array([name] * len(days), pa.string()), "ds": pa.array(stamps)}
    for column in names:
        values = columns[column][days]
        table[column] = pa.array(values.astype(np.int8)) if column in ("promo", "holiday") else pa.array(values, from_pandas=True)
    return pa.table(table)


def write(folder: Path) -> list[Path]:
    """Writes the three files into a folder and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, table in panel().items():
        paths.append(folder / f"{name}.parquet")
        pq.write_table(table, paths[-1], compression="zstd", compression_level=12, row_group_size=1 << 20, data_page_version="2.0")
    return paths


if __name__ == "__main__":
    for path in write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "sample"):
        print(f"{path}  {path.stat().st_size:,} bytes")
