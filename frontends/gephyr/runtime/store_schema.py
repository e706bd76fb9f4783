"""The store's schema, as the steps that led to it."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # seq orders the pins by the time they were saved: a pin saved again becomes the newest.
        """CREATE TABLE pins (
            seq INTEGER PRIMARY KEY,
            owner TEXT NOT NULL,
            object_id TEXT NOT NULL,
            account TEXT NOT NULL,
            organization TEXT NOT NULL,
            expires_at REAL NOT NULL,
            upstream_id TEXT,
            UNIQUE (owner, object_id)
        )""",
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    ),
    (
        # size stands before data, which it is read without; the index answers for expiry and for the sum of sizes.
        """CREATE TABLE objects (
            seq INTEGER PRIMARY KEY,
            owner TEXT NOT NULL,
            object_id TEXT NOT NULL,
            kind TEXT NOT NULL,
            created_at REAL NOT NULL,
            expires_at REAL NOT NULL,
            size INTEGER NOT NULL,
            data BLOB NOT NULL,
            UNIQUE (owner, object_id)
        )""",
        "CREATE INDEX objects_by_expiry ON objects (expires_at, size)",
    ),
    (
        """CREATE TABLE bindings (
            session TEXT PRIMARY KEY,
            account TEXT NOT NULL,
            bound_at REAL NOT NULL,
            used_at REAL NOT NULL,
            expires_at REAL NOT NULL
        ) WITHOUT ROWID""",
        # by_command: set by the operator's command, which the gateway's own findings do not replace. credential is the
        # digest of the credential that the state was found with.
        """CREATE TABLE account_states (
            account TEXT NOT NULL,
            by_command INTEGER NOT NULL,
            disabled TEXT NOT NULL,
            since REAL NOT NULL,
            credential TEXT NOT NULL,
            PRIMARY KEY (account, by_command)
        ) WITHOUT ROWID""",
        """CREATE TABLE cooldowns (
            scope TEXT NOT NULL,
            model TEXT NOT NULL,
            kind TEXT NOT NULL,
            until REAL NOT NULL,
            PRIMARY KEY (scope, model)
        ) WITHOUT ROWID""",
        # key_id names the key that sealed a token. One of another key stays beside its successor.
        """CREATE TABLE tokens (
            account TEXT NOT NULL,
            key_id TEXT NOT NULL,
            sealed BLOB NOT NULL,
            expires_at REAL NOT NULL,
            configured TEXT NOT NULL,
            obtained_at REAL NOT NULL,
            PRIMARY KEY (account, key_id)
        )""",
        "CREATE TABLE refreshes (account TEXT PRIMARY KEY, begun_at REAL NOT NULL) WITHOUT ROWID",
        """CREATE TABLE added_accounts (
            account TEXT PRIMARY KEY,
            settings BLOB NOT NULL,
            sealed BLOB NOT NULL,
            added_at REAL NOT NULL
        )""",
    ),
    (
        # key says where in a conversation the reasoning belongs; key_id names the encryption key that sealed it.
        """CREATE TABLE reasoning (
            seq INTEGER PRIMARY KEY,
            owner TEXT NOT NULL,
            key TEXT NOT NULL,
            key_id TEXT NOT NULL,
            expires_at REAL NOT NULL,
            size INTEGER NOT NULL,
            sealed BLOB NOT NULL,
            UNIQUE (owner, key)
        )""",
        "CREATE INDEX reasoning_by_expiry ON reasoning (expires_at, size)",
    ),
)
"""Statements that lead from schema version n to n + 1. Released ones are never changed, only followed by more."""
