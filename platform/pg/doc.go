// Package pg owns the way to PostgreSQL: pools under the app and worker roles, transactions that carry a tenant,
// reads in one round trip, coalesced point reads, migrations with their roles, and the one translation of driver
// errors. It knows no table of any service and no business word.
//
// Every statement of the app role runs in a transaction in which app.organization_id and app.user_id are set from a
// [Scope]; row-level security compares them with the rows. A zero scope sees only what policies show to everyone.
// Nothing here retries what may already have been committed.
package pg
