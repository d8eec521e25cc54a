"""Actor and partner effects in each group of cases, such as the arms of a trial, and their differences."""

from alliance_longitudinal.analyses.dyads.compute import fit_pairs, pair_estimates
from alliance_longitudinal.analyses.dyads.design import MIN_CASES, Asked, Cases
from alliance_longitudinal.analyses.kit import ESTIMATE, Draft, Estimate, Groups, TooLittle
from alliance_longitudinal.errors import StudyError


def compare_groups(draft: Draft, groups: Groups, cases: Cases, asked: Asked) -> None:
    """A model of each group alone, with equal members.

    Raises
    ------
    StudyError
        If members of one case are in different groups.
    """
    of = groups.column(cases.people)
    if (of.groupby(cases.people["case"]).nunique() > 1).any():
        raise StudyError(
            f"Parameter 'by': members of one case differ in {groups.name}. Compare groups of whole cases, such as arms; or give "
            f"role={groups.name!r}."
        )
    found: dict[str, list[Estimate]] = {}
    for group, people in groups.split(cases.people):
        own = Cases(people.reset_index(drop=True), ())
        if own.n < MIN_CASES:
            draft.small_group(groups, group, MIN_CASES)
            continue
        try:
            found[group] = pair_estimates(fit_pairs(draft, own, asked, roles=False), (), asked)
        except TooLittle as error:
            draft.find(
                "group_not_fitted",
                "caution",
                "The model of {name} {group} could not be fitted: {why}",
                groups.name,
                name=groups.name,
                group=group,
                why=error.message,
            )
    if len(found) > 1:
        draft.by_group(
            found, ESTIMATE, "Actor and partner effects with equal members, from a model of each group alone."
        )
