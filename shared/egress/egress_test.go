package egress

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
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

func TestHosts(t *testing.T) {
	hosts, err := ParseHosts(" hooks.slack.com,*.example.com  10.0.0.1 ")
	if err != nil || !slices.Equal(hosts, Hosts{"hooks.slack.com", "*.example.com", "10.0.0.1"}) {
		t.Fatalf("%q, %v", hosts, err)
	}
	for host, want := range map[string]bool{
		"hooks.slack.com": true, "HOOKS.slack.com.": true, "a.example.com": true, "a.b.example.com": true, "10.0.0.1": true,
		"example.com": false, ".example.com": false, "slack.com": false, "evil-example.com": false, "hooks.slack.com.evil.example": false, "xhooks.slack.com": false, "": false, "10.0.0.10": false,
	} {
		if hosts.Allow(host) != want {
			t.Errorf("%q is allowed: %v", host, !want)
		}
	}
	if none, err := ParseHosts(""); none != nil || err != nil || !none.Allow("anything.example") {
		t.Errorf("of nothing said: %q, %v", none, err)
	}
	if _, err = ParseHosts("https://a.example * localhost A.example a.example:443 *.*.example"); err == nil || strings.Count(err.Error(), "KEYTURN_EGRESS has") != 6 {
		t.Errorf("error %v", err)
	}
}

// TestDialer connects to this machine, where it may, and nowhere else.
func TestDialer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for name, tt := range map[string]struct {
		dialer  Dialer
		address string
		want    error
	}{
		"allowed":                     {Dialer{AllowPrivate: true, Hosts: Hosts{"127.0.0.1"}}, "127.0.0.1:" + port, nil},
		"any host":                    {Dialer{AllowPrivate: true}, "localhost:" + port, nil},
		"another host":                {Dialer{AllowPrivate: true, Hosts: Hosts{"hooks.slack.com"}}, "127.0.0.1:" + port, ErrHost},
		"a name of this machine":      {Dialer{}, "localhost:" + port, ErrAddress},
		"allowed, but of no receiver": {Dialer{Hosts: Hosts{"127.0.0.1"}}, "127.0.0.1:" + port, ErrAddress},
		"a metadata server":           {Dialer{AllowPrivate: true}, "169.254.169.254:80", ErrAddress},
	} {
		conn, err := tt.dialer.DialContext(t.Context(), "tcp", tt.address)
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if conn != nil {
			conn.Close()
		}
	}
	if _, err := (Dialer{}).DialContext(t.Context(), "tcp", "nowhere"); err == nil {
		t.Error("an address without a port was dialled")
	}
}
