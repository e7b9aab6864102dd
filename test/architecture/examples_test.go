package architecture_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const internal = modulePath + "services/workflow/internal/"

// examples are imports, each of which breaks the rule it stands under; those under no rule break none.
var examples = map[string][][2]string{
	"": {
		{modulePath + "cmd/braid", modulePath + "services/workflow"},
		{modulePath + "services/workflow", internal + "store"}, {modulePath + "services/workflow", "net/http"},
		{modulePath + "services/workflow", modulePath + "gen/go/braid/workflow/v1/workflowv1braid"},
		{modulePath + "services/audit", modulePath + "gen/go/braid/workflow/v1/workflowv1connect"},
		{modulePath + "services/audit/internal/app", modulePath + "gen/go/braid/workflow/v1"},
		{internal + "api", internal + "app"}, {internal + "api", internal + "domain"}, {internal + "api", internal + "live"},
		{internal + "consumer", internal + "app"}, {internal + "app", internal + "store"}, {internal + "app", "net/mail"},
		{internal + "store", internal + "domain"}, {internal + "store", internal + "store/db"},
		{internal + "store/db", "github.com/jackc/pgx/v5"},
		{internal + "domain", "time"}, {internal + "domain", modulePath + "platform/id"}, {internal + "domain", internal + "domain/move"},
	},
	"only cmd sees services": {
		{modulePath + "gateway", modulePath + "services/workflow"},
		{modulePath + "services/audit", modulePath + "services/workflow"},
		{modulePath + "services/audit/internal/app", modulePath + "services/workflow"},
		{modulePath + "testkit/rpctest", modulePath + "services/workflow"},
	},
	"nobody sees cmd": {
		{modulePath + "testkit/rpctest", modulePath + "cmd/braid/internal/demo"}, {modulePath + "gateway", modulePath + "cmd/braid"},
	},
	"services call each other by generated clients": {
		{modulePath + "services/audit", modulePath + "gen/go/braid/workflow/v1/workflowv1braid"}, {internal + "app", modulePath + "gateway"},
		{internal + "app", "net/http"}, {internal + "consumer", "net/http/httputil"}, {modulePath + "services/audit", "google.golang.org/grpc"},
	},
	"no template engine": {{modulePath + "gateway", "html/template"}, {internal + "app", "text/template"}},
	"only cmd starts what is embedded": {
		{modulePath + "platform/module", modulePath + "platform/pg/embedded"}, {internal + "store", modulePath + "platform/pg/embedded"},
	},
	"platform imports no service": {
		{modulePath + "platform/pg", modulePath + "gateway"},
		{modulePath + "platform/rpc", modulePath + "cmd/braid/internal/demo"},
	},
	"data flows one way": {
		{internal + "api", internal + "store"}, {internal + "api", internal + "consumer"},
		{internal + "consumer", internal + "api"}, {internal + "consumer", internal + "store"},
		{internal + "app", internal + "api"}, {internal + "app", internal + "consumer"}, {internal + "app", internal + "live"},
		{internal + "store", internal + "app"}, {internal + "store", internal + "api"}, {internal + "store/db", internal + "app"},
		{internal + "domain", internal + "store"}, {internal + "domain", internal + "app"},
		{internal + "live", internal + "api"}, {internal + "password", internal + "app"}, {internal + "mail", internal + "store"},
		{internal + "unlisted", internal + "domain"}, {internal + "app", internal + "unlisted"},
	},
	"generated statements stay in their store": {
		{modulePath + "services/workflow", internal + "store/db"}, {internal + "app", internal + "store/db"},
	},
	"domain does no IO": {
		{internal + "domain", "database/sql/driver"}, {internal + "domain", "net/http"}, {internal + "domain", "net/url"},
		{internal + "domain", "os"}, {internal + "domain", "os/exec"}, {internal + "domain", "io"}, {internal + "domain", "context"},
		{internal + "domain", "log/slog"}, {internal + "domain", "crypto/rand"}, {internal + "domain", "math/rand/v2"},
		{internal + "domain", "sync"}, {internal + "domain", "golang.org/x/text/cases"},
		{internal + "domain", modulePath + "platform/call"}, {internal + "domain", modulePath + "gen/go/braid/workflow/v1"},
	},
	"pgx stays in stores": {
		{internal + "app", "github.com/jackc/pgx/v5"}, {internal + "consumer", "github.com/jackc/pgx/v5/pgconn"},
		{internal + "app", "database/sql"}, {modulePath + "platform/idempotency", "github.com/jackc/pgx/v5"},
	},
	"the Kafka client stays in the bus": {
		{modulePath + "platform/outbox", "github.com/twmb/franz-go/pkg/kgo"},
		{internal + "consumer", "github.com/twmb/franz-go/pkg/kgo"},
	},
	"testkit stays in tests": {{modulePath + "platform/pg", modulePath + "testkit/pgtest"}},
}

// TestRulesBreak keeps the rules from growing toothless.
func TestRulesBreak(t *testing.T) {
	t.Parallel()
	for _, rule := range rules {
		require.NotEmpty(t, examples[rule.name], "no example for %q", rule.name)
	}
	for name, imports := range examples {
		for _, example := range imports {
			found := strings.Join(violations([]goPackage{{ImportPath: example[0], Imports: example[1:]}}), "\n")
			if name == "" {
				require.Empty(t, found)
			} else {
				require.Contains(t, found, ": "+name+" (", "%v", example)
			}
			inTests := strings.Join(violations([]goPackage{{ImportPath: example[0], TestImports: example[1:]}}), "\n")
			require.Equal(t, name != "" && holdsInTests(name), strings.Contains(inTests, ": "+name+" ("), "%v in a test", example)
		}
	}
}

func holdsInTests(name string) bool {
	return slices.ContainsFunc(rules, func(rule rule) bool { return rule.name == name && rule.tests })
}

// TestLayersExist keeps the list of layers from naming what is gone.
func TestLayersExist(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	for _, found := range listPackages(t) {
		_, own := layer(found.path())
		there[own] = true
	}
	for name, below := range layers {
		require.True(t, there[name], "no service has a folder %s", name)
		for _, other := range below {
			require.Contains(t, layers, other, "%s may import %s", name, other)
		}
	}
}
