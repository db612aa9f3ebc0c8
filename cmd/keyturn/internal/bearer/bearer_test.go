package bearer

import (
	"net/url"
	"testing"
)

func TestAudience(t *testing.T) {
	for raw, want := range map[string]string{
		"https://keyturn-alert-http-abc.a.run.app/":                         "https://keyturn-alert-http-abc.a.run.app",
		"https://keyturn-alert-http-abc.a.run.app/x":                        "https://keyturn-alert-http-abc.a.run.app",
		"https://europe-west3-acme.cloudfunctions.net/keyturn-alert-http":   "https://europe-west3-acme.cloudfunctions.net/keyturn-alert-http",
		"https://europe-west3-acme.cloudfunctions.net/keyturn-alert-http/":  "https://europe-west3-acme.cloudfunctions.net/keyturn-alert-http",
		"https://cloudfunctions.net.example.com/keyturn-alert-http-abc.app": "https://cloudfunctions.net.example.com",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := Audience(u); got != want {
			t.Errorf("audience of %s is %s, want %s", raw, got, want)
		}
	}
}
