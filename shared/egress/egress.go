// Package egress says where keyturn connects to, and keeps it from going elsewhere:
// to hosts that are not allowed, and to addresses that are none of the internet.
package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/lazyregexp"
)

// Hosts are those that somebody else than Google may be reached at, by name: "*." at the
// beginning stands for whatever is below. Nil is all.
type Hosts []string

// ErrHost means that a host is not allowed.
var ErrHost = errors.New("its host is not allowed")

var hostName = lazyregexp.New(`^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)+$`)

// ParseHosts reads hosts, separated by spaces or commas, and reports all that is wrong
// with them at once.
func ParseHosts(text string) (Hosts, error) {
	var hosts Hosts
	var problems []error
	for _, host := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
		if hostName.MatchString(host) {
			hosts = append(hosts, host)
		} else {
			problems = append(problems, fmt.Errorf("KEYTURN_EGRESS has %.80q: want names of hosts in lower case, such as hooks.slack.com, or *.example.com for all below example.com, separated by spaces", host))
		}
	}
	return hosts, errors.Join(problems...)
}

// Allow reports whether a host may be connected to.
func (h Hosts) Allow(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return h == nil || slices.ContainsFunc(h, func(allowed string) bool {
		below, wild := strings.CutPrefix(allowed, "*")
		return host == allowed || wild && strings.HasSuffix(host, below) && len(host) > len(below)
	})
}

// Dialer connects to hosts that are allowed, at addresses that are. The address is
// looked at once the name is resolved, right before the connection.
type Dialer struct {
	Timeout      time.Duration // of one connection; zero is none
	Hosts        Hosts         // nil is all
	AllowPrivate bool          // private and loopback addresses, too
}

// DialContext connects to "host:port".
func (d Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("reading where to connect to: %w", err)
	}
	if !d.Hosts.Allow(host) {
		return nil, fmt.Errorf("%w: KEYTURN_EGRESS, which says where keyturn may go, does not name %.80q", ErrHost, host)
	}
	plain := net.Dialer{Timeout: d.Timeout, Control: controlOf(d.AllowPrivate)}
	return plain.DialContext(ctx, network, address)
}
