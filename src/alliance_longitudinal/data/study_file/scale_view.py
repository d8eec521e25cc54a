"""One subscale of an instrument seen as an instrument: its own range, direction and published values."""

from dataclasses import replace

from alliance_longitudinal.measures.instrument import TOTAL, Instrument


def scales_of(instrument: Instrument) -> list[str]:
    """Names of the scales that a measure can be, those derived of others left out."""
    return [*instrument.subscales, *instrument.unlisted_subscales]


def scale_view(instrument: Instrument, scale: str) -> Instrument:
    """``instrument`` reduced to ``scale``; its total is the scale's score. The id stays that of the questionnaire."""
    low, high = _range(instrument, scale) or (None, None)
    rule = instrument.subscale_rule or instrument.total_rule
    direction = instrument.direction
    if direction == "by_scale":
        direction = instrument.scale_directions.get(scale, "unknown")
    return replace(
        instrument,
        label=f"{instrument.label} {scale}",
        name=f"{instrument.name}, scale {scale}",
        subscales={},
        unlisted_subscales={},
        derived={},
        partition=False,
        total_rule="sum" if rule == "sum_x2" else rule,
        total_min=low,
        total_max=high,
        direction=direction,
        cutoffs=tuple(replace(c, scale=TOTAL) for c in instrument.cutoffs if c.scale == scale),
        reliable_changes=tuple(
            replace(c, scale=TOTAL) for c in instrument.reliable_changes if c.scale == scale
        ),
        important_changes=tuple(
            replace(c, scale=TOTAL) for c in instrument.important_changes if c.scale == scale
        ),
        reliabilities=tuple(replace(r, scale=TOTAL) for r in instrument.reliabilities if r.scale == scale),
        bands=dict(instrument.scale_bands.get(scale, {})),
        scale_bands={},
    )


def _range(instrument: Instrument, scale: str) -> tuple[float, float] | None:
    """Lowest and highest score of ``scale``; None where the items or their range are not known."""
    numbers = instrument.subscales.get(scale)
    if numbers is None:
        return None
    recoded = (instrument.recode.items or ()) if instrument.recode else ()
    ranges = [instrument.item_range(n, prescored=n in recoded) for n in numbers]
    known = [r for r in ranges if r is not None]
    if len(known) < len(ranges):
        return None
    low, high = sum(r[0] for r in known), sum(r[1] for r in known)
    rule = instrument.subscale_rule or instrument.total_rule
    times = {"sum": 1.0, "sum_x2": 2.0, "mean": 1 / len(known), "mean_x10": 10 / len(known)}.get(rule)
    return None if times is None else (low * times, high * times)
