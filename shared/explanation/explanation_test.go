package explanation

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"example.com/keyturn/shared/detect"
)

func TestOf(t *testing.T) {
	finding, err := json.Marshal(detect.Finding{ID: "f1", Detector: detect.StolenOldKey, Reason: "used from \x1b[2Jelsewhere", Advice: "rm -rf"})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]Explanation{
		" 403 PERMISSION_DENIED\n": {Kind: Error, About: "PERMISSION_DENIED", Means: "may not", Next: "keyturn doctor"},
		"Invalid JWT Signature.":   {Kind: Error, About: "Invalid JWT Signature", Means: "no enabled key", Next: "wait", Retry: true},
		"stolen-old-key":           {Kind: Finding, About: detect.StolenOldKey, Means: "stolen copy", Next: "Revoke the key"},
		"rotation-straggler":       {Kind: Finding, About: "rotation-straggler", Means: "The overlap is over", Next: "Find the consumer"},
		string(finding):            {Kind: Finding, About: detect.StolenOldKey, Means: "stolen copy", Seen: `used from \x1b[2Jelsewhere`, Next: "Revoke the key"},
		`{"id":"f2","detector":"mine","reason":"5 calls","advice":"ask Bob"}`: {Kind: Finding, About: "mine", Means: "a rule of your own", Seen: "5 calls", Next: "ask Bob"},
	} {
		got, err := Of(text)
		if err != nil || got.Kind != want.Kind || got.About != want.About || got.Seen != want.Seen || got.Retry != want.Retry ||
			!strings.Contains(got.Means, want.Means) || !strings.Contains(got.Next, want.Next) {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestWhatIsNotRecognised(t *testing.T) {
	for _, text := range []string{"", "billing-key", "{}", `{"id":"f"}`, "good morning"} {
		if e, err := Of(text); !errors.Is(err, ErrUnknown) || e != (Explanation{}) {
			t.Errorf("%q: %+v, %v", text, e, err)
		}
	}
}

func FuzzOf(f *testing.F) {
	f.Add(`{"id":"f2","detector":"mine","reason":"5 calls"}`)
	f.Add("HTTP 403")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Of(text)
		if (err == nil) != (e.About != "") || len(e.Seen) > 2*maxShown || strings.ContainsAny(e.About+e.Means+e.Seen+e.Next, "\x1b\u202e\n") {
			t.Errorf("%+v, %v", e, err)
		}
	})
}
