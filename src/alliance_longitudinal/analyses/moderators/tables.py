"""The tables of the report on moderators, in reading order."""

from collections.abc import Mapping, Sequence

from alliance_longitudinal.analyses.kit import (
    COUNT,
    ESTIMATE,
    TEST,
    Draft,
    Estimate,
    coefficient_table,
    models_table,
    say,
    variance_table,
)
from alliance_longitudinal.analyses.moderators.compute import Model, Test
from alliance_longitudinal.analyses.moderators.estimates import Numbers, per
from alliance_longitudinal.analyses.moderators.words import ranges_words, where_words
from alliance_longitudinal.present import Column, Table


def show_tables(
    draft: Draft,
    models: Mapping[str, Model],
    tests: Sequence[Test],
    numbers: Mapping[str, Numbers],
    span: str,
) -> None:
    """All tables with results, in reading order."""
    some = next(iter(models.values()))
    show_tests(draft, tests)
    counted = "n: outcome scores." if some.kind == "slope" else "n: clients."
    _show_slopes(draft, [e for own in numbers.values() for e in own.slopes], per(some), counted)
    _show_differences(draft, numbers, span, counted)
    _show_lines(draft, models, numbers)
    _show_products(draft, [e for own in numbers.values() for e in own.products], counted)
    _show_other(
        draft,
        [e for own in numbers.values() for e in own.other],
        [e for own in numbers.values() for e in own.other_errors],
    )


def show_tests(draft: Draft, tests: Sequence[Test]) -> None:
    """One row per moderator: the test of the product, p, and p corrected for the number of moderators."""
    rows = [
        {
            "label": t.label,
            "planned": "yes" if t.planned else "no",
            "f": t.statistic,
            "num": t.df_num,
            "den": t.df_den,
            "p": t.p,
            "q": t.q,
            "n": t.n,
        }
        for t in tests
    ]
    columns = [
        Column("label", "Moderator"),
        Column("planned", "Planned"),
        Column("f", "F", "number", of="n"),
        Column("num", "df", "integer"),
        Column("den", "df of the error", "df"),
        Column("p", "p", "p"),
        Column("q", "p, corrected", "p"),
        Column("n", "Clients", "count"),
    ]
    note = (
        "Whether the effect of the alliance (among clients of the same therapist) depends on the moderator; one model per moderator. Corrected: for the "
        "number of moderators that were not planned (false discovery rate)."
    )
    draft.show(Table.from_rows("tests", "Which moderators are clear", "answer", rows, columns, note))


def _show_slopes(draft: Draft, rows: Sequence[Estimate], unit: str, counted: str) -> None:
    """The effect of the alliance at values of each moderator."""
    draft.table_of(
        "slopes",
        "The effect of the alliance, by moderator",
        "results",
        rows,
        [Column("label", "At"), *ESTIMATE, *TEST],
        f"In {unit}. Of a number at its 10th, 50th and 90th percentile over clients, for a client whose therapist's clients are "
        f"average. {counted}",
    )


def _show_differences(draft: Draft, numbers: Mapping[str, Numbers], span: str, counted: str) -> None:
    """The tested products per SD, and what could be detected."""
    scaled = [e for own in numbers.values() for e in own.scaled]
    least = {e.id.removesuffix("_detectable"): e.estimate for own in numbers.values() for e in own.least}
    rows = [
        {
            "label": e.label,
            "estimate": e.estimate,
            "ci_low": e.ci_low,
            "ci_high": e.ci_high,
            "least": least.get(e.id.removesuffix("_per_sd"), float("nan")),
            "n": e.n,
        }
        for e in scaled
    ]
    columns = [
        Column("label", "Moderator"),
        *ESTIMATE,
        Column("least", "Detectable", "number", of="n"),
        COUNT,
    ]
    note = say(
        "How much the effect of one standard deviation of early alliance differs, in {unit} {span}. Detectable: the difference that four of "
        "five studies with this standard error would find. Smaller ones are often missed. {counted}",
        unit=scaled[0].unit if scaled else "points",
        span=span,
        counted=counted,
    )
    draft.show(Table.from_rows("differences", "How much the effect differs", "results", rows, columns, note))


def _show_products(draft: Draft, products: Sequence[Estimate], counted: str) -> None:
    """All products, in points."""
    draft.table_of(
        "products",
        "All products of alliance and moderator",
        "results",
        products,
        [Column("label", "Product"), Column("unit", "Unit"), *ESTIMATE, *TEST],
        "In the units of the instruments, not corrected for the number of tests. Between therapists: whether a therapist's mean alliance "
        f"is related to outcome more strongly where the moderator is higher. {counted}",
    )


def _show_lines(draft: Draft, models: Mapping[str, Model], numbers: Mapping[str, Numbers]) -> None:
    """Where along each number the effect is clear: by Johnson and Neyman, and with the false discovery rate controlled."""
    rows = []
    for name, own in numbers.items():
        model, line = models[name], own.line
        if line is None:
            continue
        n = model.design.n
        rows.append(
            {
                "label": model.design.moderator.label,
                "low": float(line.values[0]),
                "high": float(line.values[-1]),
                "where": where_words(model, line),
                "flag": line.flag,
                "fdr": ranges_words(line.fdr, n),
                "inside": line.inside_data,
                "n": n,
                "share": line.inside_data / n,
            }
        )
    columns = [
        Column("label", "Moderator"),
        Column("low", "Lowest", "number", of="n"),
        Column("high", "Highest", "number", of="n"),
        Column("where", "The effect is clear"),
        Column("flag", "Clear"),
        Column("fdr", "Clear, false discovery rate controlled"),
        Column("inside", "Clients there", "count", total="n"),
        Column("n", "Clients", "count"),
        Column("share", "Share", "percent", of="inside"),
    ]
    note = (
        "Clear: the 95 % interval of the effect within therapists excludes zero (Johnson & Neyman), with the degrees of freedom at each "
        "value. Only values between the lowest and the highest in the data are looked at. Even without any moderation an effect "
        "is clear near the mean first, because it is estimated best there; whether the effect differs is what the test says."
    )
    if rows:
        draft.show(
            Table.from_rows("johnson_neyman", "Where the effect is clear", "results", rows, columns, note)
        )


def _show_other(draft: Draft, rows: Sequence[Estimate], errors: Sequence[Estimate]) -> None:
    """The same products for the other outcome, and with other errors."""
    columns = [Column("label", "Product"), Column("unit", "Unit"), *ESTIMATE, *TEST]
    if rows:
        draft.table_of(
            "other_outcome",
            "The same for the change from intake to the last score",
            "sensitivity",
            rows,
            columns,
        )
    if errors:
        draft.table_of(
            "same",
            "If the effect were the same for all therapists",
            "sensitivity",
            errors,
            columns,
            "There are too few therapists to estimate how the effect of the alliance differs between them. The main results therefore have "
            "cluster-robust (CR2) intervals, and the rows here hold only if the effect is the same for all therapists.",
        )
        draft.cite("bell2002", "pustejovsky2018")


def show_models(draft: Draft, main: Model) -> None:
    """Every model, its variances, and all coefficients of the main one."""
    draft.show(
        models_table(draft.fitted), variance_table(draft.fitted), coefficient_table(main.fitted, main.robust)
    )
