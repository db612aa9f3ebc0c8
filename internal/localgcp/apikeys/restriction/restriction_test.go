package restriction

import (
	"testing"

	pb "cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
)

const hexFingerprint = "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"

func servers(ips ...string) *pb.Restrictions {
	return &pb.Restrictions{ClientRestrictions: &pb.Restrictions_ServerKeyRestrictions{ServerKeyRestrictions: &pb.ServerKeyRestrictions{AllowedIps: ips}}}
}

func browsers(referrers ...string) *pb.Restrictions {
	return &pb.Restrictions{ClientRestrictions: &pb.Restrictions_BrowserKeyRestrictions{BrowserKeyRestrictions: &pb.BrowserKeyRestrictions{AllowedReferrers: referrers}}}
}

func ios(bundles ...string) *pb.Restrictions {
	return &pb.Restrictions{ClientRestrictions: &pb.Restrictions_IosKeyRestrictions{IosKeyRestrictions: &pb.IosKeyRestrictions{AllowedBundleIds: bundles}}}
}

func android(apps ...*pb.AndroidApplication) *pb.Restrictions {
	return &pb.Restrictions{ClientRestrictions: &pb.Restrictions_AndroidKeyRestrictions{AndroidKeyRestrictions: &pb.AndroidKeyRestrictions{AllowedApplications: apps}}}
}

func app(name, sha1 string) *pb.AndroidApplication {
	return &pb.AndroidApplication{PackageName: name, Sha1Fingerprint: sha1}
}

func target(service string, methods ...string) *pb.Restrictions {
	return &pb.Restrictions{ApiTargets: []*pb.ApiTarget{{Service: service, Methods: methods}}}
}

func TestNormalize(t *testing.T) {
	for _, c := range []struct{ sent, want *pb.Restrictions }{
		{nil, nil},
		{&pb.Restrictions{}, nil},
		{servers(), nil},
		{browsers(), nil},
		{ios(), nil},
		{android(), nil},
		{servers("10.0.0.0/8", "2001:db8::1"), servers("10.0.0.0/8", "2001:db8::1")},
		{browsers("*.example.com/*"), browsers("*.example.com/*")},
		{ios("com.example.app"), ios("com.example.app")},
		{target("translate.googleapis.com", "Get*", "google.cloud.translate.v2.TranslateService.GetSupportedLanguage"),
			target("translate.googleapis.com", "Get*", "google.cloud.translate.v2.TranslateService.GetSupportedLanguage")},
		{android(app("com.example.app", "da:39:a3:ee:5e:6b:4b:0d:32:55:bf:ef:95:60:18:90:af:d8:07:09")), android(app("com.example.app", hexFingerprint))},
	} {
		got, err := Normalize(c.sent)
		if err != nil {
			t.Errorf("%v: %v", c.sent, err)
		}
		if diff := cmp.Diff(c.want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%v: %s", c.sent, diff)
		}
	}
}

func TestNormalizeRefuses(t *testing.T) {
	for _, bad := range []*pb.Restrictions{
		target(""), target("not a name"), target("a.example.com", ""), target("a.example.com", "*Get"),
		servers("10.0.0.300"), servers("10.0.0.0/33"), browsers(" "), ios("a b"),
		android(app("com", hexFingerprint)), android(app("com.example", "DA39")),
	} {
		if got, err := Normalize(bad); status.Code(err) != codes.InvalidArgument || got != nil {
			t.Errorf("%v: %v, %v", bad, got, err)
		}
	}
}

func TestCheck(t *testing.T) {
	list := Call{Service: "generativelanguage.googleapis.com", Method: "google.ai.generativelanguage.v1beta.ModelService.ListModels"}
	from := func(edit func(*Call)) Call { c := list; edit(&c); return c }
	ip := func(s string) Call { return from(func(c *Call) { c.IP = s }) }
	referrer := func(s string) Call { return from(func(c *Call) { c.Referrer = s }) }
	for _, c := range []struct {
		r    *pb.Restrictions
		call Call
		want string // reason
	}{
		{nil, list, ""},
		{target("generativelanguage.googleapis.com"), list, ""},
		{target("GenerativeLanguage.googleapis.com", "listmodels"), list, ""},
		{target("generativelanguage.googleapis.com", "List*"), list, ""},
		{target("generativelanguage.googleapis.com", "generativelanguage.googleapis.com.List*"), list, ""},
		{target("generativelanguage.googleapis.com", list.Method), list, ""},
		{target("generativelanguage.googleapis.com", "GetModel"), list, "API_KEY_SERVICE_BLOCKED"},
		{target("translate.googleapis.com"), list, "API_KEY_SERVICE_BLOCKED"},
		{servers("10.0.0.0/8"), ip("10.1.2.3"), ""},
		{servers("10.1.2.3"), ip("::ffff:10.1.2.3"), ""},
		{servers("2001:db8::/32"), ip("2001:db8::1"), ""},
		{servers("192.0.2.1"), ip("10.1.2.3"), "API_KEY_IP_ADDRESS_BLOCKED"},
		{servers("192.0.2.1"), ip(""), "API_KEY_IP_ADDRESS_BLOCKED"},
		{browsers("example.com"), referrer("https://example.com/any/page"), ""},
		{browsers("https://*.example.com/*"), referrer("https://www.example.com/"), ""},
		{browsers("https://example.com/shop/*"), referrer("https://example.com/shop/1"), ""},
		{browsers("https://example.com/shop/*"), referrer("https://example.com/admin"), "API_KEY_HTTP_REFERRER_BLOCKED"},
		{browsers("https://example.com"), referrer("http://example.com/"), "API_KEY_HTTP_REFERRER_BLOCKED"},
		{browsers("*.example.com/*"), referrer("https://evil.test/x.example.com/"), "API_KEY_HTTP_REFERRER_BLOCKED"},
		{browsers("example.com"), list, "API_KEY_HTTP_REFERRER_BLOCKED"},
		{ios("com.example.app"), from(func(c *Call) { c.IOSBundle = "com.example.app" }), ""},
		{ios("com.example.app"), list, "API_KEY_IOS_APP_BLOCKED"},
		{android(app("com.example.app", hexFingerprint)), from(func(c *Call) { c.AndroidPackage, c.AndroidCert = "com.example.app", hexFingerprint }), ""},
		{android(app("com.example.app", hexFingerprint)), from(func(c *Call) { c.AndroidPackage, c.AndroidCert = "com.example.app", "00" }), "API_KEY_ANDROID_APP_BLOCKED"},
		{android(app("com.example.app", hexFingerprint)), list, "API_KEY_ANDROID_APP_BLOCKED"},
	} {
		got := ""
		if b := Check(c.r, c.call); b != nil {
			got = b.Reason
		}
		if got != c.want {
			t.Errorf("%v for %+v: %q, want %q", c.r, c.call, got, c.want)
		}
	}
	if b := Check(ios("x"), list); b.Message != "Requests from this iOS client application <empty> are blocked." {
		t.Errorf("message %q", b.Message)
	}
}

func FuzzReferrer(f *testing.F) {
	f.Add("*.example.com/*", "https://www.example.com/")
	f.Add("(", "https://(/")
	f.Add("\x83", "https://x/")
	f.Fuzz(func(t *testing.T, allowed, referrer string) {
		if allowsReferrer([]string{allowed}, referrer) && referrer == "" {
			t.Errorf("%q lets a caller without a referrer in", allowed)
		}
	})
}
