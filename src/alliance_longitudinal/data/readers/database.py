"""SQLite and DuckDB files and PostgreSQL servers: one table or one SELECT, read only.

What may go wrong is said without a word of the driver's own message, which can repeat the address and the query.
"""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.problems import Problems, some
from alliance_longitudinal.data.cells.texts import Texts
from alliance_longitudinal.data.readers.arrow import sheet_of_arrow
from alliance_longitudinal.data.readers.extras import missing_extra, refuse_missing_extra
from alliance_longitudinal.data.readers.one_select import is_one_select
from alliance_longitudinal.data.readers.rows_hash import rows_hash
from alliance_longitudinal.data.readers.sheet import Sheet, without_rows
from alliance_longitudinal.data.readers.values import value_text
from alliance_longitudinal.data.study_file.table_blocks import Database, Table
from alliance_longitudinal.strict_yaml import nearest

CONNECT_SECONDS = 10
#: A query may come from somebody else, and may have no end.
QUERY_SECONDS = 600
MOST_ROWS = 20_000_000
_STEPS = 1_000_000  # of SQLite, between two looks at the time
_ONE_SELECT = "write one SELECT; nothing in the database is changed by this package."


class _Refusal(Exception):
    """Why a database could not be read, as the parts of a problem."""

    def __init__(self, rule: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.rule, self.message, self.remedy = rule, message, remedy


def read_sqlite(path: Path, block: Table, dialect: Dialect, problems: Problems) -> Sheet | None:
    """A table or query of a SQLite file, opened read-only."""
    if refuse_missing_extra("sqlalchemy", "Reading SQLite files", path.name, problems):
        return None
    from sqlalchemy import create_engine, event

    still = "&immutable=1" if _is_closed_wal(path) else ""
    engine = create_engine(f"sqlite:///file:{_quoted_path(path)}?mode=ro{still}&uri=true")

    @event.listens_for(engine, "connect")
    def _only_read(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA query_only = ON")
        ends_at = time.monotonic() + QUERY_SECONDS
        connection.set_progress_handler(lambda: time.monotonic() > ends_at, _STEPS)

    return _read(path.name, engine, block, dialect, problems)


def _is_closed_wal(path: Path) -> bool:
    """Whether a SQLite file keeps a log beside it and no program has it open.

    SQLite would put two files beside such a file to read it; told that nobody writes, it does not.
    """
    with path.open("rb") as opened:
        head = opened.read(20)
    log = path.with_name(f"{path.name}-wal")
    return head[18:20] == b"\2\2" and not (log.exists() and log.stat().st_size)


def read_postgresql(database: Database, block: Table, dialect: Dialect, problems: Problems) -> Sheet | None:
    """A table or query of a PostgreSQL database, in a transaction that cannot write."""
    name = f"database {database.database}"
    for package in ("sqlalchemy", "psycopg"):
        if refuse_missing_extra(package, "Reading PostgreSQL databases", name, problems):
            return None
    from sqlalchemy import URL, create_engine

    try:
        password = _password(database)
    except _Refusal as refusal:
        problems.add(refusal.rule, refusal.message, refusal.remedy, file=name)
        return None
    address = URL.create(
        "postgresql+psycopg", username=database.user, password=password, database=database.database
    )
    arguments = {
        "host": database.host,
        "port": database.port,
        "sslmode": database.sslmode,
        "connect_timeout": CONNECT_SECONDS,
        "options": f"-c default_transaction_read_only=on -c statement_timeout={QUERY_SECONDS}s",
    }
    return _read(name, create_engine(address, connect_args=arguments), block, dialect, problems)


def read_duckdb(path: Path, block: Table, dialect: Dialect, problems: Problems) -> Sheet | None:
    """A table or query of a DuckDB file, opened read-only and without a way to other files."""
    if refuse_missing_extra("duckdb", "Reading DuckDB files", path.name, problems):
        return None
    import duckdb

    try:
        with duckdb.connect(
            str(path), read_only=True, config={"enable_external_access": "false"}
        ) as connection:
            listed = connection.execute(
                "select table_schema, table_name from information_schema.tables order by 1, 2"
            ).fetchall()
            query = _select([(str(s), str(t)) for s, t in listed], "main", block, _double_quoted)
            with _interrupted(connection):
                table = _guarded(
                    lambda: connection.sql(query).limit(MOST_ROWS + 1).to_arrow_table(), duckdb.Error
                )
            _refuse_many(table.num_rows)
    except _Refusal as refusal:
        problems.add(refusal.rule, refusal.message, refusal.remedy, file=path.name)
        return None
    except duckdb.Error:
        problems.add("not_a_database", _NOT_A_DATABASE, _CLOSE_IT, file=path.name)
        return None
    return _finished(path.name, sheet_of_arrow(table, dialect), problems)


_NOT_A_DATABASE = (
    "the file is not a database of the kind that its ending says, or another program has locked it."
)
_REPAIR = "check the database with its own program, or export the table as CSV."
_CLOSE_IT = "close the other program, or correct 'file' in the study file."


def _read(name: str, engine: Any, block: Table, dialect: Dialect, problems: Problems) -> Sheet | None:
    from sqlalchemy import inspect, text
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with _connected(engine) as connection:
            seen = inspect(connection)
            default = str(seen.default_schema_name or "main")
            listed = [
                (str(schema), str(table))
                for schema in seen.get_schema_names()
                if schema != "information_schema"
                for table in _relations(seen, schema)
            ]
            query = _select(listed, default, block, engine.dialect.identifier_preparer.quote_identifier)
            streamed = connection.execution_options(stream_results=True)
            with _guarded(
                lambda: streamed.execute(text(query.replace(":", "\\:"))), SQLAlchemyError
            ) as result:
                headers = list(result.keys())
                rows = _guarded(lambda: result.fetchmany(MOST_ROWS + 1), SQLAlchemyError)
            _refuse_many(len(rows))
    except _Refusal as refusal:
        problems.add(refusal.rule, refusal.message, refusal.remedy, file=name)
        return None
    finally:
        engine.dispose()
    return _finished(name, _sheet_of_rows(headers, rows, dialect), problems)


def _refuse_many(rows: int) -> None:
    if rows > MOST_ROWS:
        message = f"the query gives more than {MOST_ROWS:,} rows, or has no end."
        raise _Refusal("too_large", message, "select the sessions of one study only.")


@contextmanager
def _interrupted(connection: Any) -> Iterator[None]:
    """Stop a query of DuckDB that takes too long."""
    timer = threading.Timer(QUERY_SECONDS, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _relations(seen: Any, schema: str) -> list[str]:
    """Everything in ``schema`` that can be read like a table."""
    named = [*seen.get_table_names(schema), *seen.get_view_names(schema)]
    if seen.dialect.name == "postgresql":
        named += [*seen.get_materialized_view_names(schema), *seen.get_foreign_table_names(schema)]
    return named


@contextmanager
def _connected(engine: Any) -> Iterator[Any]:
    """A connection inside a transaction that is rolled back."""
    from sqlalchemy.exc import SQLAlchemyError

    on_file = engine.dialect.name == "sqlite"
    options = {} if on_file else {"postgresql_readonly": True}
    connection = None
    try:
        connection = engine.connect().execution_options(**options)
        connection.exec_driver_sql("select count(*) from sqlite_master" if on_file else "select 1")
    except SQLAlchemyError as error:
        if connection is not None:
            connection.close()  # a file that stayed open could not be moved or replaced under Windows
        if on_file:
            raise _Refusal("not_a_database", _NOT_A_DATABASE, _CLOSE_IT) from None
        raise _Refusal("no_connection", _why_no_connection(error), _CHECK_CONNECTION) from None
    try:
        yield connection
        connection.rollback()
    except (SQLAlchemyError, UnicodeDecodeError):
        message = "the connection was lost, or what the database holds cannot be listed."
        raise _Refusal("no_connection", message, "try again.") from None
    finally:
        connection.close()


_CHECK_CONNECTION = (
    "check host, port, database, user and the password's place under 'database' in the study file, and that the "
    "server can be reached from here."
)


def _why_no_connection(error: Exception) -> str:
    """What the server's answer means; its own words stay unsaid."""
    words = str(error)
    causes = {
        "password authentication failed": "the server refused the user or the password",
        "no password supplied": "the server asks for a password, and none is given",
        "does not exist": "the server has no such database or user",
        "Connection refused": "no server answers at that host and port",
        "No such file": "no server answers at that host and port",
        "timeout": f"the server did not answer within {CONNECT_SECONDS} seconds",
        "could not translate host": "the host's name is not known",
        "failed to resolve host": "the host's name is not known",
        "no pg_hba.conf entry": "the server does not allow connections from here",
        "SSL": "no encrypted connection could be made",
    }
    cause = next((c for mark, c in causes.items() if mark.lower() in words.lower()), "the server refused")
    return f"no connection: {cause}."


def _password(database: Database) -> str | None:
    place = database.password
    if place is None:
        return None
    if place.env is not None:
        found = os.environ.get(place.env)
        what = "the environment variable that 'password: {env: ...}' names is not set."
        remedy = "set it before you start, and not in a file that is shared."
    else:
        found = _from_keyring(str(place.keyring), database.user)
        what = "the key store has no password for the service and user that the study file names."
        remedy = "store it with 'keyring set SERVICE USER'."
    if not found:
        raise _Refusal("no_password", what, remedy)
    return found


def _from_keyring(service: str, user: str) -> str | None:
    missing = missing_extra("keyring", "A password from the system's key store")
    if missing is not None:
        raise _Refusal("missing_package", *missing)
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(service, user)
    except (KeyringError, RuntimeError):
        message = "the system's key store cannot be opened."
        raise _Refusal("no_password", message, "unlock it, or use 'password: {env: NAME}'.") from None


def _select(listed: Sequence[tuple[str, str]], default: str, block: Table, quote: Any) -> str:
    """The one SELECT to run: the study's own, or all of one table that is there under exactly that name."""
    if block.query is not None:
        return _checked_query(block.query)
    if block.table is None:
        raise _Refusal(
            "no_table_named",
            f"a database needs 'table' or 'query' in the study file. It has: {_tables(listed, default)}.",
            "name one of them.",
        )
    for schema, table in listed:
        if block.table in (f"{schema}.{table}", *([table] if schema == default else [])):
            return f"select * from {quote(schema)}.{quote(table)}"
    known = [_short(schema, table, default) for schema, table in listed]
    hint = nearest(block.table, known) or "It has no tables."
    message = f"there is no table or view {block.table!r}. {hint}"
    raise _Refusal("missing_table", message, "correct 'table' in the study file.")


def _checked_query(query: str) -> str:
    query = query.strip().removesuffix(";").rstrip()
    if not is_one_select(query):
        raise _Refusal("not_a_select", "the query is not a single SELECT.", _ONE_SELECT)
    return query


#: Words of databases that refuse to write or to leave the database.
_FORBIDDEN = ("read-only", "readonly", "read only", "data-modifying", "external access", "permission")


def _guarded(run: Any, driver_error: type[Exception]) -> Any:
    """The result of ``run``; a refusal in place of whatever the database says against it."""
    try:
        return run()
    except UnicodeDecodeError:
        raise _Refusal("damaged_file", "the database holds text that is damaged.", _REPAIR) from None
    except driver_error as error:
        words = str(error).lower()
        if "could not decode" in words:
            raise _Refusal("damaged_file", "the database holds text that is damaged.", _REPAIR) from None
        if any(mark in words for mark in _FORBIDDEN):
            message = "the query writes, leaves the database, or reads what this user may not read."
            raise _Refusal("not_a_select", message, _ONE_SELECT) from None
        if "interrupt" in words or "statement timeout" in words:
            message = f"the query was not finished after {QUERY_SECONDS:g} seconds and was stopped."
            raise _Refusal("too_long", message, "select less, or export the table as CSV.") from None
        message = "the database cannot run the query; a name or the grammar is wrong."
        raise _Refusal("wrong_query", message, "try it in the database's own program first.") from None


def _sheet_of_rows(headers: Sequence[str], rows: Sequence[Any], dialect: Dialect) -> Sheet:
    columns = (
        tuple(Texts.of([value_text(v, dialect) for v in column]) for column in zip(*rows, strict=True))
        if rows
        else tuple(Texts.of([]) for _ in headers)
    )
    return Sheet(tuple(headers), columns, 1)


def _finished(name: str, sheet: Sheet, problems: Problems) -> Sheet | None:
    if without_rows(name, sheet, problems):
        return None
    return Sheet(sheet.headers, sheet.columns, 1, sha256=rows_hash(sheet.headers, sheet.columns))


def _tables(listed: Sequence[tuple[str, str]], default: str) -> str:
    return some([_short(schema, table, default) for schema, table in listed], 10) or "no tables"


def _short(schema: str, table: str, default: str) -> str:
    return table if schema == default else f"{schema}.{table}"


def _double_quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted_path(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path.resolve()))
