package rotation

import (
	"testing"
	"time"
)

func TestConcerns(t *testing.T) {
	young := key("k1", "1", Active, time.Hour)
	expiring := young
	expiring.Expires = t0.Add(5 * time.Hour)
	for name, tt := range map[string]struct {
		j    Journal
		want string
	}{
		"all is well":           {retiring(holding(young), key("k0", "0", Overlapping, time.Hour)), ""},
		"nothing yet":           {Journal{}, ""},
		"due a moment ago":      {holding(key("k1", "1", Active, 73*time.Hour)), ""},
		"due long ago":          {holding(key("k1", "1", Active, 80*time.Hour)), RotationOverdue},
		"staged for a day":      {incoming(holding(young), Key{Phase: Staged, Since: t0.Add(-25 * time.Hour)}), RotationStuck},
		"staged for an hour":    {incoming(holding(young), Key{Phase: Staged, Since: t0.Add(-time.Hour)}), ""},
		"expires too soon":      {holding(expiring), KeyExpires},
		"should be disabled":    {retiring(holding(young), key("k0", "0", Overlapping, 31*time.Hour)), RetirementStuck},
		"should be deleted":     {retiring(holding(young), key("k0", "0", Quarantined, 49*time.Hour)), RetirementStuck},
		"held":                  {retiring(holding(young), seen(key("k0", "0", Overlapping, 31*time.Hour), Used, 0)), ""},
		"held beyond the limit": {retiring(holding(young), seen(key("k0", "0", Overlapping, 80*time.Hour), Unknown, 0)), KeyHeld},
	} {
		got := ""
		for _, c := range Concerns(t0, watching, tt.j) {
			got += c.Kind
			if c.Reason == "" || !c.Since.Before(t0) {
				t.Errorf("%s: %+v", name, c)
			}
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
