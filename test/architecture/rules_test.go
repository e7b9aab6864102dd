package architecture_test

import (
	"fmt"
	"slices"
	"strings"
)

// layers says what each folder of a service may import of its own service, besides itself. The first five are those of
// every service, and the way of its data. What a service has besides stands at one place of that way. A folder that is
// not listed may import nothing: whoever adds one decides here where it stands.
var layers = map[string][]string{
	"api":      {"app", "domain", "live"},
	"consumer": {"app", "domain"},
	"app":      {"domain", "store", "archive", "avatar", "federation", "mail", "passkey", "password", "smtp", "token", "totp"},
	"store":    {"domain"},
	"domain":   nil,

	// live is beside app: streams outlast every transaction that a use case is given, so it reads the store for itself.
	"live": {"app", "domain", "store"},
	// mailbox is a way in of its own, by SMTP and the admin port, for development.
	"mailbox": {"smtp", "store"},
	// The tools that app works with. They never call back up.
	"archive":    {},
	"avatar":     {"domain"},
	"federation": {"domain"},
	"mail":       {"domain"},
	"passkey":    {"domain"},
	"password":   {"domain"},
	"smtp":       {"mail"},
	"token":      {"domain", "store"},
	"totp":       nil,
}

// pure is the part of the standard library that a domain may use: no IO, no clock but the values of time, nothing that
// two runs could see differently.
var pure = []string{
	"bytes", "cmp", "crypto/sha256", "crypto/subtle", "encoding/base64", "encoding/binary", "encoding/hex", "encoding/json",
	"errors", "fmt", "iter", "maps", "math", "math/big", "math/bits", "net/netip", "regexp", "slices", "sort", "strconv", "strings",
	"time", "unicode", "unicode/utf8",
}

// rule says what one package may not import. Both are given without the module's path.
type rule struct {
	name    string
	breaks  func(from, imported string) bool
	because string
	// tests says that it holds for test files as well; without it they may do as they need.
	tests bool
}

var rules = []rule{
	{
		name: "only cmd sees services",
		breaks: func(from, imported string) bool {
			service, _ := layer(imported)
			own, _ := layer(from)
			return service != "" && own != service && !under(from, "cmd", "test")
		},
		because: "a service is called by its contract, in one process as between two",
		tests:   true,
	},
	{
		name: "nobody sees cmd",
		breaks: func(from, imported string) bool {
			return under(imported, "cmd") && !under(from, "cmd")
		},
		because: "only cmd knows what runs in a process, and so in which mode",
		tests:   true,
	},
	{
		name: "services call each other by generated clients",
		breaks: func(from, imported string) bool {
			service, own := layer(from)
			switch {
			case service == "":
				return false
			case under(imported, "gateway"), under(imported, "google.golang.org/grpc"), under(imported, "net/rpc"):
				return true
			case imported == "net/http", under(imported, "net/http"):
				// The mailbox has a page on the admin port, and calls nobody; passwords ask a breach service, and
				// federation the providers, which are none of ours.
				return own != "" && own != "mailbox" && own != "password" && own != "federation"
			}
			rest, generated := strings.CutPrefix(imported, "gen/go/braid/")
			other, _, _ := strings.Cut(rest, "/")
			// Others' messages and clients may be used; who mounts their handlers would be them.
			return generated && other != service && strings.HasSuffix(imported, "braid")
		},
		because: "the process decides whether that is a call over the network",
	},
	{
		name: "no template engine",
		breaks: func(_, imported string) bool {
			return imported == "html/template" || imported == "text/template"
		},
		because: "they call methods by name, so that the linker keeps those of every library: 20 MB; write HTML with gomponents",
	},
	{
		name: "only cmd starts what is embedded",
		breaks: func(from, imported string) bool {
			return under(imported, "platform/pg/embedded") && !under(from, "cmd", "platform/pg/embedded", "testkit", "test")
		},
		because: "no other code may know whether the database is the process's own",
	},
	{
		name: "platform imports no service",
		breaks: func(from, imported string) bool {
			return under(from, "platform") && under(imported, "services", "gateway", "cmd")
		},
		because: "machinery knows no business",
		tests:   true,
	},
	{
		name: "data flows one way",
		breaks: func(from, imported string) bool {
			service, own := layer(from)
			other, called := layer(imported)
			if own == "" || other != service || called == own {
				return false
			}
			return !slices.Contains(layers[own], called)
		},
		because: "api and consumer call app, app calls domain and store, nothing calls back up; see layers",
	},
	{
		name: "generated statements stay in their store",
		breaks: func(from, imported string) bool {
			_, own := layer(from)
			_, called := layer(imported)
			return called == "store" && strings.Contains(imported, "/store/") && own != "store"
		},
		because: "one place knows rows and translates the driver's errors",
		tests:   true,
	},
	{
		name: "domain does no IO",
		breaks: func(from, imported string) bool {
			_, own := layer(from)
			_, called := layer(imported)
			return own == "domain" && called == "" && !slices.Contains(pure, imported) && !under(imported, "platform/errs", "platform/id")
		},
		because: "rules must be readable and testable without a database",
	},
	{
		name: "pgx stays in stores",
		breaks: func(from, imported string) bool {
			_, own := layer(from)
			return (strings.HasPrefix(imported, "github.com/jackc/pgx") || under(imported, "database/sql")) && own != "store" &&
				!under(from, "platform/pg", "platform/outbox", "platform/inbox", "platform/job", "testkit/pgtest", "test", "cmd/braid/internal/bench")
		},
		because: "everything else speaks platform/pg, so that roles, scopes and retries hold everywhere",
	},
	{
		name: "the Kafka client stays in the bus",
		breaks: func(from, imported string) bool {
			return strings.HasPrefix(imported, "github.com/twmb/franz-go") && !under(from, "platform/bus", "testkit/bustest", "test")
		},
		because: "one place knows how events travel",
		tests:   true,
	},
	{
		name: "testkit stays in tests",
		breaks: func(from, imported string) bool {
			return under(imported, "testkit") && !under(from, "testkit", "test")
		},
		because: "what tests need must not reach the binary",
	},
}

// violations says which imports break which rules.
func violations(packages []goPackage) (found []string) {
	for _, from := range packages {
		for _, rule := range rules {
			look := func(imports []string, what string) {
				for _, imported := range imports {
					target := strings.TrimPrefix(imported, modulePath)
					if rule.breaks(from.path(), target) {
						found = append(found, fmt.Sprintf("%s%s imports %s: %s (%s)", what, from.path(), target, rule.name, rule.because))
					}
				}
			}
			look(from.Imports, "")
			if rule.tests {
				look(from.TestImports, "a test of ")
			}
		}
	}
	return found
}

func under(path string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		return path == folder || strings.HasPrefix(path, folder+"/")
	})
}

// layer is the folder of a package within its service, empty for the service's own package:
// services/workflow/internal/store/db → workflow, store.
func layer(path string) (service, layer string) {
	parts := strings.Split(path, "/")
	if len(parts) >= 4 && parts[0] == "services" && parts[2] == "internal" {
		return parts[1], parts[3]
	}
	if len(parts) >= 2 && parts[0] == "services" {
		return parts[1], ""
	}
	return "", ""
}
