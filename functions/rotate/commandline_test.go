package rotate

import (
	"testing"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
)

// TestNextCommand has a dry run print what does it, all of it, and in the secret's own
// project.
func TestNextCommand(t *testing.T) {
	cloud, err := gcp.New(gcp.Config{Project: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	f := New(Config{Cloud: cloud, Now: time.Now})
	const here, there = "projects/acme/secrets/billing", "projects/other/secrets/billing"
	until := time.Date(2030, 1, 31, 9, 0, 0, 0, time.FixedZone("CET", 3600))
	after := 3
	for want, c := range map[string]event.Command{
		"keyturn rotate billing --why 'it'\\''s a drill; $(rm -rf ~)' --id 'X 1' --project other": {Verb: event.Rotate, Secret: there, Why: "it's a drill; $(rm -rf ~)", ID: "X 1", DryRun: true, By: "ada@acme.com", After: &after},
		"keyturn rollback billing --why broken --project acme":                                    {Verb: event.Rollback, Secret: here, Why: "broken", DryRun: true},
		"keyturn revoke billing --key k1 --kill-tokens --why leaked --project acme":               {Verb: event.Revoke, Secret: here, Key: "projects/acme/locations/global/keys/k1", KillTokens: true, Why: "leaked", DryRun: true},
		"keyturn pause billing --until 2030-01-31T08:00:00Z --why freeze --project acme":          {Verb: event.Pause, Secret: here, Why: "freeze", Until: until, DryRun: true},
		"keyturn release billing --leave --project acme":                                          {Verb: event.Release, Secret: here, Leave: true, DryRun: true},
		"keyturn resume projects/acme/locations/europe-west3/secrets/s --project acme":            {Verb: event.Resume, Secret: "projects/acme/locations/europe-west3/secrets/s", DryRun: true},
		"keyturn plan --project acme":                                                             {Verb: event.Plan, DryRun: true},
		"keyturn plan billing --project other":                                                    {Verb: event.Status, Secret: there},
		"keyturn resume billing --project other":                                                  {Verb: event.Pause, Secret: there, Why: "freeze"},
		"keyturn status billing --project acme":                                                   {Verb: event.Rotate, Secret: here, Why: "drill"},
		"keyturn status --project acme":                                                           {Verb: event.Release, Secret: here},
	} {
		if got := f.nextCommand(c); got != want {
			t.Errorf("%+v:\n%s, want\n%s", c, got, want)
		}
	}
}
