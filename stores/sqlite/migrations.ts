/**
 * Step n takes a database of schema n to n + 1; `pragma user_version` says where one stands. Steps are only ever
 * added: a published one is never changed.
 */
export const MIGRATIONS: readonly string[] = [
  `
  create table counter (name text primary key, value integer not null) strict, without rowid;
  create table object (
    key text primary key,
    origin text not null,
    file text,
    committed integer not null,
    metadata text not null,
    raw text not null,
    spec text not null,
    status text
  ) strict, without rowid;
  create table record (
    key text primary key,
    value text not null,
    version integer not null
  ) strict, without rowid;
  create table event (
    uid text not null,
    reason text not null,
    generation integer not null,
    kind text not null,
    namespace text not null,
    name text not null,
    type text not null,
    message text not null,
    count integer not null,
    first_ms integer not null,
    last_ms integer not null,
    primary key (uid, reason, generation)
  ) strict, without rowid;
  create index event_last on event (last_ms);
  create table history (
    id integer primary key autoincrement,
    key text not null,
    at_ms integer not null,
    entry text not null
  ) strict;
  create index history_key on history (key, id)
  `,
]
