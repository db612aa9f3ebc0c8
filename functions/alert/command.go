package alert

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/alertfile"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/yamlfile"
)

// Command is what a person asks of the alert function.
type Command struct {
	Verb     string `json:"command"`            // of one of the forms
	Incident string `json:"incident,omitempty"` // show, ack, resolve: its id, or what no other id begins with
	Silence  string `json:"silence,omitempty"`  // unsilence: its id
	By       string `json:"by,omitempty"`       // who does it
	Why      string `json:"why,omitempty"`      // resolve, silence, stop

	// Of silence: what is silenced, where empty is any, and for how long, such as 2h.
	Detector   string `json:"detector,omitempty"`
	Project    string `json:"project,omitempty"`
	Credential string `json:"credential,omitempty"`
	For        string `json:"for,omitempty"`
}

// form is what one verb needs, and what else belongs to it, besides by and why.
type form struct {
	verb  string
	needs []string
	takes []string
}

var forms = []form{
	{verb: "list"},
	{verb: "show", needs: []string{"incident"}},
	{verb: "ack", needs: []string{"incident"}},
	{verb: "resolve", needs: []string{"incident"}},
	{verb: "silence", needs: []string{"for", "why", "by"}, takes: selectors},
	{verb: "unsilence", needs: []string{"silence", "by"}},
	{verb: "stop", needs: []string{"why", "by"}},
	{verb: "start"},
	{verb: "test"},
}

// selectors say what is silenced.
var selectors = []string{"detector", "project", "credential"}

// longestSilence is how long anything may be silenced by a command, in days.
const longestSilence = 30

// Actions are what callers can be let do.
func Actions() []string {
	var all []string
	for _, f := range forms {
		all = append(all, f.verb)
	}
	return all
}

// Action is the verb of a command, and the incident or the silence.
func (c Command) Action() (verb, object string) { return c.Verb, cmp.Or(c.Incident, c.Silence) }

// AskedBy is the command with who asked for it, which is what the command says
// only where that is not known.
func (c Command) AskedBy(caller string) Command {
	c.By = cmp.Or(caller, c.By)
	return c
}

// Validate says what is wrong with a command.
func (c Command) Validate() error {
	i := slices.IndexFunc(forms, func(f form) bool { return f.verb == c.Verb })
	if i < 0 {
		return fmt.Errorf("command %.40q is none of %s", c.Verb, strings.Join(Actions(), ", "))
	}
	if err := c.fits(forms[i]); err != nil {
		return err
	}
	if c.Verb == "silence" {
		return c.silences()
	}
	return nil
}

// fits says what a command lacks, or has that does not belong to it.
func (c Command) fits(f form) error {
	var lacks []string
	for _, field := range []struct{ name, value string }{
		{"incident", c.Incident}, {"silence", c.Silence}, {"detector", c.Detector}, {"project", c.Project}, {"credential", c.Credential},
		{"for", c.For}, {"why", c.Why}, {"by", c.By},
	} {
		needed := slices.Contains(f.needs, field.name)
		switch {
		case len(field.value) > 1000:
			return fmt.Errorf("%s is longer than 1000 bytes", field.name)
		case needed && field.value == "":
			lacks = append(lacks, field.name)
		case field.value != "" && !needed && !slices.Contains(f.takes, field.name) && field.name != "why" && field.name != "by":
			return fmt.Errorf("%s does not belong to %s", field.name, f.verb)
		}
	}
	if len(f.takes) > 0 && c.Detector+c.Project+c.Credential == "" {
		lacks = append(lacks, "one of "+strings.Join(f.takes, ", "))
	}
	if len(lacks) > 0 {
		return fmt.Errorf("%s lacks %s", f.verb, strings.Join(lacks, ", and "))
	}
	return nil
}

// silences says what is wrong with what is silenced, and for how long.
func (c Command) silences() error {
	for _, s := range []struct {
		name, value string
		check       func(string) error
	}{
		{"detector", c.Detector, alertfile.CheckDetector}, {"project", c.Project, alertfile.CheckPattern}, {"credential", c.Credential, alertfile.CheckPattern},
	} {
		if s.value == "" {
			continue
		}
		if err := s.check(s.value); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if c.match().Everything() {
		return errors.New("this would silence everything: name the detector, the project or the credential that is to be silent, or what their names begin with")
	}
	_, err := c.duration()
	return err
}

// match is what a silence is about.
func (c Command) match() alerting.Match {
	return alerting.Match{Detectors: listOf(c.Detector), Projects: listOf(c.Project), Credentials: listOf(c.Credential)}
}

func listOf(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// duration is how long a silence lasts.
func (c Command) duration() (time.Duration, error) {
	d, err := yamlfile.Duration(c.For)
	if err != nil || d <= 0 || d > longestSilence*24*time.Hour {
		return 0, fmt.Errorf("for is %.40q: want how long to be silent, such as 2h or 1d, at most %d days", c.For, longestSilence)
	}
	return d, nil
}
