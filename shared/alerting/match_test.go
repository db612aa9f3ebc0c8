package alerting

import "testing"

func TestEverything(t *testing.T) {
	for name, tt := range map[string]struct {
		match Match
		want  bool
	}{
		"nothing given":           {Match{}, true},
		"no severity that is not": {Match{Severity: Warning}, true},
		"a severity":              {Match{Severity: High}, false},
		"both rules":              {Match{Rules: []string{RuleRotation, RuleFinding}}, true},
		"a rule":                  {Match{Rules: []string{RuleRotation}}, false},
		"any detector":            {Match{Detectors: []string{"token-minting", "*"}}, true},
		"some detectors":          {Match{Detectors: []string{"token-*"}}, false},
		"any project":             {Match{Projects: []string{"*"}}, true},
		"a project":               {Match{Projects: []string{"acme"}, Credentials: []string{"*"}}, false},
		"any credential":          {Match{Credentials: []string{"*"}}, true},
		"a credential":            {Match{Credentials: []string{"c"}}, false},
		"no labels":               {Match{Labels: map[string]string{}}, true},
		"a label":                 {Match{Labels: map[string]string{"team": "pay"}}, false},
		"a schedule":              {Match{Schedule: &Schedule{}}, false},
		"outside of a schedule":   {Match{Outside: &Schedule{}}, false},
	} {
		if got := tt.match.Everything(); got != tt.want {
			t.Errorf("%s: everything is %v, want %v", name, got, tt.want)
		}
	}
}
