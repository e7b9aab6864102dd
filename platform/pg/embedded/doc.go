// Package embedded runs a private PostgreSQL server as a child process: it unpacks the server that was packed into
// braid at build (or finds one on the machine), makes a data directory, starts, watches and stops the server, starts it
// again when it has died, and makes one database with a login of its own per service. It opens no application pool and
// runs no migration.
//
// What it holds to: only one process at a time works on a data directory; a data directory of another PostgreSQL
// version, or one that is not ours, is left untouched; no password is on a command line, in an environment or in a log;
// the server dies with us, also when we are killed.
package embedded
