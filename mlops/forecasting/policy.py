"""How far ahead, from how much, and by whom. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mlops.forecasting.additive import Additive
from mlops.forecasting.averaged import Averaged
from mlops.forecasting.base import (
    ADDITIVE,
    AVERAGED,
    BOOSTED,
    LINEAR,
    SEASONAL_NAIVE,
    Forecaster,
)
from mlops.forecasting.boosted import Boosted
from mlops.forecasting.linear import Linear
from mlops.forecasting.naive import SeasonalNaive

FORECASTERS = (SEASONAL_NAIVE, AVERAGED, LINEAR, BOOSTED, ADDITIVE)


class ForecastPolicyError(ValueError):
    """A policy that names what does not exist or holds a number out of range."""


@dataclass(frozen=True, slots=True)
class ForecastPolicy:
    """Stored with every forecast.

    history: most steps of an hour that are looked at; least: fewest that a forecast is made from;
    horizon: most steps ahead, never more than a fifth of the history. origins: how many forecasts
    of the past are judged, with `refits` fits on the way. That a limit will be met is said if
    least_coverage of the past readings lay in the band, and a trend as steep comes by chance less
    often than trend_p.
    """

    history: int = 2016
    least: int = 96
    horizon: int = 168
    origins: int = 24
    refits: int = 4
    least_coverage: float = 0.65
    trend_p: float = 0.05
    forecasters: tuple[str, ...] = FORECASTERS
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"forecasters": list(self.forecasters)}

    def ahead(self, n: int, season: int) -> int:
        """Steps ahead for a past of n: whole seasons where one fits.

        >>> [ForecastPolicy().ahead(n, 24) for n in (96, 170, 672, 5000)]
        [19, 24, 120, 168]
        """
        most = min(self.horizon, n // 5)
        return most // season * season or most


def parse(setting: dict[str, Any]) -> ForecastPolicy:
    """The policy in a FORECAST_POLICY setting, or on a receipt. Raises ForecastPolicyError.

    >>> parse({"forecasters": ["seasonal_naive", "linear"]}).forecasters
    ('seasonal_naive', 'linear')
    """
    known = ForecastPolicy.__dataclass_fields__
    if not isinstance(setting, dict) or set(setting) - set(known):
        raise ForecastPolicyError(f"known names are {', '.join(known)}.")
    numbers = {name: value for name, value in setting.items() if name != "forecasters"}
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ForecastPolicyError(f"{name} is {value!r}, not a number from 0 up.")
    named = tuple(setting.get("forecasters", FORECASTERS))
    if SEASONAL_NAIVE not in named or set(named) - set(FORECASTERS):
        raise ForecastPolicyError(
            f"forecasters are some of {', '.join(FORECASTERS)}, {SEASONAL_NAIVE} among them."
        )
    return ForecastPolicy(forecasters=named, **numbers)


def forecaster(name: str, policy: ForecastPolicy) -> Forecaster:
    """KeyError for a name that is none."""
    makers: dict[str, Forecaster] = {
        SEASONAL_NAIVE: SeasonalNaive(),
        AVERAGED: Averaged(),
        LINEAR: Linear(),
        BOOSTED: Boosted(seed=policy.seed),
        ADDITIVE: Additive(),
    }
    return makers[name]
