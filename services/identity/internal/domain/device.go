package domain

import (
	"regexp"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/id"
)

// MaxSeenDevices is how many devices are remembered of one person; the one not seen for the longest time makes room.
const MaxSeenDevices = 100

// SeenDevice is something a person has signed in with.
type SeenDevice struct {
	ID          id.ID
	Name        string
	Address     string
	FirstSeenAt time.Time
}

// UserAgent is what a User-Agent header says, as far as a person would recognize it. Its versions change every few
// weeks and are left out.
type UserAgent struct {
	// Client is the program, System what it runs on; empty when the header does not say.
	Client, System string
}

// part maps what stands in a header to what people call it; the first that is found counts, because most programs also
// name those that they want to be taken for.
type part struct{ mark, name string }

var clients = []part{
	{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Vivaldi/", "Vivaldi"},
	{"YaBrowser/", "Yandex Browser"}, {"DuckDuckGo/", "DuckDuckGo"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
	{"Electron/", "Desktop app"}, {"CriOS/", "Chrome"}, {"Chromium/", "Chromium"}, {"Chrome/", "Chrome"},
	{"Version/", "Safari"}, {"curl/", "curl"}, {"Wget/", "Wget"}, {"PostmanRuntime/", "Postman"},
	{"Go-http-client/", "Go program"}, {"connect-go/", "Go program"}, {"grpc-go/", "Go program"}, {"python", "Python program"},
	{"okhttp/", "Android app"}, {"CFNetwork/", "Apple app"}, {"node", "Node.js program"},
}

var systems = []part{
	{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"},
	{"Macintosh", "macOS"}, {"Mac OS X", "macOS"}, {"Darwin/", "macOS"}, {"Linux", "Linux"}, {"FreeBSD", "FreeBSD"},
}

// product is how a program that is in no table names itself: the first word of the header (RFC 9110 section 10.1.5).
var product = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,31}`)

// ParseUserAgent reads a User-Agent header. It is what a client says of itself: to be shown, never to be trusted.
func ParseUserAgent(header string) UserAgent {
	header = CutUserAgent(header)
	client := find(clients, header)
	if client == "" {
		if client = product.FindString(header); client == "Mozilla" {
			client = ""
		}
	}
	return UserAgent{Client: client, System: find(systems, header)}
}

func find(parts []part, header string) string {
	for _, part := range parts {
		if strings.Contains(header, part.mark) {
			return part.name
		}
	}
	return ""
}

// Name is what a person reads: "Firefox on Windows".
func (u UserAgent) Name() string {
	switch {
	case u.Client == "" && u.System == "":
		return "Unknown device"
	case u.Client == "":
		return u.System
	case u.System == "":
		return u.Client
	default:
		return u.Client + " on " + u.System
	}
}
