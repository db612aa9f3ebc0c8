package event

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"example.com/keyturn/shared/lazyregexp"
)

// form is which fields a verb needs, and which else it may have, by their names in
// JSON. Every verb may have by and dry_run.
type form struct {
	verb       Verb
	needs, may []string
}

var forms = []form{
	{Sweep, nil, nil},
	{Inspect, nil, []string{"secret"}},
	{Continue, []string{"secret"}, []string{"id"}},
	{Rotate, []string{"secret"}, []string{"after", "key", "why", "id"}},
	{Rollback, []string{"secret"}, []string{"after", "why", "id"}},
	{Revoke, []string{"secret", "key"}, []string{"killTokens", "why", "id"}},
	{Pause, []string{"secret", "why"}, []string{"until", "id"}},
	{Resume, []string{"secret"}, []string{"why", "id"}},
	{Release, []string{"secret"}, []string{"leave", "why", "id"}},
	{Status, []string{"secret"}, nil},
	{Plan, nil, []string{"secret"}},
}

// Verbs are all verbs.
func Verbs() []Verb {
	var all []Verb
	for _, f := range forms {
		all = append(all, f.verb)
	}
	return all
}

// given are the fields of a command that have a value, but for by and dry_run.
func (c Command) given() []string {
	var names []string
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"secret", c.Secret != ""}, {"key", c.Key != ""}, {"after", c.After != nil}, {"killTokens", c.KillTokens},
		{"why", c.Why != ""}, {"until", !c.Until.IsZero()}, {"leave", c.Leave}, {"id", c.ID != ""},
	} {
		if f.given {
			names = append(names, f.name)
		}
	}
	return names
}

// Validate reports what is missing or does not belong together.
func (c Command) Validate() error {
	i := slices.IndexFunc(forms, func(f form) bool { return f.verb == c.Verb })
	if i < 0 {
		return fmt.Errorf("command %.40q is none of %s", c.Verb, among(Verbs()))
	}
	if err := forms[i].check(c.given()); err != nil {
		return err
	}
	return c.validateValues()
}

func (f form) check(given []string) error {
	for _, name := range given {
		if !slices.Contains(f.needs, name) && !slices.Contains(f.may, name) {
			return fmt.Errorf("command %s takes no %s; %s", f.verb, name, f.takes())
		}
	}
	for _, name := range f.needs {
		if !slices.Contains(given, name) {
			return fmt.Errorf("command %s needs %s", f.verb, missing[name])
		}
	}
	return nil
}

// missing says what a field that is needed should be.
var missing = map[string]string{
	"secret": "a secret's full name: give projects/PROJECT/secrets/SECRET",
	"key":    "the key's id: 'keyturn status' shows it",
	"why":    "why, the reason: others will ask for it",
}

// among says which verbs there are.
func among(verbs []Verb) string {
	var names []string
	for _, v := range verbs {
		names = append(names, string(v))
	}
	return strings.Join(names, ", ")
}

func (f form) takes() string {
	if len(f.needs)+len(f.may) == 0 {
		return "it looks at all of them"
	}
	return "it takes " + strings.Join(append(slices.Clone(f.needs), f.may...), ", ")
}

var keyID = lazyregexp.New(`^[A-Za-z0-9:./_-]{1,256}$`)

var secretName = lazyregexp.New(`^projects/[a-z0-9][a-z0-9:.-]{0,61}(/locations/[a-z0-9-]{1,40})?/secrets/[A-Za-z0-9_-]{1,255}$`)

// requestID is printable ASCII: it is compared byte by byte.
var requestID = lazyregexp.New(`^[ -~]{1,128}$`)

// The longest texts, in bytes.
const (
	maxBy  = 256
	maxWhy = 256
)

func (c Command) validateValues() error {
	switch {
	case c.Secret != "" && !secretName.MatchString(c.Secret):
		return fmt.Errorf("secret %.80q is not a secret's full name: give projects/PROJECT/secrets/SECRET", c.Secret)
	case c.Key != "" && !keyID.MatchString(c.Key):
		return fmt.Errorf("key %.80q is not the id of a key: 'keyturn status' shows it", c.Key)
	case c.After != nil && *c.After < 0:
		return fmt.Errorf("after is %d: want the number of a rotation", *c.After)
	case c.Until.UTC().Year() > 9999:
		return errors.New("until is after the year 9999: leave it out for a pause that somebody ends")
	case c.ID != "" && !requestID.MatchString(c.ID):
		return errors.New("id is longer than 128 characters, or not of printable ASCII alone")
	case !tellable(c.By, maxBy):
		return fmt.Errorf("by is longer than %d bytes, or holds what cannot be printed", maxBy)
	case !tellable(c.Why, maxWhy):
		return fmt.Errorf("why is longer than %d bytes, or holds what cannot be printed", maxWhy)
	}
	return nil
}

// tellable reports whether a text can be shown to people as it is.
func tellable(text string, most int) bool {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	return len(text) <= most && utf8.ValidString(text) && !strings.ContainsFunc(text, unprintable)
}
