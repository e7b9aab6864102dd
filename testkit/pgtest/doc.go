// Package pgtest gives a test a PostgreSQL database of its own, migrated and with the real roles and policies. The
// server is private to the test binary and ends with it; migrations run once per set of migrations, into a template
// that is cloned for each test. Set BRAID_TEST_DATABASE_URL (an administrator's login) to use a running server instead.
//
// Tap counts what is executed, for tests of what work costs.
//
// It is for tests only. It knows no table: what to migrate comes from the caller.
package pgtest
