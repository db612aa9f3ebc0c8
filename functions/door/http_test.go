package door

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/keyturn/shared/identity"
	"golang.org/x/time/rate"
)

// command is what the function of these tests takes.
type command struct {
	Verb string `json:"command"`
	Of   string `json:"of,omitempty"`
	Who  string `json:"by,omitempty"`
}

func (c command) Action() (verb, object string) { return c.Verb, c.Of }

func (c command) AskedBy(caller string) command {
	if caller != "" {
		c.Who = caller
	}
	return c
}

func (c command) Validate() error {
	if c.Of == "nothing" {
		return errors.New("of is nothing")
	}
	return nil
}

var form = Form{Limit: 200, Example: `{"command":"look"}`}

// believer believes tokens of the form NAME.x.y, for everybody but eve.
type believer struct{ unsigned bool }

func (b believer) Email(_ context.Context, token string) (string, error) {
	name, _, _ := strings.Cut(token, ".")
	if name == "eve" || !b.unsigned && !identity.Signed(token) {
		return "", identity.ErrSignature
	}
	return name + "@example.com", nil
}

// bench is a door with a function behind it, served as the framework serves it.
type bench struct {
	*testing.T
	door *HTTP
	form Form
	url  string

	mu    sync.Mutex
	log   bytes.Buffer
	asked []command // what reached the function
}

func (b *bench) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(line)
}

func (b *bench) logged() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.String()
}

func (b *bench) do(_ context.Context, c command) (int, any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, c)
	return http.StatusAccepted, c
}

var callers = Callers{"ada@example.com": {"*"}, "bob@example.com": {"look"}}

func newBench(t *testing.T, c Config) *bench {
	t.Helper()
	b := &bench{T: t, form: form}
	c.Log = slog.New(slog.NewTextHandler(b, nil))
	b.door = NewHTTP(c)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { ServeJSON(b.door, w, r, b.form, b.do) }))
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// reply is an answer, as far as it must be the same for every stranger.
type reply struct {
	code         int
	header, body string
	close        bool
}

func (b *bench) send(r *http.Request) reply {
	b.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	resp.Header.Del("Date")
	var header strings.Builder
	if err := resp.Header.Write(&header); err != nil {
		b.Fatal(err)
	}
	return reply{resp.StatusCode, header.String(), string(body), resp.Close}
}

func (b *bench) request(method, body string, header http.Header) *http.Request {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, b.url, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	r.Header = header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if r.Header["Content-Type"] == nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

func (b *bench) ask(method, body string, header http.Header) reply {
	b.Helper()
	return b.send(b.request(method, body, header))
}

// token is a header with the token of somebody.
func token(name string) http.Header { return http.Header{"Authorization": {"Bearer " + name + ".x.y"}} }

func with(h http.Header, name string, values ...string) http.Header {
	h[name] = values
	return h
}

// refusal is what every stranger gets, byte by byte.
var refusal = reply{403, "Cache-Control: no-store\r\nContent-Length: 53\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n", `{"error":"not allowed; the function's log says why"}` + "\n", true}

const look = `{"command":"look"}`

func TestStrangersAllGetTheSame(t *testing.T) {
	b := newBench(t, Config{Verifier: believer{}, Callers: callers})
	removed := ".x." + identity.RemovedSignature
	for name, tt := range map[string]struct {
		method, body string
		header       http.Header
		log          string
	}{
		"no token":              {"POST", look, nil, errNoToken.Error()},
		"no token, no command":  {"POST", "nonsense", nil, errNoToken.Error()},
		"no token, no JSON":     {"POST", look, http.Header{"Content-Type": {"text/plain"}}, errNoToken.Error()},
		"no token, large":       {"POST", strings.Repeat("x", 1<<20), nil, errNoToken.Error()},
		"GET":                   {"GET", "", nil, errNoToken.Error()},
		"DELETE":                {"DELETE", "", nil, errNoToken.Error()},
		"not believed":          {"POST", look, token("eve"), "not Google's"},
		"not believed, GET":     {"GET", "", token("eve"), "not Google's"},
		"not named":             {"POST", look, token("carl"), "by=carl@example.com"},
		"an action not his":     {"POST", `{"command":"revoke","of":"x"}`, token("bob"), "by=bob@example.com"},
		"not his, and wrong":    {"POST", `{"command":"revoke","of":"nothing"}`, token("bob"), errNotHis.Error()},
		"no verb":               {"POST", `{}`, token("bob"), errNotHis.Error()},
		"basic":                 {"POST", look, http.Header{"Authorization": {"Basic YWRhOmFkYQ=="}}, errNoBearer.Error()},
		"empty":                 {"POST", look, http.Header{"Authorization": {""}}, errNoBearer.Error()},
		"garbage":               {"POST", look, http.Header{"Authorization": {"Bearer \x80"}}, errNoBearer.Error()},
		"two headers":           {"POST", look, http.Header{"Authorization": {"Bearer ada.x.y", "Bearer ada.x.y"}}, errNoBearer.Error()},
		"two in one":            {"POST", look, http.Header{"Authorization": {"Bearer ada.x.y, Bearer eve.x.y"}}, errNoBearer.Error()},
		"the other header":      {"POST", look, http.Header{"X-Serverless-Authorization": {"Bearer eve.x.y"}}, "not Google's"},
		"two others":            {"POST", look, with(token("ada"), "X-Serverless-Authorization", "Bearer ada.x.y", "Bearer ada.x.y"), errNoBearer.Error()},
		"two of two":            {"POST", look, with(token("bob"), "X-Serverless-Authorization", "Bearer ada.x.y"), errTwoTokens.Error()},
		"his own, another's":    {"POST", look, http.Header{"Authorization": {"Bearer ada" + removed}, "X-Serverless-Authorization": {"Bearer carl" + removed}}, errTwoTokens.Error()},
		"unsigned":              {"POST", look, http.Header{"Authorization": {"Bearer ada" + removed}}, "not Google's"},
		"unsigned, both":        {"POST", look, http.Header{"Authorization": {"Bearer ada" + removed}, "X-Serverless-Authorization": {"Bearer ada" + removed}}, "not Google's"},
		"a page":                {"POST", look, with(token("ada"), "Origin", "https://evil.example"), errBrowser.Error()},
		"a page of this origin": {"POST", look, with(token("ada"), "Origin", b.url), errBrowser.Error()},
		"a page of nowhere":     {"POST", look, with(token("ada"), "Origin", "null"), errBrowser.Error()},
		"a link in a page":      {"GET", "", with(token("ada"), "Sec-Fetch-Site", "cross-site"), errBrowser.Error()},
		"a page asks first":     {"OPTIONS", "", http.Header{"Origin": {"https://evil.example"}, "Access-Control-Request-Method": {"POST"}}, errBrowser.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(b.logged())
			b.door.told.SetLimit(rate.Inf)
			if got := b.ask(tt.method, tt.body, tt.header); got != refusal {
				t.Errorf("answer %+v", got)
			}
			if log := b.logged()[before:]; !strings.Contains(log, tt.log) || strings.Contains(log, ".x.") {
				t.Errorf("log %q, want %q and no token", log, tt.log)
			}
		})
	}
	if len(b.asked) != 0 {
		t.Errorf("the function was asked %+v", b.asked)
	}
	head := b.ask("HEAD", "", nil)
	if head.body = refusal.body; head != refusal {
		t.Errorf("HEAD: %+v", head)
	}
}

func TestDoorsThatLetNobodyIn(t *testing.T) {
	for name, tt := range map[string]struct {
		config Config
		want   string
	}{
		"nobody says who": {Config{Verifier: believer{}}, errUnchecked.Error()},
		"nobody verifies": {Config{Open: true}, errNobody.Error()},
		"neither":         {Config{Callers: callers}, errNobody.Error()},
	} {
		b := newBench(t, tt.config)
		if got := b.ask("POST", look, token("ada")); got != refusal || !strings.Contains(b.logged(), tt.want) {
			t.Errorf("%s: %+v, log %s", name, got, b.logged())
		}
	}
	b := newBench(t, Config{})
	b.door = nil
	if got := b.ask("POST", look, token("ada")); got != refusal {
		t.Errorf("no door: %+v", got)
	}
}

func TestWhoIsLetIn(t *testing.T) {
	signed, removed := "Bearer ada.x.y", "Bearer ada.x."+identity.RemovedSignature
	for name, tt := range map[string]struct {
		config Config
		header http.Header
		who    string
	}{
		"for anything":         {Config{Verifier: believer{}, Callers: callers}, token("ada"), "ada@example.com"},
		"for this":             {Config{Verifier: believer{}, Callers: callers}, token("bob"), "bob@example.com"},
		"lower case":           {Config{Verifier: believer{}, Callers: callers}, http.Header{"Authorization": {"bearer bob.x.y"}}, "bob@example.com"},
		"whom the platform":    {Config{Verifier: believer{}, Checked: true}, token("carl"), "carl@example.com"},
		"checked":              {Config{Verifier: believer{true}, Checked: true}, http.Header{"Authorization": {removed}}, "ada@example.com"},
		"checked by the other": {Config{Verifier: believer{}, Callers: callers}, http.Header{"Authorization": {signed}, "X-Serverless-Authorization": {removed}}, "ada@example.com"},
		"checked by this":      {Config{Verifier: believer{}, Callers: callers}, http.Header{"Authorization": {removed}, "X-Serverless-Authorization": {signed}}, "ada@example.com"},
		"only the other":       {Config{Verifier: believer{}, Callers: callers}, http.Header{"X-Serverless-Authorization": {signed}}, "ada@example.com"},
		"this machine":         {Config{Verifier: believer{}, Open: true}, nil, "who said so"},
		"known on it":          {Config{Verifier: believer{}, Open: true}, token("ada"), "ada@example.com"},
		"charset":              {Config{Verifier: believer{}, Open: true}, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, "who said so"},
	} {
		b := newBench(t, tt.config)
		got := b.ask("POST", `{"command":"look","of":"it","by":"who said so"}`, tt.header)
		if want := `{"command":"look","of":"it","by":"` + tt.who + `"}` + "\n"; got.code != http.StatusAccepted || got.body != want {
			t.Errorf("%s: %+v, want %s", name, got, want)
		}
		if log := b.logged(); !strings.Contains(log, "command=look object=it by=") {
			t.Errorf("%s: log %s", name, log)
		}
	}
	b := newBench(t, Config{Verifier: believer{}, Open: true})
	if got := b.ask("POST", look, token("eve")); got != refusal {
		t.Errorf("a wrong token on this machine: %+v", got)
	}
	b = newBench(t, Config{Verifier: believer{}, Open: true, Callers: callers})
	if got := b.ask("POST", look, nil); got != refusal {
		t.Errorf("no token on this machine, with callers: %+v", got)
	}
}

func TestKnownCallersAreToldWhatIsWrong(t *testing.T) {
	b := newBench(t, Config{Verifier: believer{}, Callers: callers})
	for name, tt := range map[string]struct {
		method, body string
		header       http.Header
		code         int
		want         string
	}{
		"GET":           {"GET", "", nil, 405, "POST"},
		"empty":         {"POST", "", nil, 400, `{\"command\":\"look\"}`},
		"unknown field": {"POST", `{"commnd":"x"}`, nil, 400, "commnd"},
		"twice":         {"POST", `{"command":"look","command":"revoke"}`, nil, 400, "duplicate"},
		"another case":  {"POST", `{"Command":"look"}`, nil, 400, `unknown field \"Command\"`},
		"no UTF-8":      {"POST", "{\"command\":\"look\xff\"}", nil, 400, "UTF-8"},
		"a number":      {"POST", `{"command":1}`, nil, 400, `field \"command\" must not be a JSON number`},
		"two objects":   {"POST", `{}{}`, nil, 400, "one JSON object"},
		"too large":     {"POST", `{"command":"` + strings.Repeat("x", 200) + `"}`, nil, 400, "larger than 200 bytes"},
		"not valid":     {"POST", `{"command":"look","of":"nothing"}`, nil, 400, "of is nothing"},
		"a form":        {"POST", look, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, 415, "application/json"},
		"text":          {"POST", look, http.Header{"Content-Type": {"text/plain"}}, 415, "application/json"},
		"no type":       {"POST", look, http.Header{"Content-Type": {}}, 415, "application/json"},
		"two types":     {"POST", look, http.Header{"Content-Type": {"application/json", "application/json"}}, 415, "application/json"},
		"no type's":     {"POST", look, http.Header{"Content-Type": {"application/json;;"}}, 415, "application/json"},
		"UTF-16":        {"POST", look, http.Header{"Content-Type": {"application/json; charset=utf-16"}}, 415, "application/json"},
		"compressed":    {"POST", look, http.Header{"Content-Encoding": {"gzip"}}, 415, "not compressed"},
	} {
		r := b.request(tt.method, tt.body, tt.header)
		r.Header.Set("Authorization", "Bearer bob.x.y")
		got := b.send(r)
		if got.code != tt.code || !strings.Contains(got.body, tt.want) || (tt.code == 405) != strings.Contains(got.header, "Allow: POST") {
			t.Errorf("%s: %+v, want %d and %s", name, got, tt.code, tt.want)
		}
	}
	if len(b.asked) != 0 {
		t.Errorf("the function was asked %+v", b.asked)
	}
}

// TestSlowBodies has nobody wait for what never comes.
func TestSlowBodies(t *testing.T) {
	b := newBench(t, Config{Verifier: believer{}, Callers: callers})
	b.door.patience = 50 * time.Millisecond
	for name, tt := range map[string]struct {
		header http.Header
		code   int
	}{
		"a stranger": {nil, 403}, "no JSON": {with(token("bob"), "Content-Type", "text/plain"), 415}, "known": {token("bob"), 400},
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			body, write := io.Pipe()
			defer write.Close()
			go func() { _, _ = io.WriteString(write, `{"comm`) }()
			r := b.request("POST", "", tt.header)
			r.Body, r.ContentLength = body, 100
			if got := b.send(r); got.code != tt.code || tt.code == 403 && got != refusal {
				t.Errorf("answer %+v", got)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("answered after %v", took)
			}
		})
	}
}

// TestLongAnswersOutliveTheBodysTime, which ends with the body.
func TestLongAnswersOutliveTheBodysTime(t *testing.T) {
	d := NewHTTP(Config{Verifier: believer{}, Callers: callers})
	d.patience = 20 * time.Millisecond
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ServeJSON(d, w, r, form, func(ctx context.Context, _ command) (int, any) {
			select {
			case <-ctx.Done():
				return http.StatusTeapot, nil
			case <-time.After(10 * d.patience):
				return http.StatusOK, nil
			}
		})
	}))
	defer server.Close()
	b := &bench{T: t, door: d, url: server.URL}
	if got := b.ask("POST", look, token("bob")); got.code != http.StatusOK {
		t.Errorf("%+v", got)
	}
}

// TestTheLogIsNotFlooded by strangers, and says how many it leaves out.
func TestTheLogIsNotFlooded(t *testing.T) {
	b := newBench(t, Config{Verifier: believer{}, Callers: callers})
	b.door.told.SetLimit(0)
	for range 100 {
		b.ask("POST", look, nil)
	}
	if n := strings.Count(b.logged(), "a caller was refused"); n != 20 {
		t.Errorf("%d lines, want the first 20", n)
	}
	b.door.told.SetBurst(1000)
	b.door.told.SetLimit(1e9)
	b.ask("POST", look, nil)
	if !strings.Contains(b.logged(), "unlogged=80") {
		t.Error("nothing says how many there were")
	}
}

// TestAPublicServiceIsNoticed by a token that Cloud Run has not touched.
func TestAPublicServiceIsNoticed(t *testing.T) {
	removed := http.Header{"Authorization": {"Bearer ada.x." + identity.RemovedSignature}}
	for name, tt := range map[string]struct {
		checked bool
		header  http.Header
		want    bool
	}{
		"untouched":   {true, token("ada"), true},
		"touched":     {true, removed, false},
		"both":        {true, with(token("ada"), serverless, "Bearer ada.x."+identity.RemovedSignature), false},
		"nobody does": {false, token("ada"), false},
		"a stranger":  {true, token("eve"), false},
	} {
		b := newBench(t, Config{Verifier: believer{unsigned: true}, Callers: callers, Checked: tt.checked})
		b.ask("POST", look, tt.header)
		if strings.Contains(b.logged(), "it seems that everybody may call") != tt.want {
			t.Errorf("%s: log %s", name, b.logged())
		}
	}
}

// TestWhatIsLoggedOfAnActionIsShort, however long the caller makes it.
func TestWhatIsLoggedOfAnActionIsShort(t *testing.T) {
	b := newBench(t, Config{Verifier: believer{}, Callers: callers})
	long := strings.Repeat("x", 1000)
	b.form.Limit = 10_000
	b.ask("POST", `{"command":"`+long+`","of":"`+long+`"}`, token("bob"))
	if log := b.logged(); len(log) > 700 || !strings.Contains(log, "a command was refused") {
		t.Errorf("log %s", log)
	}
}

// untouched is a body that nobody may read.
type untouched struct{ *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.Error("the body was read")
	return 0, io.EOF
}

// FuzzStrangers has whatever stands in a header be refused alike.
func FuzzStrangers(f *testing.F) {
	f.Add("POST", "Bearer eve.x.y", "", "application/json", "")
	f.Add("GET", "", "Bearer eve.x."+identity.RemovedSignature, "", "https://evil.example")
	f.Add("OPTIONS", "Basic x", "Bearer ,", "text/plain;;", "null")
	d := NewHTTP(Config{Verifier: believer{}, Callers: Callers{"ada@example.com": {"*"}}})
	f.Fuzz(func(t *testing.T, method, authorization, other, kind, origin string) {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/", untouched{t})
		r.Method = method
		r.Header = http.Header{"Content-Type": {kind}, "Content-Encoding": {kind}}
		for name, value := range map[string]string{"Authorization": authorization, serverless: other, "Origin": origin} {
			if value != "" {
				r.Header[name] = []string{strings.ReplaceAll(value, "ada.", "eve.")}
			}
		}
		if token, err := bearer(r.Header); err == nil && strings.HasPrefix(token, "ada.") {
			t.Skip()
		}
		w := httptest.NewRecorder()
		ServeJSON(d, w, r, form, func(context.Context, command) (int, any) {
			t.Error("the function was asked")
			return http.StatusOK, nil
		})
		if w.Code != refusal.code || w.Body.String() != refusal.body || len(w.Header()) != 4 || w.Header().Get("Connection") != "close" {
			t.Errorf("answer %d %v %s", w.Code, w.Header(), w.Body)
		}
	})
}
