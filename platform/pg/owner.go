package pg

// DB returns the database the transaction runs in, so that platform packages can keep what belongs to it by it.
func (t *Tx) DB() *DB { return t.db }
