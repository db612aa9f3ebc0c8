package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// special are address blocks that are no place for a receiver, and that netip does
// not tell by itself (IANA's registries of special-purpose addresses).
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // shared by customers of one provider
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"), // relays of 6to4
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("2001::/23"), // Teredo's, among others, which hold an IPv4 address, which may be any
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), // 6to4's hold one, too
	netip.MustParsePrefix("3fff::/20"),
}

// global is all of IPv6 that IANA has given to the internet. Whatever is outside, such
// as the forms that hold an IPv4 address (::/96, ::ffff:0:0:0/96, 64:ff9b::/96), is no
// place for a receiver, either.
var global = netip.MustParsePrefix("2000::/3")

// metadata are servers that give tokens to whoever asks, besides the link-local ones.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd20:ce::254"),    // Google Cloud
	netip.MustParseAddr("fd00:ec2::254"),   // Amazon
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("168.63.129.16"),   // Azure
}

// ErrAddress means that a name resolves to an address that is not connected to.
var ErrAddress = errors.New("its address is none of a receiver on the internet")

// controlOf refuses addresses once a name is resolved, right before the connection:
// a name that resolves to something else later helps nobody.
func controlOf(allowPrivate bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("reading the address: %w", err)
		}
		if !reachable(to.Addr(), allowPrivate) {
			return fmt.Errorf("%w: private, link-local and metadata addresses are not connected to", ErrAddress)
		}
		return nil
	}
}

// reachable reports whether a receiver may be at an address.
func reachable(a netip.Addr, allowPrivate bool) bool {
	a = a.Unmap().WithZone("")
	switch {
	case slices.Contains(metadata, a):
		return false
	case a.IsLoopback() || a.IsPrivate():
		return allowPrivate
	}
	return a.IsGlobalUnicast() && (a.Is4() || global.Contains(a)) && !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}
