package main

import "testing"

// TestMember is as gcloud wants it of a grant that somebody pastes.
func TestMember(t *testing.T) {
	for who, want := range map[string]string{
		"":                                    "MEMBER",
		"ada@example.com":                     "user:ada@example.com",
		"bot@acme.iam.gserviceaccount.com":    "serviceAccount:bot@acme.iam.gserviceaccount.com",
		"acme@appspot.gserviceaccount.com":    "serviceAccount:acme@appspot.gserviceaccount.com",
		"ada@gserviceaccount.com.example.com": "user:ada@gserviceaccount.com.example.com",
	} {
		if got := member(who); got != want {
			t.Errorf("%q is %q, want %q", who, got, want)
		}
	}
}
