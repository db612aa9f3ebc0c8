package detect

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
)

// Subject is who made the call, as detectors name it: the principal's e-mail, or
// else its subject, or else the full name of its key; where the entry tells none of
// them, or only with letters left out, the place that the call came from and, but
// for tokens, what it aimed at. Who a stranger is may turn out later, from other
// entries: see package detect.
func (e *Entry) Subject() string {
	if name := e.identity(); name != "" {
		return name
	}
	return e.stranger()
}

// identity is who made the call, as far as the entry says; "" if it does not, or
// only with letters left out.
func (e *Entry) identity() string {
	if e.Principal != "" && (e.Code == 0 || !masked(e.Principal)) {
		return e.Principal
	}
	return cmp.Or(e.PrincipalSubject, e.KeyName)
}

// masked reports whether Google left letters out, as in ri...e@gm...m.
func masked(principal string) bool { return strings.Contains(principal, "...") }

// Subjects that are a place rather than somebody. No caller's name begins like them.
const (
	strangerSubject = "\x04" // an address, a user agent and an aim
	addressSubject  = "\x05" // an address and an aim, whatever the user agent
)

// stranger reports whether the subject is a place, and address whether it is an
// address with whatever user agents.
func (s *subject) stranger() bool { return isPlace(s.name) }
func (s *subject) address() bool  { return strings.HasPrefix(s.name, addressSubject) }

func isPlace(name string) bool {
	return strings.HasPrefix(name, strangerSubject) || strings.HasPrefix(name, addressSubject)
}

// place and address are the subjects that an entry without identity counts for.
func (e *Entry) place() string   { return strangerSubject + e.stranger() }
func (e *Entry) address() string { return addressSubject + e.aiming(e.home()) }

// stranger names the caller of an entry without identity: by the place that the
// call came from, and what it aimed at.
func (e *Entry) stranger() string {
	return e.aiming(strings.TrimSpace(e.Principal + " " + e.home() + " " + e.UserAgent))
}

// aiming adds to a place what the call aimed at, so that strangers are never taken
// for one; but for tokens, which are asked for of one account after another.
func (e *Entry) aiming(from string) string {
	if isMinting(e) && e.located() {
		return from
	}
	return from + " on " + cmp.Or(e.Account, e.Project, e.Resource)
}

// homeBits are those of an IPv6 address that a caller does not choose: it can call
// from ever new addresses of the network that these name.
const homeBits = 64

// home is where the call came from, as far as its caller does not choose it: an IPv4
// address, the network of an IPv6 address, or what Google has instead.
func (e *Entry) home() string {
	if ip, ok := ipv6(e.CallerIP); ok {
		network, _ := ip.Prefix(homeBits) // an address has that many
		return network.String()
	}
	return e.CallerIP
}

// ipv6 parses an IPv6 address; ok is false for anything else.
func ipv6(address string) (ip netip.Addr, ok bool) {
	if strings.IndexByte(address, ':') < 0 {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(address)
	ip = ip.Unmap().WithZone("")
	return ip, err == nil && ip.Is6()
}

// nameOf returns a name of at most maxSubject bytes that is still the only one.
func nameOf(name string) string {
	if len(name) <= maxSubject {
		return name
	}
	return fmt.Sprintf("%s…%016x", cut(strings.ToValidUTF8(name, "?"), maxSubject-32), hash(name))
}

// located reports whether the entry says where on earth the call came from:
// Google replaces addresses inside by these words.
func (e *Entry) located() bool {
	return e.CallerIP != "" && e.CallerIP != "private" && e.CallerIP != "gce-internal-ip"
}
