// Package restriction knows what the restrictions of an API key mean: which
// ones may be stored, and which calls they let through.
package restriction

import (
	"net/netip"
	"regexp"
	"strings"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

var (
	serviceName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	methodName  = regexp.MustCompile(`^[A-Za-z0-9_.]*\*?$`)
	packageName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+$`)
	bundleID    = regexp.MustCompile(`^[A-Za-z0-9.-]+$`)
	fingerprint = regexp.MustCompile(`^[0-9A-F]{40}$`)
)

// Normalize checks restrictions that a client sent and returns them as Google
// stores them: an empty client restriction is none, and SHA-1 fingerprints are
// upper case without colons. The error is INVALID_ARGUMENT. That a key has at
// most one kind of client restriction the message itself sees to.
func Normalize(r *apikeyspb.Restrictions) (*apikeyspb.Restrictions, error) {
	r = proto.CloneOf(r)
	if err := checkTargets(r.GetApiTargets()); err != nil {
		return nil, err
	}
	empty, err := checkClients(r)
	if err != nil {
		return nil, err
	}
	if empty && r != nil {
		r.ClientRestrictions = nil
	}
	if proto.Size(r) == 0 {
		return nil, nil
	}
	return r, nil
}

func checkTargets(targets []*apikeyspb.ApiTarget) error {
	for _, t := range targets {
		if !serviceName.MatchString(t.GetService()) {
			return invalid("restrictions.api_targets.service %q is not a service name such as translate.googleapis.com.", t.GetService())
		}
		for _, m := range t.GetMethods() {
			if m == "" || !methodName.MatchString(m) {
				return invalid("restrictions.api_targets.methods %q is not a method name; a wildcard (*) can only be its last symbol.", m)
			}
		}
	}
	return nil
}

// checkClients reports whether the client restriction, if any, names nobody.
func checkClients(r *apikeyspb.Restrictions) (empty bool, err error) {
	switch c := r.GetClientRestrictions().(type) {
	case *apikeyspb.Restrictions_ServerKeyRestrictions:
		ips := c.ServerKeyRestrictions.GetAllowedIps()
		return len(ips) == 0, each(ips, "server_key_restrictions.allowed_ips", func(s string) bool { return !prefix(s).IsValid() })
	case *apikeyspb.Restrictions_BrowserKeyRestrictions:
		referrers := c.BrowserKeyRestrictions.GetAllowedReferrers()
		return len(referrers) == 0, each(referrers, "browser_key_restrictions.allowed_referrers", func(s string) bool { return strings.TrimSpace(s) == "" })
	case *apikeyspb.Restrictions_IosKeyRestrictions:
		ids := c.IosKeyRestrictions.GetAllowedBundleIds()
		return len(ids) == 0, each(ids, "ios_key_restrictions.allowed_bundle_ids", func(s string) bool { return !bundleID.MatchString(s) })
	case *apikeyspb.Restrictions_AndroidKeyRestrictions:
		return checkAndroid(c.AndroidKeyRestrictions.GetAllowedApplications())
	}
	return true, nil
}

func checkAndroid(apps []*apikeyspb.AndroidApplication) (empty bool, err error) {
	for _, a := range apps {
		a.Sha1Fingerprint = plainFingerprint(a.GetSha1Fingerprint())
		if !packageName.MatchString(a.GetPackageName()) || !fingerprint.MatchString(a.GetSha1Fingerprint()) {
			return false, invalid("restrictions.android_key_restrictions.allowed_applications needs a package_name and a sha1_fingerprint of 40 hexadecimal digits.")
		}
	}
	return len(apps) == 0, nil
}

func each(values []string, field string, bad func(string) bool) error {
	for _, v := range values {
		if bad(v) {
			return invalid("restrictions.%s has the invalid value %q.", field, v)
		}
	}
	return nil
}

// prefix reads an address or a CIDR range; the zero Prefix when it is neither.
func prefix(s string) netip.Prefix {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, a.BitLen())
}

func plainFingerprint(s string) string { return strings.ToUpper(strings.ReplaceAll(s, ":", "")) }

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}
