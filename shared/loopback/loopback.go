// Package loopback tells this machine from others, where what is not encrypted, or
// not authenticated, may go to this machine alone.
package loopback

import "net/netip"

// Host reports whether a host, as a URL names it, is this machine by its very name:
// localhost, or a loopback address. What other names resolve to is not asked.
func Host(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
