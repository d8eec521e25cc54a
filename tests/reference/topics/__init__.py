"""One module a topic: its figures beside their reference. The page shows them in this order."""

from collections.abc import Callable

from reference.figures import Topic
from reference.topics import (
    after_the_fit,
    crossed,
    generalised_models,
    intervals,
    lme4_models,
    measurement_models,
    panel_models,
    public_data,
    published,
    reliable_change,
    residual_structures,
    small_samples,
    sudden_gains,
    whole_analyses,
)

TOPICS: tuple[Callable[[], Topic], ...] = (
    published.topic,
    lme4_models.topic,
    public_data.topic,
    small_samples.topic,
    crossed.topic,
    residual_structures.topic,
    intervals.topic,
    after_the_fit.topic,
    generalised_models.topic,
    reliable_change.topic,
    sudden_gains.topic,
    measurement_models.topic,
    panel_models.topic,
    whole_analyses.topic,
)
