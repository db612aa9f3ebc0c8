package door

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/keyturn/shared/lazyregexp"
)

// Callers are the actions that each caller may ask for, by e-mail address.
type Callers map[string][]string

// anything is the action that stands for all.
const anything = "*"

var email = lazyregexp.New(`^[a-z0-9.!#$%&'*+/=?^_{|}~-]+@[a-z0-9-]+(\.[a-z0-9-]+)+$`)

// ParseCallers reads who may do what, such as
//
//	ada@example.com: *; oncall@acme.iam.gserviceaccount.com: status rotate
//
// and reports all that is wrong at once. known are the actions that there are.
// Empty text is nobody.
func ParseCallers(text string, known []string) (Callers, error) {
	callers := Callers{}
	if strings.TrimSpace(text) == "" {
		return callers, nil
	}
	var problems []error
	for entry := range strings.SplitSeq(text, ";") {
		who, actions, _ := strings.Cut(entry, ":")
		who = strings.TrimSpace(who)
		if !email.MatchString(who) {
			problems = append(problems, fmt.Errorf("%.80q: want EMAIL: ACTION ACTION, with the address of a person or a service account in lower case and nothing before it", strings.TrimSpace(entry)))
			continue
		}
		if callers[who] != nil {
			problems = append(problems, fmt.Errorf("%s stands there twice", who))
		}
		callers[who] = strings.Fields(actions)
		problems = append(problems, checkActions(who, callers[who], known))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("KEYTURN_CALLERS: %w", err)
	}
	return callers, nil
}

func checkActions(who string, actions, known []string) error {
	var problems []error
	for i, action := range actions {
		switch {
		case slices.Contains(actions[:i], action):
			problems = append(problems, fmt.Errorf("%s: %s stands there twice", who, action))
		case action == anything && len(actions) > 1:
			problems = append(problems, fmt.Errorf("%s: * is all actions already", who))
		case action != anything && !slices.Contains(known, action):
			problems = append(problems, fmt.Errorf("%s: there is no action %.40q: there are *, %s", who, action, strings.Join(known, ", ")))
		}
	}
	if len(actions) == 0 {
		problems = append(problems, fmt.Errorf("%s: without an action: give *, or some of %s", who, strings.Join(known, ", ")))
	}
	return errors.Join(problems...)
}

// knows reports whether somebody may ask for anything at all.
func (c Callers) knows(who string) bool { return len(c) == 0 || c[who] != nil }

// may reports whether somebody may ask for an action.
func (c Callers) may(who, action string) bool {
	return len(c) == 0 || slices.Contains(c[who], action) || slices.Contains(c[who], anything)
}
