// Package alertfile reads the file that says who is told of what, and what is done
// about it without being asked. docs/alerts.md describes the file. Whatever it does
// not say plainly is refused, and no secret stands in it: only names of secrets do.
package alertfile

import (
	"fmt"
	"slices"
	"time"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/yamlfile"
)

// Longest is how long a file may be, in bytes: as long as a secret.
const Longest = 64 << 10

// Console is the channel that is there without being defined: what the alert
// function logs.
const Console = "console"

// builtin are the names of channels that are there without being defined.
var builtin = []string{Console, event.TopicAlerts}

// ofEnvironment is the channel to KEYTURN_WEBHOOK_URL.
const ofEnvironment = "webhook"

// File is what a file says.
type File struct {
	Config   alerting.Config // Always and Channels are left to who knows all channels
	Channels []Channel       // in the order of the file
	Runbooks string          // https URL of the page that alerts link to, with an anchor for each detector; empty is none
	Warnings []yamlfile.Problem
}

// spec is a file as it stands.
type spec struct {
	Runbooks    yamlfile.Scalar  `yaml:"runbooks"`
	Policy      yamlfile.Mapping `yaml:"policy"`
	Channels    yamlfile.Mapping `yaml:"channels"`
	Schedules   yamlfile.Mapping `yaml:"schedules"`
	Routes      yamlfile.List    `yaml:"routes"`
	Silences    yamlfile.List    `yaml:"silences"`
	Escalations yamlfile.List    `yaml:"escalations"`
	Responses   yamlfile.List    `yaml:"responses"`
	Brake       yamlfile.Mapping `yaml:"brake"`
}

// Load reads a file. now tells which silences are over.
func Load(name string, now time.Time) (*File, error) {
	data, err := yamlfile.Read(name, "alerts", Longest)
	if err != nil {
		return nil, err
	}
	return Parse(name, data, now)
}

// Parse reads the content of a file. Its error joins a yamlfile.Problem for each
// thing that is wrong, and repeats nothing that may be a secret.
func Parse(name string, data []byte, now time.Time) (*File, error) {
	l := &loader{File: yamlfile.File{Name: name}, now: now}
	if len(data) > Longest {
		l.Problem(yamlfile.Position{}, "longer than %d bytes, which is as long as a secret may be", Longest)
		return nil, l.Err()
	}
	root := l.Root(data, "'keyturn alerts check --help' shows how to begin one")
	if root == nil {
		return nil, l.Err()
	}
	var s spec
	l.Decode(l.Mapping(root, "the file"), &s)
	file := l.file(s)
	if err := l.Err(); err != nil {
		return nil, err
	}
	return file, nil
}

// loader gathers what is wrong with one file, and what is odd about it.
type loader struct {
	yamlfile.File
	now       time.Time
	odd       yamlfile.File
	schedules named[*alerting.Schedule]
	channels  named[Channel]
}

func (l *loader) file(s spec) *File {
	l.schedules = l.readSchedules(s.Schedules)
	l.channels = l.readChannels(s.Channels)
	f := &File{Config: alerting.Config{
		Policy:      l.policy(s.Policy),
		Routes:      l.routes(s.Routes),
		Silences:    l.silences(s.Silences),
		Escalations: l.escalations(s.Escalations),
		Responses:   l.responses(s.Responses),
		Brake:       l.brake(s.Brake),
		Limits:      make(map[string]alerting.Limit),
	}, Runbooks: l.page(s.Runbooks, "runbooks")}
	for _, n := range l.channels {
		f.Channels = append(f.Channels, n.value)
		if n.value.Limit.PerHour > 0 {
			f.Config.Limits[n.name] = n.value.Limit
		}
	}
	l.unused(len(f.Config.Routes) == 0)
	f.Warnings = l.odd.Sorted()
	return f
}

// warn tells what is odd.
func (l *loader) warn(at yamlfile.Position, format string, args ...any) {
	l.odd.Name = l.Name
	l.odd.Problem(at, format, args...)
}

// unused warns of what nothing goes by. Without routes all channels are told.
func (l *loader) unused(allTold bool) {
	for _, n := range l.channels {
		if !n.used && !allTold {
			l.warn(n.at, "channel %s is not used: no route and no escalation names it", n.name)
		}
	}
	for _, n := range l.schedules {
		if !n.used {
			l.warn(n.at, "schedule %s is not used", n.name)
		}
	}
}

// named are definitions by name, in the order of the file.
type named[T any] []*definition[T]

type definition[T any] struct {
	name  string
	at    yamlfile.Position
	value T
	used  bool
}

// find returns nil when there is none of that name.
func (all named[T]) find(name string) *definition[T] {
	if i := slices.IndexFunc(all, func(d *definition[T]) bool { return d.name == name }); i >= 0 {
		return all[i]
	}
	return nil
}

func (all named[T]) names() []string {
	var names []string
	for _, d := range all {
		names = append(names, d.name)
	}
	return names
}

// define takes the entries of a mapping for definitions. what is their kind.
func define[T any](l *loader, m yamlfile.Mapping, what string, reserved []string, read func(m yamlfile.Mapping, name string) T) (all named[T]) {
	for _, e := range m.Entries {
		name := e.Key.Text
		switch {
		case len(name) > 64 || !identifier.MatchString(name):
			l.Problem(e.Key.At(), "want as the name of a %s lower-case letters and digits, with hyphens between, at most 64", what)
		case slices.Contains(reserved, name):
			l.Problem(e.Key.At(), "%s is a name of keyturn's own: choose another", name)
		}
		if body := l.Mapping(e.Value, fmt.Sprintf("this %s", what)); body.Given() {
			all = append(all, &definition[T]{name: name, at: e.Key.At(), value: read(body, name)})
		} else {
			all = append(all, &definition[T]{name: name, at: e.Key.At()}) // so that what names it is right
		}
	}
	return all
}
