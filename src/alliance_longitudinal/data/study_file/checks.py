"""What does not fit together in a study file whose blocks are right one by one."""

from typing import TYPE_CHECKING

from alliance_longitudinal.data.study_file.blocks import Covariate, Level
from alliance_longitudinal.strict_yaml import nearest

if TYPE_CHECKING:
    from alliance_longitudinal.data.study_file.format import StudyFile

RESERVED = (
    *("client", "therapist", "clinic", "session", "week", "date", "seen_by"),
    *("group", "family", "episode", "ending", "mode", "day", "month", "caseload"),
)
#: The covariate that may be named so; it is the treatment arm.
ARM = "arm"


def names_therapists(file: "StudyFile") -> bool:
    """Whether a table names a therapist column."""
    tables = (file.tables.sessions, file.tables.clients)
    return any(table is not None and table.columns.therapist is not None for table in tables)


def misfits(file: "StudyFile") -> list[str]:
    """A sentence for each pair of entries that contradict or need each other."""
    return [
        *_therapist_problems(file),
        *_name_problems(file),
        *_timeline_problems(file),
        *_block_problems(file),
    ]


def _therapist_problems(file: "StudyFile") -> list[str]:
    sessions, clients = file.tables.sessions, file.tables.clients
    places = [t for t in (sessions, clients) if t is not None and t.columns.therapist is not None]
    if not places and file.client_ids != "unique":
        return ["'client_ids: within-therapist' needs a 'therapist' column."]
    if not places and (file.tables.therapists is not None or file.covariates.therapist):
        return [
            "a therapists table and covariates of therapists need a 'therapist' column in the "
            "sessions or the clients table."
        ]
    if not places:
        return []
    if file.client_ids == "within-therapist":
        if len(places) < sum(t is not None for t in (sessions, clients)):
            return ["with 'client_ids: within-therapist' every table must name its 'therapist' column."]
    elif len(places) == 2:
        return ["both tables name a 'therapist' column; name it in one of them."]
    return []


def _timeline_problems(file: "StudyFile") -> list[str]:
    columns, episodes, ending = file.tables.sessions.columns, file.episodes, file.ending
    problems = []
    if episodes is not None:
        ways = [episodes.after_days is not None, episodes.at_intake, columns.episode is not None]
        if sum(ways) == 0:
            problems.append("'episodes' needs 'after_days', 'at_intake: true', or a column 'episode'.")
        if episodes.at_intake and columns.session is None:
            problems.append("'episodes: at_intake' needs a 'session' column, in which 0 is intake.")
        if episodes.after_days is not None and columns.date is None:
            problems.append("'episodes: after_days' needs a 'date' column.")
        elif episodes.at_intake and columns.date is None:
            problems.append(
                "'episodes: at_intake' needs a 'date' column; without it, it is not known which "
                "sessions follow which intake."
            )
        if file.tables.sessions.layout == "wide":
            problems.append("'episodes' needs a long table, one row per client and session.")
    elif columns.episode is not None:
        problems.append("a column 'episode' needs a block 'episodes: {analyse: first}' (or last, each).")
    clients = file.tables.clients
    in_clients = clients is not None and clients.columns.ending is not None
    named = (columns.ending is not None) + in_clients
    if named == 2:
        problems.append("both tables name an 'ending' column; name it in one of them.")
    by_words = ending is not None and ending.dropout_below is None
    if bool(named) != by_words:
        problems.append("an 'ending' column and the words of the block 'ending' belong together.")
    return problems


def _name_problems(file: "StudyFile") -> list[str]:
    problems = []
    of_level: dict[Level, dict[str, Covariate]] = {
        "client": file.of_clients,
        "therapist": file.covariates.therapist,
        "session": file.covariates.session,
    }
    covariates = [name for named in of_level.values() for name in named]
    for name in (*file.measures, *covariates):
        if name in RESERVED or (name == ARM and (name in file.measures or file.arm is None)):
            problems.append(f"the name {name!r} is taken by the package; choose another.")
    by_row = [n for n, m in file.measures.items() if m.rows is not None or m.average]
    if by_row and file.tables.sessions.columns.rater is None:
        problems.append(f"{', '.join(by_row)}: 'rows' and 'average' need a column 'rater'.")
    both = sorted(set(file.measures) & set(covariates))
    if both:
        problems.append(
            f"{', '.join(both)}: a name is either that of a measure or that of a covariate, not both."
        )
    twice = {name for name in covariates if covariates.count(name) > 1}
    twice |= set(file.baseline) & set(file.covariates.client)
    if twice:
        problems.append(f"{', '.join(sorted(twice))}: each covariate is named once, at one level.")
    return problems


def _block_problems(file: "StudyFile") -> list[str]:
    """What does not fit in the blocks about covariates, arms, names of sessions, and the schedule."""
    problems = []
    tables = file.tables
    arms = [tables.sessions.columns.arm, None if tables.clients is None else tables.clients.columns.arm]
    arms.append(file.baseline.get(ARM))
    if sum(header is not None for header in arms) > 1:
        problems.append("the treatment arm is named more than once; name it in one place.")
    if ARM in file.covariates.client:
        problems.append("name the treatment arm under 'columns: {arm: ...}', and not among the covariates.")
    for name, times in file.schedule.items():
        if name not in file.measures:
            hint = nearest(name, list(file.measures))
            problems.append(f"'schedule' names {name!r}, which is not a measure. {hint}")
        if sorted(set(times)) != times:
            problems.append(f"the planned assessments of {name!r} are not in ascending order.")
    if tables.sessions.layout == "long" and file.sessions and tables.sessions.columns.session is None:
        problems.append("'sessions' gives names of sessions, but no 'session' column is named.")
    if isinstance(file.caseload, str) and tables.therapists is None:
        problems.append(
            "'caseload' names a column of the therapists table, but there is no 'tables: therapists'."
        )
    for rule in file.exclude:
        if rule.table != "sessions" and getattr(tables, rule.table) is None:
            problems.append(f"'exclude' names rows of the {rule.table} table, but there is no such table.")
    return problems
