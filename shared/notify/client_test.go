package notify

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/keyturn/shared/alerting"
)

// counting counts the connections that a server gets.
func counting(server *httptest.Server) *atomic.Int32 {
	n := new(atomic.Int32)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			n.Add(1)
		}
	}
	return n
}

// TestPrivateAddressesAreNotConnectedTo: neither as they are nor under a name that
// resolves to one, and not a single packet is spent.
func TestPrivateAddressesAreNotConnectedTo(t *testing.T) {
	server := httptest.NewUnstartedServer(new(receiver))
	connections := counting(server)
	server.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	for _, host := range []string{"127.0.0.1", "localhost"} {
		for _, p := range posters("https://"+host+":"+port, NewClient(Egress{Roots: roots})) {
			if f := checkError(t, p.Deliver(t.Context(), stolenKey(alerting.Open)), "private, link-local and metadata addresses are not connected to"); f.Permanent {
				t.Errorf("%s: a name that resolves elsewhere tomorrow is a failure for ever", p.Name())
			}
		}
	}
	m := &Mail{Host: "localhost", From: "a@b.example", To: []string{"c@d.example"}, Client: NewClient(Egress{})}
	checkError(t, m.Deliver(t.Context(), stolenKey(alerting.Open)), "not connected to")
	server.Close()
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestPlainHTTPNeedsMoreThanALoopbackAddress(t *testing.T) {
	url := serve(t, new(receiver))
	w := &Webhook{URL: url, Client: NewClient(Egress{})}
	if f := checkError(t, w.Deliver(t.Context(), stolenKey(alerting.Open)), "is not https"); !f.Permanent {
		t.Error("it is tried again")
	}
	w = &Webhook{URL: "http://10.1.2.3/", Client: neighbours()}
	checkError(t, w.Deliver(t.Context(), stolenKey(alerting.Open)), "is not https")
	w = &Webhook{URL: strings.Replace(url, "127.0.0.1", "localhost", 1), Client: neighbours()}
	if err := w.Deliver(t.Context(), stolenKey(alerting.Open)); err != nil {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	for name, c := range map[string]struct {
		config  *tls.Config
		trusted bool
		want    string
	}{
		"1.3":        {&tls.Config{MinVersion: tls.VersionTLS13}, true, ""},
		"1.2":        {&tls.Config{MaxVersion: tls.VersionTLS12}, true, ""},
		"1.1":        {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, true, "protocol version"},
		"no trust":   {&tls.Config{}, false, "certificate"},
		"plain http": {nil, true, "HTTP response to HTTPS client"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(new(receiver))
			server.Config.ErrorLog = log.New(io.Discard, "", 0) // that a handshake failed is wanted
			roots := x509.NewCertPool()
			if c.config != nil {
				server.TLS = c.config
				server.StartTLS()
				if c.trusted {
					roots.AddCert(server.Certificate())
				}
			} else {
				server.Start()
			}
			defer server.Close()
			w := &Webhook{URL: "https://" + server.Listener.Addr().String() + secretPath, Client: NewClient(Egress{AllowPrivate: true, Roots: roots})}
			err := w.Deliver(t.Context(), stolenKey(alerting.Open))
			if c.want == "" && err != nil {
				t.Error(err)
			} else if c.want != "" {
				checkError(t, err, c.want)
			}
		})
	}
}

func TestProxiesAreNotAsked(t *testing.T) {
	proxy := new(receiver)
	t.Setenv("HTTPS_PROXY", serve(t, proxy))
	t.Setenv("HTTP_PROXY", serve(t, proxy))
	w := &Webhook{URL: "https://receiver.invalid/", Client: neighbours()}
	checkError(t, w.Deliver(t.Context(), stolenKey(alerting.Open)), "receiver.invalid")
	if proxy.got() != 0 {
		t.Error("the proxy was asked")
	}
}

// TestConnectionsAreUsedAgain: a storm is not one handshake for each alert.
func TestConnectionsAreUsedAgain(t *testing.T) {
	r := new(receiver)
	server := httptest.NewUnstartedServer(r)
	connections := counting(server)
	server.Start()
	w := &Webhook{URL: server.URL, Client: neighbours()}
	for range 5 {
		if err := w.Deliver(t.Context(), stolenKey(alerting.Open)); err != nil {
			t.Fatal(err)
		}
	}
	w.Client.http.CloseIdleConnections()
	server.Close()
	if n := connections.Load(); n != 1 || r.got() != 5 {
		t.Errorf("%d connections for %d requests", n, r.got())
	}
}
