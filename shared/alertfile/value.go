package alertfile

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/lazyregexp"
	"example.com/keyturn/shared/yamlfile"
)

var identifier = lazyregexp.New(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// section is a mapping that was decoded, of which each value is read in turn.
type section struct {
	*loader
	at    yamlfile.Position
	whole bool // whether what is not there was left out, and is not another mistake
}

func (l *loader) section(m yamlfile.Mapping, into any) section {
	return section{l, m.At(), l.Decode(m, into)}
}

// has reports whether a value is there that has to be.
func (s section) has(v yamlfile.Scalar, key string) bool {
	if !v.Given() && s.whole {
		s.Problem(s.at, "%s is missing", key)
	}
	return v.Given()
}

// duration reads one between two others; 0 when there is none.
func (l *loader) duration(v yamlfile.Scalar, key string, least, most time.Duration) time.Duration {
	if !v.Given() {
		return 0
	}
	d, err := yamlfile.Duration(v.Text)
	if err != nil || d < least || d > most {
		l.Problem(v.At(), "%s is %.40q: want a duration from %s to %s, such as 15m, 12h or 1d", key, v.Text, brief(least), brief(most))
		return 0
	}
	return d
}

// brief is a duration in days, hours or minutes.
func brief(d time.Duration) string {
	switch {
	case d%day == 0:
		return strconv.Itoa(int(d/day)) + "d"
	case d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	}
	return strconv.Itoa(int(d/time.Minute)) + "m"
}

// number reads one from 1 on; 0 when there is none.
func (l *loader) number(v yamlfile.Scalar, key string, most int) int {
	if !v.Given() {
		return 0
	}
	n, err := strconv.Atoi(v.Text)
	if err != nil || n < 1 || n > most {
		l.Problem(v.At(), "%s is %.40q: want a number from 1 to %d", key, v.Text, most)
		return 0
	}
	return n
}

// choice reports whether the other one of two values was chosen.
func (l *loader) choice(v yamlfile.Scalar, key, otherwise, other string) bool {
	return v.Given() && l.oneOf(v, key, []string{otherwise, other}) && v.Text == other
}

// truth reads true or false; false when there is none.
func (l *loader) truth(v yamlfile.Scalar, key string) bool {
	if v.Given() && v.Text != "true" && v.Text != "false" {
		l.Problem(v.At(), "%s is %.40q: want true or false", key, v.Text)
	}
	return v.Text == "true"
}

var severities = []string{alerting.Info.String(), alerting.Warning.String(), alerting.High.String(), alerting.Critical.String()}

// severity reads one of some; info when there is none.
func (l *loader) severity(v yamlfile.Scalar, key string, among []string) alerting.Severity {
	if !v.Given() || !l.oneOf(v, key, among) {
		return alerting.Info
	}
	return alerting.Severity(slices.Index(severities, v.Text))
}

// oneOf reports whether a value is one of those that are known.
func (l *loader) oneOf(v yamlfile.Scalar, key string, known []string) bool {
	if !slices.Contains(known, v.Text) {
		l.Problem(v.At(), "%s: there is no %.80q%s; there are %s", key, v.Text, yamlfile.Meant(v.Text, known), strings.Join(known, ", "))
		return false
	}
	return true
}

// text reads one that says something.
func (s section) text(v yamlfile.Scalar, key string) string {
	if s.has(v, key) && strings.TrimSpace(v.Text) == "" {
		s.Problem(v.At(), "%s is empty", key)
	}
	return strings.TrimSpace(v.Text)
}
