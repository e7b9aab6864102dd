package organization

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/braidhq/braid/testkit/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, pgtest.IgnoreServer()...) }
