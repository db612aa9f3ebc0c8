package door

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
)

var known = []string{"look", "rotate", "status"}

func TestCallers(t *testing.T) {
	got, err := ParseCallers(" ada@example.com: * ;oncall@acme.iam.gserviceaccount.com:status  rotate", known)
	if want := (Callers{"ada@example.com": {"*"}, "oncall@acme.iam.gserviceaccount.com": {"status", "rotate"}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for who, actions := range map[string]string{"ada@example.com": "look rotate status", "oncall@acme.iam.gserviceaccount.com": "rotate status", "eve@example.com": "", "": ""} {
		if got.knows(who) != (actions != "") {
			t.Errorf("%s: %v", who, got.knows(who))
		}
		for _, action := range known {
			if got.may(who, action) != strings.Contains(actions, action) {
				t.Errorf("%s may %s: %v", who, action, got.may(who, action))
			}
		}
		if got.may(who, "") != (who == "ada@example.com") {
			t.Errorf("%s may do nothing in particular", who)
		}
	}
	for _, nobody := range []string{"", " "} {
		if got, err := ParseCallers(nobody, known); len(got) != 0 || err != nil || !got.may("eve@example.com", "look") {
			t.Errorf("%v, %v", got, err)
		}
	}
}

func TestCallersAreReadStrictly(t *testing.T) {
	got, err := ParseCallers("user:ada@example.com: *; bob@example.com; ; carl@example.com: look rotat *; dora@example.com: look look; carl@example.com: look; Eve@example.com: look; *: look; fred@example.com *", known)
	if err == nil || got != nil {
		t.Fatalf("%v, %v", got, err)
	}
	for _, want := range []string{
		"KEYTURN_CALLERS: ", `"user:ada@example.com: *": want EMAIL: ACTION`, "bob@example.com: without an action: give *, or some of look, rotate, status", `"": want EMAIL`,
		`carl@example.com: there is no action "rotat": there are *, look, rotate, status`, "carl@example.com: * is all", "dora@example.com: look stands there twice", "carl@example.com stands there twice",
		`"Eve@example.com: look": want`, `"*: look": want`, `"fred@example.com *": want`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %s: %v", want, err)
		}
	}
}

func FuzzParseCallers(f *testing.F) {
	f.Add("ada@example.com: *; bob@example.com: look status")
	f.Add("ada@example.com:;")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseCallers(text, known)
		if (got == nil) != (err != nil) {
			t.Errorf("%v, %v", got, err)
		}
		for who, actions := range got {
			if !strings.Contains(text, who) || !strings.Contains(who, "@") || len(actions) == 0 {
				t.Errorf("%q: %q", who, actions)
			}
		}
		if err == nil && len(got) == 0 && strings.TrimSpace(text) != "" {
			t.Errorf("%q is nobody, and so everybody", text)
		}
	})
}

func FuzzBearer(f *testing.F) {
	f.Add("Bearer a.b.c", "Bearer a.b.SIGNATURE_REMOVED_BY_GOOGLE")
	f.Add("", "bearer a.b.c")
	f.Add("Basic x", "Bearer a.b.c, Bearer d.e.f")
	f.Fuzz(func(t *testing.T, first, second string) {
		h := http.Header{}
		for i, value := range []string{first, second} {
			if value != "" {
				h[authorizations[i]] = []string{value}
			}
		}
		got, err := bearer(h)
		if (got == "") != (err != nil) {
			t.Fatalf("%q, %v", got, err)
		}
		if err == nil && (strings.Count(got, ".") != 2 || strings.ContainsAny(got, " ,;\"\n") || !strings.HasSuffix(first, got) && !strings.HasSuffix(second, got)) {
			t.Errorf("%q of %q and %q", got, first, second)
		}
	})
}
