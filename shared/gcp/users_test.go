package gcp

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/cloud/audit"
	"google.golang.org/genproto/googleapis/rpc/context/attribute_context"
)

// audited is an audit entry's payload of a call with a key.
func audited(key, principal, ip, agent string) *audit.AuditLog {
	return &audit.AuditLog{
		AuthenticationInfo: &audit.AuthenticationInfo{PrincipalEmail: principal, ServiceAccountKeyName: "//iam.googleapis.com/" + someAccount + "/keys/" + key},
		RequestMetadata:    &audit.RequestMetadata{CallerIp: ip, CallerSuppliedUserAgent: agent, RequestAttributes: &attribute_context.AttributeContext_Request{}},
	}
}

func TestAccountKeyUsers(t *testing.T) {
	w := newWorld(t, 0)
	start := w.clock.Now()
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	w.entry(activity, "too old", at(-1), audited("k", "robot@x", "10.0.0.9", ""))
	w.entry(activity, "first", at(0), audited("k", "robot@x", "10.0.0.1", "gcloud"))
	w.entry("cloudaudit.googleapis.com%2Fdata_access", "again", at(2), audited("k", "robot@x", "10.0.0.1", "gcloud"))
	w.entry(activity, "other agent", at(1), audited("k", "robot@x", "10.0.0.1", "terraform"))
	w.entry(activity, "other key", at(3), audited("k2", "robot@x", "10.0.0.2", "gcloud"))
	federated := audited("k", "", "private", "")
	federated.AuthenticationInfo.PrincipalSubject = "principal://x"
	w.entry(activity, "federated", at(4), federated)
	w.clock.Advance(time.Hour)
	got, err := w.AccountKeyUsers(t.Context(), someAccount, "k", start)
	must(t, err)
	want := []User{
		{"principal://x", "private", "", 1, at(4)},
		{"robot@x", "10.0.0.1", "gcloud", 2, at(2)},
		{"robot@x", "10.0.0.1", "terraform", 1, at(1)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	if got, err := w.AccountKeyUsers(t.Context(), someAccount, `k" OR "`, start); err != nil || len(got) > 0 {
		t.Errorf("users of no key: %v, %v", got, err)
	}
}

// TestManyUsers has more entries than are read, of more users than are told.
func TestManyUsers(t *testing.T) {
	w := newWorld(t, 0)
	start := w.clock.Now()
	for n := range maxUsages + 50 {
		w.entry(activity, fmt.Sprint(n), start.Add(time.Duration(n)*time.Second), audited("k", "robot@x", fmt.Sprintf("10.0.0.%d", n%(maxUsers+1)), ""))
	}
	w.clock.Advance(time.Hour)
	got, err := w.AccountKeyUsers(t.Context(), someAccount, "k", start)
	must(t, err)
	told := 0
	for i, u := range got {
		told += u.Count
		if i > 0 && u.Last.After(got[i-1].Last) {
			t.Errorf("%v comes after %v", u, got[i-1])
		}
	}
	if len(got) != maxUsers || told > maxUsages || told < maxUsages*maxUsers/(maxUsers+1)-1 || !got[0].Last.Equal(start.Add((maxUsages+49)*time.Second)) {
		t.Errorf("%d users of %d entries, the last %v", len(got), told, got[0].Last)
	}
}

func TestUsersOfAnAccountElsewhere(t *testing.T) {
	cloud := newCloud(t, "127.0.0.1:1")
	if got := cloud.logsAbout(someAccount); len(got) != 1 || got[0] != "projects/acme" {
		t.Errorf("logs %q", got)
	}
	if got := cloud.logsAbout("projects/other/serviceAccounts/e"); len(got) != 2 || got[1] != "projects/other" {
		t.Errorf("logs %q", got)
	}
}

// TestHostileUser chooses what he is called.
func TestHostileUser(t *testing.T) {
	long := strings.Repeat("ü", 10*maxUserField)
	var call usage
	call.ProtoPayload.AuthenticationInfo.PrincipalEmail = "a\x1b[31m\nb\u202e"
	call.ProtoPayload.RequestMetadata.CallerIP, call.ProtoPayload.RequestMetadata.CallerSuppliedUserAgent = "\xff1", long
	u := userOf(call)
	if u.Principal != "a[31mb" || u.UserAgent != long[:2*maxUserField] || !utf8.ValidString(u.CallerIP) {
		t.Errorf("user %+v", u)
	}
}

func TestEntryThatNamesNobody(t *testing.T) {
	for name, entry := range map[string]string{
		"no payload":      `{}`,
		"another payload": `{"protoPayload":{"@type":"type.googleapis.com/google.logging.v2.LogEntry","authenticationInfo":{"principalEmail":"robot@x"}}}`,
		"text":            `{"textPayload":"` + canary + `"}`,
		"garbage":         `{"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","requestMetadata":7}}`,
		"no entry":        `[]`,
	} {
		if got := count(nil, []byte(entry)); got != nil {
			t.Errorf("%s: users %v", name, got)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	for _, text := range []string{"", "curl/8.0", "\x1b[2J", "\xff", "\u202e", strings.Repeat("長", 300)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := printable(text)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > maxUserField || printable(got) != got {
			t.Errorf("%q became %q", text, got)
		}
	})
}
