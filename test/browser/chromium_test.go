package browser_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// answerTimeout is how long the browser may take for one command.
const answerTimeout = 30 * time.Second

// chromium is a real browser that is told what to do over a pair of pipes (the DevTools protocol): messages are JSON, with
// a zero byte after each.
type chromium struct {
	t       *testing.T
	to      *os.File
	session string

	mu      sync.Mutex
	last    int
	waiting map[int]chan reply
}

type reply struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// startChromium starts a browser that ends with the test.
func startChromium(t *testing.T, program string) *chromium {
	t.Helper()
	theirIn, to, err := os.Pipe()
	require.NoError(t, err)
	from, theirOut, err := os.Pipe()
	require.NoError(t, err)
	// The sandbox needs what containers don't give; the only page is ours.
	command := exec.Command(program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--user-data-dir="+t.TempDir(), "--remote-debugging-pipe", "about:blank")
	command.ExtraFiles = []*os.File{theirIn, theirOut} // Its descriptors 3 and 4.
	require.NoError(t, command.Start())
	require.NoError(t, theirIn.Close())
	require.NoError(t, theirOut.Close())
	c := &chromium{t: t, to: to, waiting: map[int]chan reply{}}
	read := make(chan struct{})
	go func() {
		defer close(read)
		c.read(from)
	}()
	t.Cleanup(func() {
		_ = to.Close() // It ends when nobody speaks to it any more.
		killer := time.AfterFunc(10*time.Second, func() { _ = command.Process.Kill() })
		defer killer.Stop()
		_ = command.Wait()
		<-read
		_ = from.Close()
	})
	return c
}

func (c *chromium) read(from *os.File) {
	messages := bufio.NewReader(from)
	for {
		line, err := messages.ReadBytes(0)
		if err != nil {
			return
		}
		var answered reply
		if json.Unmarshal(line[:len(line)-1], &answered) != nil || answered.ID == 0 {
			continue // An event; nobody waits for one.
		}
		c.mu.Lock()
		waiting := c.waiting[answered.ID]
		delete(c.waiting, answered.ID)
		c.mu.Unlock()
		if waiting != nil {
			waiting <- answered
		}
	}
}

// do sends a command and decodes what it results in.
func (c *chromium) do(method string, parameters map[string]any, result any) {
	c.t.Helper()
	answers := make(chan reply, 1)
	c.mu.Lock()
	c.last++
	message := map[string]any{"id": c.last, "method": method, "params": parameters}
	c.waiting[c.last] = answers
	c.mu.Unlock()
	if c.session != "" {
		message["sessionId"] = c.session
	}
	encoded, err := json.Marshal(message)
	require.NoError(c.t, err)
	_, err = c.to.Write(append(encoded, 0))
	require.NoError(c.t, err)
	select {
	case answered := <-answers:
		require.Nil(c.t, answered.Error, "%s: %+v", method, answered.Error)
		if result != nil {
			require.NoError(c.t, json.Unmarshal(answered.Result, result))
		}
	case <-time.After(answerTimeout):
		require.FailNow(c.t, "the browser does not answer", method)
	}
}

// open shows a page, and everything from then on is for it.
func (c *chromium) open(url string) {
	c.t.Helper()
	var made struct {
		TargetID  string `json:"targetId"`
		SessionID string `json:"sessionId"`
	}
	c.do("Target.createTarget", map[string]any{"url": "about:blank"}, &made)
	c.do("Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true}, &made)
	c.session = made.SessionID
	c.do("Page.enable", nil, nil)
	c.do("Page.navigate", map[string]any{"url": url}, nil)
	require.Eventually(c.t, func() bool {
		return c.evaluate("document.readyState + ' ' + location.href") == "complete "+url
	}, answerTimeout, 50*time.Millisecond)
}

// addAuthenticator gives the browser an authenticator of its own device, whose user is there and verified.
func (c *chromium) addAuthenticator() string {
	c.t.Helper()
	c.do("WebAuthn.enable", nil, nil)
	var made struct {
		AuthenticatorID string `json:"authenticatorId"`
	}
	c.do("WebAuthn.addVirtualAuthenticator", map[string]any{"options": map[string]any{
		"protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
		"isUserVerified": true, "automaticPresenceSimulation": true,
	}}, &made)
	return made.AuthenticatorID
}

// evaluate runs an expression in the page, waits for what it promises, and returns that as text.
func (c *chromium) evaluate(expression string) string {
	c.t.Helper()
	var evaluated struct {
		Result struct {
			Value string `json:"value"`
		} `json:"result"`
	}
	c.do("Runtime.evaluate", map[string]any{
		"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true,
	}, &evaluated)
	return evaluated.Result.Value
}

// ask has the page call navigator.credentials with options of ours and returns what it says to the server, or why not.
func (c *chromium) ask(call, parse string, options any) string {
	c.t.Helper()
	encoded, err := json.Marshal(options)
	require.NoError(c.t, err)
	return c.evaluate(fmt.Sprintf(`navigator.credentials.%s({publicKey: PublicKeyCredential.%s(%s)})
		.then(credential => JSON.stringify(credential.toJSON()), refusal => refusal.name)`, call, parse, encoded))
}

// credential is ask, where the page has something to say.
func (c *chromium) credential(call, parse string, options any) map[string]any {
	c.t.Helper()
	var credential map[string]any
	text := c.ask(call, parse, options)
	require.NoError(c.t, json.Unmarshal([]byte(text), &credential), text)
	return credential
}
