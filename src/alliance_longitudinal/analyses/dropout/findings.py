"""What a reader of the dropout report has to know."""

from alliance_longitudinal.analyses.dropout.compute import Leaving
from alliance_longitudinal.analyses.kit import Count, Draft, Fitted, Number, Share, short

#: Events per coefficient below which estimates are uncertain (Peduzzi et al. 1996).
PER_PARAMETER = 10


def note(draft: Draft, leaving: Leaving, model: Fitted, k: int) -> None:
    """Findings on ends, events, therapists and models."""
    if not leaving.recorded:
        draft.find(
            "dropout_by_rule",
            "caution",
            "This report does not use how treatments ended. Clients with fewer than {k} sessions "
            "count as dropouts, including those with a short planned treatment or a treatment that "
            "has just begun.",
            "ending",
            k=Number(k, "integer"),
        )
    parameters = len(model.result.params)
    if leaving.dropouts < PER_PARAMETER * parameters:
        draft.find(
            "few_events",
            "caution",
            "{n:noun} dropped out, and the model has {p} coefficients. With fewer than {least} "
            "dropouts per coefficient, estimates are uncertain.",
            model.title,
            short("peduzzi1996"),
            n=Count(leaving.dropouts, "client"),
            p=Number(parameters, "integer"),
            least=Number(PER_PARAMETER, "integer"),
        )
    unknown = int(leaving.clients["end"].isna().sum())
    if leaving.recorded and unknown:
        draft.find(
            "end_unknown",
            "info",
            "For {share} of the clients no ending is recorded. They count as in treatment up to "
            "their last session.",
            "ending",
            share=Share(unknown, len(leaving.clients)),
        )
    draft.usual_findings(leaving.clients.groupby("therapist")["client"].nunique())
