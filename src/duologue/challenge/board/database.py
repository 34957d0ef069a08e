"""A board's database: SQLite by default, any that SQLAlchemy reaches. One writer at a time, whole or not at all."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from duologue.challenge.board import schema
from duologue.challenge.board.event import Event, chained
from duologue.errors import MissingPartError, UserError

# Seconds that a process waits for another's writing.
PATIENCE = 60
# The largest card, and what a stored one may unpack to.
LARGEST = 2**30


def url_of(text: str, environment: Mapping[str, str] | None = None) -> URL:
    """``text``, a file's path or an SQLAlchemy URL, as a URL; a password that it lacks is DUOLOGUE_DB_PASSWORD's.

    A URL of plain "postgresql://" is served by psycopg. UserError for a text that is no URL, without showing it.
    """
    if "://" not in text:
        if not text:
            raise UserError("no database", field="--db", mend="give a file or a URL")
        return URL.create("sqlite", database=text)
    try:
        url = make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise UserError(
            "not a database's URL", field="--db", allowed="a file, or dialect[+driver]://user@host:port/name"
        ) from None
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    password = (os.environ if environment is None else environment).get("DUOLOGUE_DB_PASSWORD")
    if url.username and url.password is None and password:
        url = url.set(password=password)
    return url


class Transaction:
    """An open transaction on one challenge's history, which holds the challenge's lock if it writes."""

    def __init__(self, connection: sa.Connection, challenge: str) -> None:
        self.connection, self.challenge = connection, challenge

    def events(self, up_to: int | None = None) -> list[Event]:
        """The history in order, to entry ``up_to``."""
        table = schema.EVENTS
        query = sa.select(table).where(table.c.challenge == self.challenge).order_by(table.c.seq)
        if up_to is not None:
            query = query.where(table.c.seq <= up_to)
        return [
            Event(
                challenge=r.challenge,
                seq=r.seq,
                kind=r.kind,
                at=r.at,
                by=r.decided_by,
                rule=r.rule,
                evidence=r.evidence,
                submission=r.submission,
                phase=r.phase,
                data=msgspec.json.decode(r.data),
                previous=r.previous,
                digest=r.digest,
            )
            for r in self.connection.execute(query)
        ]

    def append(self, e: Event) -> Event:
        """Write ``e`` as the next entry."""
        table = schema.EVENTS
        last = self.connection.execute(
            sa.select(table.c.seq, table.c.digest)
            .where(table.c.challenge == self.challenge)
            .order_by(table.c.seq.desc())
            .limit(1)
        ).first()
        # Read back as it will be, so that what is hashed is what is stored.
        e = msgspec.json.decode(msgspec.json.encode(e), type=Event)
        previous = None if last is None else msgspec.structs.replace(e, seq=last.seq, digest=last.digest)
        e = chained(e, previous)
        self.connection.execute(
            table.insert().values(
                challenge=e.challenge,
                seq=e.seq,
                kind=e.kind,
                at=e.at,
                decided_by=e.by,
                rule=e.rule,
                evidence=e.evidence,
                submission=e.submission,
                phase=e.phase,
                data=msgspec.json.encode(e.data, order="deterministic").decode(),
                previous=e.previous,
                digest=e.digest,
            )
        )
        return e

    def keep_card(self, sha256: str, data: bytes) -> None:
        """Store a card's file once."""
        table = schema.CARDS
        if not self.connection.execute(sa.select(table.c.sha256).where(table.c.sha256 == sha256)).first():
            self.connection.execute(table.insert().values(sha256=sha256, data=zlib.compress(data, 6)))

    def card(self, sha256: str) -> bytes:
        table = schema.CARDS
        packed = self.connection.execute(sa.select(table.c.data).where(table.c.sha256 == sha256)).scalar()
        if packed is None:
            raise UserError("the board has lost a card", value=sha256)
        try:
            return zlib.decompressobj().decompress(packed, LARGEST)
        except zlib.error:
            raise UserError("a stored card was changed", value=sha256) from None

    def keep_items(self, sha256: str, rows: Iterable[tuple[str, bytes]]) -> None:
        """Store a card's item values once."""
        table = schema.ITEMS
        if self.connection.execute(sa.select(table.c.item).where(table.c.card == sha256).limit(1)).first() is None:
            self.connection.execute(
                table.insert(), [{"card": sha256, "item": key, "score": row.decode()} for key, row in rows]
            )

    def items(self, sha256: str) -> list[bytes]:
        """A card's item values, in order of the items."""
        table = schema.ITEMS
        rows = self.connection.execute(sa.select(table.c.item, table.c.score).where(table.c.card == sha256))
        return [score.encode() for _, score in sorted((r.item, r.score) for r in rows)]


class Database:
    """One database. Errors of the driver come as UserError, and never show the password."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.engine = _engine(url)

    @property
    def shown(self) -> str:
        return self.url.render_as_string(hide_password=True)

    @property
    def guarded(self) -> bool:
        """Whether triggers keep rows from being changed here."""
        return self.engine.dialect.name in ("sqlite", "postgresql")

    def create(self, now: str) -> None:
        """Make the tables, or bring them to this version; nothing where they are."""
        if self.url.get_backend_name() == "sqlite" and self.url.database not in (None, "", ":memory:"):
            folder = Path(str(self.url.database)).parent
            if not folder.is_dir():
                raise UserError("no such folder", where=self.shown, value=str(folder))
        with self._begin(write=True) as connection:
            if connection.dialect.name == "postgresql":
                # No table to lock yet: two processes may both be making them.
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4020251125)")
            schema.migrate(connection, now)

    def challenges(self) -> list[str]:
        """The names of the challenges that have a board here."""
        self._exists()
        with self._begin(write=False) as connection:
            self._known(connection)
            return sorted(connection.execute(sa.select(schema.CHALLENGES.c.name)).scalars())

    @contextmanager
    def read(self, challenge: str) -> Iterator[Transaction]:
        """A transaction that sees one moment of the board."""
        self._exists()
        with self._begin(write=False) as connection:
            self._known(connection)
            yield Transaction(connection, challenge)

    @contextmanager
    def write(self, challenge: str, *, create: bool = False) -> Iterator[Transaction]:
        """A transaction that no other writer of ``challenge`` runs beside; an exception takes all of it back."""
        self._exists()
        with self._begin(write=True) as connection:
            self._known(connection)
            table = schema.CHALLENGES
            if create:
                if connection.dialect.name == "postgresql":
                    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4020251125)")
                if connection.execute(sa.select(table).where(table.c.name == challenge)).first() is not None:
                    raise UserError("there is such a board already", where=self.shown, value=challenge)
                connection.execute(table.insert().values(name=challenge))
            else:
                # The row stands for the challenge's history: one transaction holds it at a time.
                row = connection.execute(sa.select(table).where(table.c.name == challenge).with_for_update()).first()
                if row is None:
                    raise UserError("no board of this challenge", where=self.shown, value=challenge)
            yield Transaction(connection, challenge)

    def _exists(self) -> None:
        file = self.url.database if self.url.get_backend_name() == "sqlite" else None
        if file and file != ":memory:" and not file.startswith("file:") and not Path(file).is_file():
            raise UserError("no such board", where=self.shown, mend="duologue leaderboard init CHALLENGE.yaml --db ...")

    def _known(self, connection: sa.Connection) -> None:
        have = schema.version(connection)
        schema.refuse_newer(have)
        if have < len(schema.MIGRATIONS):
            what = "no board in this database" if not have else f"a board of version {have}"
            raise UserError(what, where=self.shown, mend="duologue leaderboard init CHALLENGE.yaml --db ...")

    @contextmanager
    def _begin(self, *, write: bool) -> Iterator[sa.Connection]:
        try:
            with self.engine.connect().execution_options(duologue_writes=write) as connection, connection.begin():
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise UserError(self._why(error), where=self.shown) from None

    def _why(self, error: sa.exc.SQLAlchemyError) -> str:
        why = str(getattr(error, "orig", None) or error).strip().splitlines()
        text = f"the database says: {why[0] if why else type(error).__name__}"
        password = self.url.password
        return text.replace(str(password), "***") if password else text


def _engine(url: URL) -> sa.Engine:
    try:
        arguments = {"timeout": PATIENCE} if url.get_backend_name() == "sqlite" else {}
        engine = sa.create_engine(url, connect_args=arguments, poolclass=sa.pool.NullPool)
    except ModuleNotFoundError as error:
        mend = "pip install 'duologue[postgres]'" if url.get_backend_name() == "postgresql" else "install it"
        raise MissingPartError("the database's driver is not installed", value=error.name, mend=mend) from None
    except sa.exc.NoSuchModuleError:
        raise UserError("SQLAlchemy knows no such database", field="--db", value=url.drivername) from None
    except sa.exc.ArgumentError as error:
        raise UserError(f"not a database's URL: {error}", field="--db") from None
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _sqlite_connect)
        sa.event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connect(connection: sa.engine.interfaces.DBAPIConnection, _: object) -> None:
    # The driver's own implicit BEGIN comes too late to hold a lock over what was read before.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _sqlite_begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("duologue_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
