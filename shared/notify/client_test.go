package notify

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/keyturn/shared/alerting"
)

func TestReachable(t *testing.T) {
	for _, c := range []struct {
		address         string
		public, private bool // whether it is reachable without and with private addresses
	}{
		{"142.250.74.106", true, true}, {"2a00:1450:4001:812::200a", true, true}, {"199.36.153.8", true, true}, {"::ffff:142.250.74.106", true, true}, {"2620:4f:8000::1", true, true},
		{"10.0.0.1", false, true}, {"172.16.3.4", false, true}, {"192.168.1.1", false, true}, {"fd12::1", false, true},
		{"127.0.0.1", false, true}, {"::1", false, true}, {"::ffff:127.0.0.1", false, true}, {"::ffff:10.0.0.1", false, true},
		{"169.254.169.254", false, false}, {"::ffff:169.254.169.254", false, false}, {"fe80::1%eth0", false, false}, {"fd20:ce::254", false, false}, {"fd00:ec2::254", false, false},
		{"100.64.0.1", false, false}, {"100.100.100.200", false, false}, {"168.63.129.16", false, false},
		{"0.0.0.0", false, false}, {"::", false, false}, {"224.0.0.1", false, false}, {"ff02::1", false, false}, {"255.255.255.255", false, false}, {"240.0.0.1", false, false},
		{"192.0.2.1", false, false}, {"198.18.0.1", false, false}, {"198.51.100.1", false, false}, {"203.0.113.1", false, false}, {"192.0.0.8", false, false}, {"0.1.2.3", false, false},
		{"64:ff9b::a9fe:a9fe", false, false}, {"64:ff9b:1::a9fe:a9fe", false, false}, {"2002:a9fe:a9fe::1", false, false}, {"2001:0:a9fe:a9fe::1", false, false}, {"::a9fe:a9fe", false, false},
		{"::ffff:0:127.0.0.1", false, false}, {"::ffff:0:10.0.0.1", false, false}, {"192.88.99.1", false, false}, {"100:0:0:1::1", false, false}, {"3fff::1", false, false}, {"4000::1", false, false}, {"::2", false, false},
		{"2001:db8::1", false, false}, {"100::1", false, false}, {"5f00::1", false, false}, {"fec0::1", false, false},
	} {
		a := netip.MustParseAddr(c.address)
		if reachable(a, false) != c.public || reachable(a, true) != c.private {
			t.Errorf("%s: reachable %v, with private ones %v", c.address, reachable(a, false), reachable(a, true))
		}
	}
	if err := controlOf(true)("unix", "/run/socket", nil); err == nil {
		t.Error("a socket that is no address was let through")
	}
}

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
