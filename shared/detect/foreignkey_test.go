package detect

import (
	"strings"
	"testing"
	"time"
)

func TestAPIKeysMadePastTheRotator(t *testing.T) {
	const name, kept = "projects/123456789/locations/global/keys/", "0000-kept"
	l := managed()
	l.Secrets = append(l.Secrets, LedgerSecret{Name: "projects/p/secrets/maps", Target: "//apikeys.googleapis.com/projects/p/locations/global/keys/" + kept})
	l.Keys = append(l.Keys, LedgerKey{ID: "projects/p/locations/global/keys/" + kept, Secret: "projects/p/secrets/maps", State: "active", Given: start})
	for title, c := range map[string]struct {
		maker, id, project string
		severity           Severity // "" is that nothing is found
		advice             string
	}{
		"by a person":                     {"eve@example.com", "0000-new", "p", High, "gcloud services api-keys delete 0000-new --project=p"},
		"under a name that is no command": {"eve@example.com", "$(rm)", "p", High, "have the key deleted by whoever may"},
		"with keyturn's own account":      {rotator, "0000-new", "p", Critical, "gcloud services api-keys delete 0000-new"},
		"by keyturn":                      {rotator, kept, "p", "", ""},
		"in a project without any":        {"eve@example.com", "0000-new", "q", Info, "nothing, if its maker may make keys"},
		"by keyturn in such a one":        {rotator, "0000-new", "q", "", ""},
	} {
		e := making(c.maker, "apikeys.googleapis.com", "google.api.apikeys.v2.ApiKeys.CreateKey", name+c.id, "", rotated+time.Hour)
		e.Project = c.project
		found := known(l, []Entry{e})
		if c.severity == "" {
			if len(found) != 0 {
				t.Errorf("%s: found %+v", title, found)
			}
			continue
		}
		if len(found) != 1 || found[0].Detector != ForeignKey || found[0].Severity != c.severity || !strings.Contains(found[0].Advice, c.advice) || found[0].Credential != "" {
			t.Errorf("%s: found %+v", title, found)
		}
	}
}
