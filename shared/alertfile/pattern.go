package alertfile

import (
	"fmt"
	"slices"
	"strings"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/yamlfile"
)

// CheckPattern says what is wrong with a name that may end with "*", as a match
// takes it.
func CheckPattern(text string) error {
	switch {
	case strings.TrimSpace(text) != text || text == "":
		return fmt.Errorf("%.80q is empty, or has spaces around it", text)
	case strings.Contains(strings.TrimSuffix(text, "*"), "*"):
		return fmt.Errorf("%.80q: a * stands only at the end, for whatever follows", text)
	}
	return nil
}

// CheckDetector is CheckPattern for the name of a detector: there has to be one.
func CheckDetector(text string) error {
	if err := CheckPattern(text); err != nil {
		return err
	}
	known := detectors()
	prefix, wild := strings.CutSuffix(text, "*")
	switch {
	case !wild && !slices.Contains(known, text):
		return fmt.Errorf("there is no %.80q%s; docs/alerts.md lists them", text, yamlfile.Meant(text, known))
	case wild && !slices.ContainsFunc(known, func(name string) bool { return strings.HasPrefix(name, prefix) }):
		return fmt.Errorf("no name begins with %.80q; docs/alerts.md lists them", prefix)
	}
	return nil
}

// detectors are the names that notices have for what brought them about.
func detectors() []string {
	var names []string
	for _, d := range detect.Detectors() {
		names = append(names, d.Name)
	}
	for _, m := range event.Milestones {
		names = append(names, event.MilestonePrefix+string(m))
	}
	return names
}
