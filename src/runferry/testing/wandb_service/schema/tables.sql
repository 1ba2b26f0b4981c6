-- What the service knows. Names are those of the GraphQL fields in snake_case, so that most fields
-- need no resolver. Times are ISO 8601 in UTC by the second; JSON columns are text as it came.

CREATE TABLE IF NOT EXISTS entities (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, is_team INTEGER NOT NULL,
  entity_type TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS projects (
  id INTEGER PRIMARY KEY, entity_name TEXT NOT NULL, name TEXT NOT NULL, description TEXT,
  access TEXT, views TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
  allow_all_artifact_types_in_registry INTEGER NOT NULL DEFAULT 0,
  UNIQUE (entity_name, name)
);

CREATE TABLE IF NOT EXISTS runs (
  id INTEGER PRIMARY KEY, project INTEGER NOT NULL, name TEXT NOT NULL, display_name TEXT,
  state TEXT NOT NULL, config TEXT NOT NULL DEFAULT '{}', summary_metrics TEXT NOT NULL DEFAULT '{}',
  system_metrics TEXT NOT NULL DEFAULT '{}', tags TEXT NOT NULL DEFAULT '[]', notes TEXT,
  description TEXT, group_name TEXT, job_type TEXT, sweep_name TEXT, "commit" TEXT, host TEXT,
  program TEXT, github TEXT, username TEXT, stopped INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL, heartbeat_at TEXT NOT NULL,
  exit_code INTEGER, history_keys TEXT NOT NULL DEFAULT '{}', last_step INTEGER NOT NULL DEFAULT -1,
  exported_lines INTEGER NOT NULL DEFAULT 0,  -- of exports; the live ones are counted in history
  UNIQUE (project, name)
);
CREATE TABLE IF NOT EXISTS deleted_runs (  -- their ids cannot be had again
  project INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (project, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS runs_by_creation ON runs (project, created_at, id);

CREATE TABLE IF NOT EXISTS history (  -- live rows: numbered from 0, whatever was exported since
  run INTEGER NOT NULL, line INTEGER NOT NULL, step INTEGER NOT NULL, content TEXT NOT NULL,
  PRIMARY KEY (run, line)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS history_by_step ON history (run, step);

CREATE TABLE IF NOT EXISTS exports (
  run INTEGER NOT NULL, part INTEGER NOT NULL, blob TEXT NOT NULL, lines INTEGER NOT NULL,
  first_step INTEGER NOT NULL, last_step INTEGER NOT NULL, PRIMARY KEY (run, part)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS events (
  run INTEGER NOT NULL, line INTEGER NOT NULL, content TEXT NOT NULL, PRIMARY KEY (run, line)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS console (
  run INTEGER NOT NULL, line INTEGER NOT NULL, content TEXT NOT NULL, PRIMARY KEY (run, line)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS files (  -- is_uploaded: it has bytes, and is listed
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, name TEXT NOT NULL, blob TEXT NOT NULL,
  size_bytes INTEGER NOT NULL DEFAULT 0, md5 TEXT, mimetype TEXT, updated_at TEXT NOT NULL,
  is_uploaded INTEGER NOT NULL DEFAULT 0, UNIQUE (run, name)
);

CREATE TABLE IF NOT EXISTS sweeps (
  id INTEGER PRIMARY KEY, project INTEGER NOT NULL, name TEXT NOT NULL, display_name TEXT,
  method TEXT, state TEXT NOT NULL, description TEXT, config TEXT NOT NULL, best_loss REAL,
  run_count_expected INTEGER, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
  UNIQUE (project, name)
);

CREATE TABLE IF NOT EXISTS views (
  id INTEGER PRIMARY KEY, project INTEGER NOT NULL, name TEXT NOT NULL, display_name TEXT,
  description TEXT, type TEXT NOT NULL, spec TEXT NOT NULL, created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS artifact_types (
  id INTEGER PRIMARY KEY, project INTEGER NOT NULL, name TEXT NOT NULL, description TEXT,
  created_at TEXT NOT NULL, UNIQUE (project, name)
);

CREATE TABLE IF NOT EXISTS collections (
  id INTEGER PRIMARY KEY, project INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
  artifact_type INTEGER NOT NULL, description TEXT, tags TEXT NOT NULL DEFAULT '[]',
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL, UNIQUE (project, name)
);

CREATE TABLE IF NOT EXISTS artifacts (
  id INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, version_index INTEGER, digest TEXT NOT NULL,
  digest_algorithm TEXT NOT NULL, state TEXT NOT NULL, description TEXT, metadata TEXT,
  tags TEXT NOT NULL DEFAULT '[]', history_step INTEGER, ttl_duration_seconds INTEGER,
  size INTEGER NOT NULL DEFAULT 0, file_count INTEGER NOT NULL DEFAULT 0, commit_hash TEXT NOT NULL,
  client_id TEXT, run INTEGER, aliases_asked TEXT NOT NULL DEFAULT '[]',
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS artifacts_of_sequences ON artifacts (sequence, version_index);
CREATE INDEX IF NOT EXISTS artifacts_of_runs ON artifacts (run);
CREATE INDEX IF NOT EXISTS artifacts_by_client ON artifacts (client_id);

CREATE TABLE IF NOT EXISTS manifests (
  id INTEGER PRIMARY KEY, artifact INTEGER NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL,
  type TEXT NOT NULL, blob TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS artifact_files (  -- the bytes that came for one artifact
  id INTEGER PRIMARY KEY, artifact INTEGER NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL,
  blob TEXT NOT NULL, mimetype TEXT, UNIQUE (artifact, name)
);
CREATE INDEX IF NOT EXISTS artifact_files_by_digest ON artifact_files (digest);

CREATE TABLE IF NOT EXISTS memberships (  -- a version in a sequence or a portfolio
  id INTEGER PRIMARY KEY, collection INTEGER NOT NULL, artifact INTEGER NOT NULL,
  version_index INTEGER NOT NULL, created_at TEXT NOT NULL, UNIQUE (collection, artifact)
);

CREATE TABLE IF NOT EXISTS aliases (
  id INTEGER PRIMARY KEY, collection INTEGER NOT NULL, alias TEXT NOT NULL,
  artifact INTEGER NOT NULL, UNIQUE (collection, alias)
);

CREATE TABLE IF NOT EXISTS used_artifacts (
  run INTEGER NOT NULL, artifact INTEGER NOT NULL, used_as TEXT, PRIMARY KEY (run, artifact)
) WITHOUT ROWID;
