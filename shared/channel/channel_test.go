package channel

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/keyturn/shared/alertfile"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/notify"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/oauth2"
)

const canary = "CANARY7"

// vault holds secrets by the full name of their version.
type vault struct {
	mu    sync.Mutex
	holds map[string]string
	reads int
}

func (v *vault) secret(_ context.Context, version string) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.reads++
	payload, ok := v.holds[version]
	if !ok {
		return nil, fmt.Errorf("there is no %s", version)
	}
	return []byte(payload), nil
}

func (v *vault) put(version, payload string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.holds[version] = payload
}

func TestEachKindGetsItsSettings(t *testing.T) {
	v := &vault{holds: map[string]string{"projects/p/secrets/s/versions/1": " s3cret\n", "projects/p/secrets/url/versions/1": "https://hooks.example.com/x"}}
	const s, url = "projects/p/secrets/s/versions/1", "projects/p/secrets/url/versions/1"
	tokens := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "t"})
	for _, tt := range []struct {
		settings alertfile.Settings
		want     adapter
	}{
		{alertfile.Slack{Webhook: url}, &notify.Slack{ID: "c", URL: "https://hooks.example.com/x"}},
		{alertfile.Chat{Webhook: url}, &notify.GoogleChat{ID: "c", URL: "https://hooks.example.com/x"}},
		{alertfile.PagerDuty{RoutingKey: s}, &notify.PagerDuty{ID: "c", RoutingKey: "s3cret"}},
		{alertfile.PagerDuty{RoutingKey: s, Europe: true}, &notify.PagerDuty{ID: "c", RoutingKey: "s3cret", Europe: true}},
		{
			alertfile.Email{Host: "smtp.example.com", Port: 465, Implicit: true, From: "a@example.com", To: []string{"b@example.com"}, User: "u", Password: s},
			&notify.Mail{ID: "c", Host: "smtp.example.com", Port: 465, Implicit: true, From: "a@example.com", To: []string{"b@example.com"}, Username: "u", Password: "s3cret"},
		},
		{alertfile.Alertmanager{URL: "https://a.example.com", User: "u", Password: s}, &notify.Alertmanager{ID: "c", URL: "https://a.example.com", Username: "u", Password: "s3cret"}},
		{alertfile.Alertmanager{URL: "https://a.example.com", Token: s}, &notify.Alertmanager{ID: "c", URL: "https://a.example.com", Token: "s3cret"}},
		{alertfile.Webhook{URL: "https://w.example.com"}, &notify.Webhook{ID: "c", URL: "https://w.example.com"}},
		{alertfile.Webhook{SecretURL: url, Key: s}, &notify.Webhook{ID: "c", URL: "https://hooks.example.com/x", Secret: []byte("s3cret")}},
		{alertfile.SCC{Source: "organizations/1/sources/2"}, &notify.SecurityCommandCenter{ID: "c", Source: "organizations/1/sources/2", Tokens: tokens}},
		{alertfile.OCSF{URL: "https://o.example.com", Token: s}, &notify.OCSF{ID: "c", URL: "https://o.example.com", Token: "s3cret"}},
	} {
		c := New([]alertfile.Channel{{Name: "c", Settings: tt.settings}}, Config{Secret: v.secret, Tokens: tokens})[0]
		conn, old, err := c.connect(t.Context())
		if err != nil || old {
			t.Errorf("%s: %v, there before: %v", tt.settings.Kind(), err, old)
			continue
		}
		sameTokens := cmp.Comparer(func(a, b oauth2.TokenSource) bool { return a == b })
		if diff := cmp.Diff(tt.want, conn.adapter, cmpopts.IgnoreTypes(&notify.Client{}), sameTokens); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.settings.Kind(), diff)
		}
		if strings.Contains(fmt.Sprintf("%+v", conn.adapter), "Client:<nil>") {
			t.Errorf("%s calls with no client", tt.settings.Kind())
		}
	}
}

func TestChannelsOfNoKindAreRefused(t *testing.T) {
	c := New([]alertfile.Channel{{Name: "c"}}, Config{})[0]
	if err := c.Deliver(t.Context(), alerting.Alert{ID: "1"}); err == nil || !strings.Contains(err.Error(), "of no kind") {
		t.Errorf("error %v", err)
	}
}

const urlSecret = "projects/p/secrets/url/versions/latest"

// hook is a channel whose URL is a secret, and a receiver that answers with the code
// of its path.
type hook struct {
	*Channel
	vault    *vault
	receiver *httptest.Server
	now      time.Time

	mu      sync.Mutex
	took    []string // paths of what was taken
	revoked string   // path that is not there any more
}

func newHook(t *testing.T) *hook {
	h := &hook{now: time.Unix(1e9, 0), vault: &vault{holds: map[string]string{}}}
	h.receiver = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		code := http.StatusOK
		fmt.Sscanf(r.URL.Path, "/%d/", &code)
		if r.URL.Path == h.revoked {
			code = http.StatusNotFound
		}
		if code == http.StatusOK {
			h.took = append(h.took, r.URL.Path)
		}
		w.WriteHeader(code)
	}))
	t.Cleanup(h.receiver.Close)
	roots := x509.NewCertPool()
	roots.AddCert(h.receiver.Certificate())
	definition := alertfile.Channel{Name: "hook", Private: true, Settings: alertfile.Webhook{SecretURL: urlSecret}}
	h.Channel = New([]alertfile.Channel{definition}, Config{Secret: h.vault.secret, Roots: roots, Now: func() time.Time { return h.now }})[0]
	h.point("/200/" + canary)
	return h
}

// point has the secret hold another URL.
func (h *hook) point(path string) { h.vault.put(urlSecret, h.receiver.URL+path+"\n") }

// deliver sends an alert and returns whether it failed, and whether for good.
func (h *hook) deliver(t *testing.T) (failed, permanent bool) {
	t.Helper()
	err := h.Deliver(t.Context(), alerting.Alert{ID: "1"})
	if err != nil && strings.Contains(err.Error(), canary) {
		t.Errorf("the error tells the URL: %v", err)
	}
	f := (*notify.Failure)(nil)
	return err != nil, errors.As(err, &f) && f.Permanent
}

func (h *hook) read(t *testing.T, want int) {
	t.Helper()
	if h.vault.reads != want {
		t.Errorf("the secret was read %d times, want %d", h.vault.reads, want)
	}
}

func TestASecretIsReadWhenItIsNeededAndAgainAfterAnHour(t *testing.T) {
	h := newHook(t)
	if h.Name() != "hook" {
		t.Errorf("name %s", h.Name())
	}
	h.read(t, 0)
	for range 3 {
		if failed, _ := h.deliver(t); failed {
			t.Fatal("it was not delivered")
		}
	}
	h.read(t, 1)
	h.point("/200/new")
	h.now = h.now.Add(time.Hour)
	if failed, _ := h.deliver(t); failed || h.took[len(h.took)-1] != "/200/new" {
		t.Errorf("delivered to %q", h.took)
	}
	h.read(t, 2)
}

// A secret that was replaced costs one more attempt and no alert.
func TestASecretThatIsRefusedIsReadAgain(t *testing.T) {
	h := newHook(t)
	h.point("/404/" + canary)
	if failed, permanent := h.deliver(t); !failed || !permanent {
		t.Errorf("failed %v, for good %v, with a secret that was just read", failed, permanent)
	}
	h.point("/200/" + canary)
	if failed, _ := h.deliver(t); failed {
		t.Error("the secret was mended and is not gone by")
	}
	h.read(t, 2)
	h.point("/200/new")
	h.revoked = "/200/" + canary
	if failed, permanent := h.deliver(t); !failed || permanent {
		t.Errorf("failed %v, for good %v, with a secret that may have been replaced", failed, permanent)
	}
	if failed, _ := h.deliver(t); failed {
		t.Error("the secret was replaced and is not gone by")
	}
	h.read(t, 3)
}

func TestAFailureForNowReadsNothingAgain(t *testing.T) {
	h := newHook(t)
	h.point("/503/x")
	for range 2 {
		if failed, permanent := h.deliver(t); !failed || permanent {
			t.Errorf("failed %v, for good %v", failed, permanent)
		}
	}
	h.read(t, 1)
}

func TestSecretsThatCannotBeReadAreTriedAgain(t *testing.T) {
	h := newHook(t)
	delete(h.vault.holds, urlSecret)
	if failed, permanent := h.deliver(t); !failed || permanent {
		t.Errorf("failed %v, for good %v, without the secret", failed, permanent)
	}
	h.vault.put(urlSecret, " \n")
	if err := h.Deliver(t.Context(), alerting.Alert{ID: "1"}); err == nil || !strings.Contains(err.Error(), urlSecret+" is empty") {
		t.Errorf("error %v of an empty secret", err)
	}
	h.point("/200/x")
	if failed, _ := h.deliver(t); failed {
		t.Error("the secret is there and is not gone by")
	}
	h.read(t, 3)
}

// What needs no secret has none that might have been replaced.
func TestAChannelWithoutSecretsFailsForGood(t *testing.T) {
	h := newHook(t)
	c := New([]alertfile.Channel{{Name: "c", Private: true, Settings: alertfile.Webhook{URL: h.receiver.URL + "/200/x"}}}, h.Config)[0]
	if err := c.Deliver(t.Context(), alerting.Alert{ID: "1"}); err != nil {
		t.Fatal(err)
	}
	h.revoked = "/200/x"
	f := (*notify.Failure)(nil)
	if err := c.Deliver(t.Context(), alerting.Alert{ID: "2"}); !errors.As(err, &f) || !f.Permanent {
		t.Errorf("error %v", err)
	}
	h.read(t, 0)
}

// Only a channel that may calls this machine.
func TestPublicChannelsLeadToPublicAddresses(t *testing.T) {
	h := newHook(t)
	c := New([]alertfile.Channel{{Name: "c", Settings: alertfile.Webhook{SecretURL: urlSecret}}}, h.Config)[0]
	if err := c.Deliver(t.Context(), alerting.Alert{ID: "1"}); err == nil || len(h.took) > 0 {
		t.Errorf("error %v, taken %q", err, h.took)
	}
}

// Only whom a channel trusts vouches for its receiver, whoever the machine trusts.
func TestAChannelHasItsOwnRoots(t *testing.T) {
	h := newHook(t)
	stranger := x509.NewCertPool()
	stranger.AddCert(&x509.Certificate{Raw: []byte("another")})
	for _, tt := range []struct {
		machine, own *x509.CertPool
		private, ok  bool
	}{
		{stranger, h.Roots, true, true},
		{h.Roots, stranger, true, false},
		{stranger, nil, true, false},
		{stranger, h.Roots, false, false},
	} {
		c := New([]alertfile.Channel{{Name: "c", Private: tt.private, Roots: tt.own, Settings: alertfile.Webhook{URL: h.receiver.URL + "/200/x"}}}, Config{Roots: tt.machine})[0]
		if err := c.Deliver(t.Context(), alerting.Alert{ID: "1"}); (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

func TestManyDeliveriesShareOneConnection(t *testing.T) {
	h := newHook(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { h.deliver(t) })
	}
	all.Wait()
	h.read(t, 1)
	if len(h.took) != 20 {
		t.Errorf("%d of 20 were taken", len(h.took))
	}
}
