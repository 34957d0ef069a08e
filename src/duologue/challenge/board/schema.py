"""A board's tables, and the migrations that make them. Rows are added, never changed or deleted.

In SQLite and PostgreSQL triggers refuse UPDATE and DELETE (and TRUNCATE) on every table; elsewhere the chain of digests
alone tells that somebody did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from duologue.errors import UserError

METADATA = sa.MetaData()

VERSIONS = sa.Table(
    "duologue_board_schema",
    METADATA,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("migrated_at", sa.String(40), nullable=False),
)
CHALLENGES = sa.Table("duologue_challenge", METADATA, sa.Column("name", sa.String(64), primary_key=True))
CARDS = sa.Table(
    "duologue_card",
    METADATA,
    sa.Column("sha256", sa.String(64), primary_key=True),
    # The file as it came, by zlib.
    sa.Column("data", sa.LargeBinary(2**32 - 1), nullable=False),
)
ITEMS = sa.Table(
    "duologue_item",
    METADATA,
    sa.Column("card", sa.String(64), sa.ForeignKey("duologue_card.sha256"), primary_key=True),
    sa.Column("item", sa.String(250), primary_key=True),
    sa.Column("score", sa.Text, nullable=False),
)
EVENTS = sa.Table(
    "duologue_event",
    METADATA,
    sa.Column("challenge", sa.String(64), sa.ForeignKey("duologue_challenge.name"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("submission", sa.String(80), nullable=False),
    sa.Column("phase", sa.String(64), nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
)

Migration = Callable[[sa.Connection], None]


def _create(connection: sa.Connection) -> None:
    METADATA.create_all(connection)
    for table in METADATA.sorted_tables:
        forbid_changes(connection, table.name)


def forbid_changes(connection: sa.Connection, table: str) -> None:
    """Have the database refuse to change or delete rows of ``table``, where it is one that we know the triggers of."""
    dialect = connection.dialect.name
    if dialect == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed'); END"
            )
    elif dialect == "postgresql":
        connection.execute(
            sa.text(
                "CREATE OR REPLACE FUNCTION duologue_never_changed() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME; END $$"
            )
        )
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table}_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION duologue_never_changed()"
        )


# From version i to i + 1.
MIGRATIONS: tuple[Migration, ...] = (_create,)


def version(connection: sa.Connection) -> int:
    """The version of the board in this database, 0 where there is none."""
    if not sa.inspect(connection).has_table(VERSIONS.name):
        return 0
    found: int | None = connection.execute(sa.select(sa.func.max(VERSIONS.c.version))).scalar()
    return found or 0


def migrate(connection: sa.Connection, now: str, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the board in this database to the version of ``migrations``, and write down each step.

    UserError for a board that a newer package wrote.
    """
    have = version(connection)
    refuse_newer(have, len(migrations))
    for to in range(have + 1, len(migrations) + 1):
        migrations[to - 1](connection)
        connection.execute(VERSIONS.insert().values(version=to, migrated_at=now))


def refuse_newer(have: int, know: int = len(MIGRATIONS)) -> None:
    if have > know:
        raise UserError(
            "a newer Duologue wrote this board", value=have, allowed=f"versions up to {know}", mend="upgrade duologue"
        )
