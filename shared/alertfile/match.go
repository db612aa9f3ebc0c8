package alertfile

import (
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // for schedules, on machines that know no time zones

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/lazyregexp"
	"example.com/keyturn/shared/yamlfile"
)

type matchSpec struct {
	Severity    yamlfile.Scalar  `yaml:"severity"`
	Rules       yamlfile.Scalars `yaml:"rules"`
	Detectors   yamlfile.Scalars `yaml:"detectors"`
	Projects    yamlfile.Scalars `yaml:"projects"`
	Credentials yamlfile.Scalars `yaml:"credentials"`
	Labels      yamlfile.Mapping `yaml:"labels"`
	Schedule    yamlfile.Scalar  `yaml:"schedule"`
	NotSchedule yamlfile.Scalar  `yaml:"not-schedule"`
}

// match reads what is selected: everything, when m is not given.
func (l *loader) match(m yamlfile.Mapping) alerting.Match {
	var s matchSpec
	l.Decode(m, &s)
	return alerting.Match{
		Severity:    l.severity(s.Severity, "severity", severities),
		Rules:       l.texts(s.Rules, "rules", m, l.rule),
		Detectors:   l.texts(s.Detectors, "detectors", m, l.detector),
		Projects:    l.texts(s.Projects, "projects", m, l.pattern),
		Credentials: l.texts(s.Credentials, "credentials", m, l.pattern),
		Labels:      l.labels(s.Labels),
		Schedule:    l.schedule(s.Schedule, "schedule"),
		Outside:     l.schedule(s.NotSchedule, "not-schedule"),
	}
}

// texts checks each value of a list, which is not empty.
func (l *loader) texts(values yamlfile.Scalars, key string, in yamlfile.Mapping, check func(v yamlfile.Scalar, key string)) []string {
	if values != nil && len(values) == 0 {
		l.Problem(in.At(), "%s is an empty list, which nothing is in: leave it out to match any", key)
	}
	var texts []string
	for _, v := range values {
		check(v, key)
		texts = append(texts, v.Text)
	}
	return texts
}

func (l *loader) rule(v yamlfile.Scalar, key string) {
	l.oneOf(v, key, []string{"finding", "rotation"})
}

// pattern checks what may end with "*".
func (l *loader) pattern(v yamlfile.Scalar, key string) { l.check(v, key, CheckPattern) }

// detector checks the name of one, or what some names begin with.
func (l *loader) detector(v yamlfile.Scalar, key string) { l.check(v, key, CheckDetector) }

func (l *loader) check(v yamlfile.Scalar, key string, check func(text string) error) {
	if err := check(v.Text); err != nil {
		l.Problem(v.At(), "%s: %v", key, err)
	}
}

func (l *loader) labels(m yamlfile.Mapping) map[string]string {
	var labels map[string]string
	if m.Given() && len(m.Entries) == 0 {
		l.Problem(m.At(), "labels names none: leave it out to match any")
	}
	for _, e := range m.Entries {
		if labels == nil {
			labels = make(map[string]string)
		}
		labels[e.Key.Text] = l.Scalar(e.Value, "the label's value").Text
	}
	return labels
}

// schedule returns the one that a value names; nil when there is none.
func (l *loader) schedule(v yamlfile.Scalar, key string) *alerting.Schedule {
	if !v.Given() {
		return nil
	}
	d := l.schedules.find(v.Text)
	if d == nil {
		l.Problem(v.At(), "%s: there is no schedule %.80q%s: define it under 'schedules:'", key, v.Text, yamlfile.Meant(v.Text, l.schedules.names()))
		return nil
	}
	d.used = true
	return d.value
}

type scheduleSpec struct {
	Days yamlfile.Scalars `yaml:"days"`
	From yamlfile.Scalar  `yaml:"from"`
	To   yamlfile.Scalar  `yaml:"to"`
	Zone yamlfile.Scalar  `yaml:"zone"`
}

func (l *loader) readSchedules(m yamlfile.Mapping) named[*alerting.Schedule] {
	return define(l, m, "schedule", nil, func(m yamlfile.Mapping, _ string) *alerting.Schedule {
		var s scheduleSpec
		sec := l.section(m, &s)
		schedule := &alerting.Schedule{From: l.clock(s.From, "from", 0), To: l.clock(s.To, "to", 24*time.Hour), Zone: sec.zone(s.Zone)}
		if s.Days != nil && len(s.Days) == 0 {
			l.Problem(sec.at, "days is an empty list, on which it never is: leave it out for every day")
		}
		for _, v := range s.Days {
			schedule.Days = append(schedule.Days, l.days(v)...)
		}
		if s.From.Given() && schedule.From == schedule.To {
			l.Problem(s.From.At(), "from and to are the same: leave both out for whole days")
		}
		return schedule
	})
}

var clock = lazyregexp.New(`^(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)$`)

// clock reads a time of day.
func (l *loader) clock(v yamlfile.Scalar, key string, otherwise time.Duration) time.Duration {
	if !v.Given() {
		return otherwise
	}
	if !clock.MatchString(v.Text) {
		l.Problem(v.At(), `%s is %.40q: want a time of day from "00:00" to "24:00", in quotes`, key, v.Text)
		return otherwise
	}
	d, _ := time.ParseDuration(strings.Replace(v.Text, ":", "h", 1) + "m") // as the pattern says
	return d
}

func (s section) zone(v yamlfile.Scalar) *time.Location {
	if !v.Given() {
		return time.UTC
	}
	zone, err := time.LoadLocation(v.Text)
	if err != nil || v.Text == "" || v.Text == "Local" {
		s.Problem(v.At(), "zone: there is no %.80q: want a name such as Europe/Berlin", v.Text)
		return time.UTC
	}
	return zone
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// days reads a day or a range such as mon-fri, which may go over the week's end.
func (l *loader) days(v yamlfile.Scalar) (days []time.Weekday) {
	first, last, ranged := strings.Cut(v.Text, "-")
	if !ranged {
		last = first
	}
	from, to := slices.Index(weekdays, first), slices.Index(weekdays, last)
	if from < 0 || to < 0 {
		l.Problem(v.At(), "days: %.40q is none of mon, tue, wed, thu, fri, sat, sun, and no range such as mon-fri", v.Text)
		return nil
	}
	for ; from != to; from = (from + 1) % len(weekdays) {
		days = append(days, time.Weekday(from))
	}
	return append(days, time.Weekday(to))
}
