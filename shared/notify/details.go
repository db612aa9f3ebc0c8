package notify

import (
	"maps"
	"slices"
	"strings"

	"example.com/keyturn/shared/lazyregexp"
)

// details are a message's parts by name, for receivers that show or keep them as
// they are. Of parts of one name the first is told.
func details(m message) map[string]string {
	d := map[string]string{"state": m.State, "severity": m.Severity, "what": m.Sentence}
	for _, f := range append(named(
		fact{"why", m.Why}, fact{"now", m.Progress}, fact{"next", m.Next}, fact{"gcloud", m.Call}, fact{"acknowledge", m.Ack},
		fact{"runbook", m.Runbook}, fact{"runbook_url", m.Page}, fact{"technique", m.Technique}, fact{"technique_url", m.Attack}, fact{"logs", m.Logs},
	), m.Facts...) {
		if _, told := d[f.Name]; !told {
			d[f.Name] = f.Value
		}
	}
	return d
}

var notOfAName = lazyregexp.New(`[^a-z0-9]+`)

// annotations are details, named as Alertmanager and Security Command Center demand,
// with the summary and the description that templates of receivers expect.
func annotations(m message) map[string]string {
	named := map[string]string{"summary": m.Title, "description": m.Sentence}
	d := details(m)
	for _, told := range slices.Sorted(maps.Keys(d)) {
		name, value := told, d[told]
		if name = strings.Trim(notOfAName.ReplaceAllString(strings.ToLower(name), "_"), "_"); name == "" || name[0] <= '9' {
			name = "field_" + name
		}
		if named[name] == "" {
			named[name] = value
		}
	}
	return named
}
