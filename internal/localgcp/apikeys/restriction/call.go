package restriction

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
)

// Call is what an API sees of a call that presents a key.
type Call struct {
	Service string // such as generativelanguage.googleapis.com
	Method  string // full name of the RPC, such as google.ai.generativelanguage.v1beta.ModelService.ListModels

	IP             string // of the caller
	Referrer       string // the Referer header
	AndroidPackage string // the X-Android-Package header
	AndroidCert    string // the X-Android-Cert header: the SHA-1 of the app's certificate
	IOSBundle      string // the X-Ios-Bundle-Identifier header
}

// Block says why a key does not let a call through.
type Block struct {
	Reason   string            // of Google's ErrorInfo, such as API_KEY_IP_ADDRESS_BLOCKED
	Message  string            // Google's text
	Metadata map[string]string // of the ErrorInfo, beside consumer and service
}

// Check returns why the restrictions block the call; nil when they let it
// through. Client restrictions are looked at before API targets.
func Check(r *apikeyspb.Restrictions, c Call) *Block {
	if b := checkClient(r, c); b != nil {
		return b
	}
	if len(r.GetApiTargets()) == 0 {
		return nil
	}
	for _, t := range r.GetApiTargets() {
		if strings.EqualFold(t.GetService(), c.Service) && allowsMethod(t.GetMethods(), c) {
			return nil
		}
	}
	return &Block{
		Reason:   "API_KEY_SERVICE_BLOCKED",
		Message:  "Requests to this API " + c.Service + " method " + c.Method + " are blocked.",
		Metadata: map[string]string{"apiName": c.Service, "methodName": c.Method},
	}
}

func checkClient(r *apikeyspb.Restrictions, c Call) *Block {
	switch k := r.GetClientRestrictions().(type) {
	case *apikeyspb.Restrictions_ServerKeyRestrictions:
		if allowsIP(k.ServerKeyRestrictions.GetAllowedIps(), c.IP) {
			return nil
		}
		return &Block{"API_KEY_IP_ADDRESS_BLOCKED",
			"The provided API key has an IP address restriction. The originating IP address of the call (" + c.IP + ") violates this restriction.",
			map[string]string{"callerIp": c.IP}}
	case *apikeyspb.Restrictions_BrowserKeyRestrictions:
		if allowsReferrer(k.BrowserKeyRestrictions.GetAllowedReferrers(), c.Referrer) {
			return nil
		}
		return &Block{"API_KEY_HTTP_REFERRER_BLOCKED", "Requests from referer " + orEmpty(c.Referrer) + " are blocked.",
			map[string]string{"httpReferrer": orEmpty(c.Referrer)}}
	case *apikeyspb.Restrictions_AndroidKeyRestrictions:
		if allowsAndroid(k.AndroidKeyRestrictions.GetAllowedApplications(), c) {
			return nil
		}
		return &Block{"API_KEY_ANDROID_APP_BLOCKED", "Requests from this Android client application " + orEmpty(c.AndroidPackage) + " are blocked.",
			map[string]string{"androidPackage": orEmpty(c.AndroidPackage)}}
	case *apikeyspb.Restrictions_IosKeyRestrictions:
		if slices.Contains(k.IosKeyRestrictions.GetAllowedBundleIds(), c.IOSBundle) {
			return nil
		}
		return &Block{"API_KEY_IOS_APP_BLOCKED", "Requests from this iOS client application " + orEmpty(c.IOSBundle) + " are blocked.",
			map[string]string{"iosBundleId": orEmpty(c.IOSBundle)}}
	}
	return nil
}

// allowsMethod takes a method by its full name, by its last part, or with the
// service's name before it, and a wildcard at the end; case does not matter.
func allowsMethod(methods []string, c Call) bool {
	short := c.Method[strings.LastIndex(c.Method, ".")+1:]
	for _, m := range methods {
		for _, name := range []string{c.Method, short, c.Service + "." + short} {
			if matchesPrefix(strings.ToLower(m), strings.ToLower(name)) {
				return true
			}
		}
	}
	return len(methods) == 0
}

func matchesPrefix(pattern, name string) bool {
	if head, wild := strings.CutSuffix(pattern, "*"); wild {
		return strings.HasPrefix(name, head)
	}
	return pattern == name
}

func allowsIP(allowed []string, ip string) bool {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return false
	}
	for _, a := range allowed {
		if prefix(a).Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}

// allowsReferrer compares as the console documents it: * stands for anything,
// a missing scheme for any, and a missing path for the whole site.
func allowsReferrer(allowed []string, referrer string) bool {
	for _, a := range allowed {
		if referrer != "" && referrerPattern(a).MatchString(referrer) {
			return true
		}
	}
	return false
}

func referrerPattern(allowed string) *regexp.Regexp {
	allowed = strings.ToValidUTF8(allowed, "\uFFFD") // regexp takes nothing else
	scheme, rest, found := strings.Cut(allowed, "://")
	if !found {
		scheme, rest = "*", allowed
	}
	host, path, hasPath := strings.Cut(rest, "/")
	if !hasPath {
		path = "*"
	}
	expression := `(?is)^` + glob(scheme, `[^/]*`) + `://` + glob(host, `[^/]*`) + `(/` + glob(path, `.*`) + `)?$`
	return regexp.MustCompile(expression)
}

// glob quotes all but the asterisks, which become the expression star.
func glob(s, star string) string { return strings.ReplaceAll(regexp.QuoteMeta(s), `\*`, star) }

func allowsAndroid(apps []*apikeyspb.AndroidApplication, c Call) bool {
	for _, a := range apps {
		if a.GetPackageName() == c.AndroidPackage && a.GetSha1Fingerprint() == plainFingerprint(c.AndroidCert) {
			return true
		}
	}
	return false
}

// orEmpty is how Google names a client that did not say who it is.
func orEmpty(s string) string {
	if s == "" {
		return "<empty>"
	}
	return s
}
