package alertfile

import (
	"crypto/x509"
	"time"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/yamlfile"
)

// Channel is where alerts go.
type Channel struct {
	Name     string
	Settings Settings
	Limit    alerting.Limit // zero is none
	Roots    *x509.CertPool // that vouch for who answers there; nil is the machine's
	Private  bool           // it may lead into a private network or to this machine; false is to public addresses alone
}

// Settings are those of one kind of channel: a Slack, Chat, PagerDuty, Email,
// Alertmanager, Webhook, SCC or OCSF.
type Settings interface {
	Kind() string // as the file calls it
}

// SecretVersion names a version of a secret, by number or alias:
// projects/P/secrets/S/versions/V. Empty is none.
type SecretVersion string

// Slack is an incoming webhook.
type Slack struct{ Webhook SecretVersion }

// Chat is an incoming webhook of Google Chat.
type Chat struct{ Webhook SecretVersion }

// PagerDuty is an integration of the Events API v2.
type PagerDuty struct {
	RoutingKey SecretVersion
	Europe     bool // the account is in the European region
}

// Email is a mail server, and who it sends to.
type Email struct {
	Host     string
	Port     int      // 0 is that of its kind of TLS
	Implicit bool     // TLS from the first byte; false is STARTTLS
	From     string   // an address, or a name and an address
	To       []string // likewise
	User     string   // empty logs in nowhere
	Password SecretVersion
}

// Alertmanager is the base URL of one, and who logs in there.
type Alertmanager struct {
	URL      string
	User     string // empty logs in by Token, if at all
	Password SecretVersion
	Token    SecretVersion // bearer token; empty is none
}

// Webhook is a URL that alerts are posted to.
type Webhook struct {
	URL       string        // empty is the content of SecretURL
	SecretURL SecretVersion // empty is URL
	Key       SecretVersion // of the signature; empty signs nothing
}

// SCC is a source of Security Command Center.
type SCC struct{ Source string } // organizations/O/sources/S, or of a folder or project

// OCSF is a URL that takes events of the Open Cybersecurity Schema Framework.
type OCSF struct {
	URL   string
	Token SecretVersion // bearer token; empty is none
}

// Kind implements Settings.
func (Slack) Kind() string { return "slack" }

// Kind implements Settings.
func (Chat) Kind() string { return "chat" }

// Kind implements Settings.
func (PagerDuty) Kind() string { return "pagerduty" }

// Kind implements Settings.
func (Email) Kind() string { return "email" }

// Kind implements Settings.
func (Alertmanager) Kind() string { return "alertmanager" }

// Kind implements Settings.
func (Webhook) Kind() string { return "webhook" }

// Kind implements Settings.
func (SCC) Kind() string { return "scc" }

// Kind implements Settings.
func (OCSF) Kind() string { return "ocsf" }

type channelSpec struct {
	Slack        yamlfile.Mapping `yaml:"slack"`
	Chat         yamlfile.Mapping `yaml:"chat"`
	PagerDuty    yamlfile.Mapping `yaml:"pagerduty"`
	Email        yamlfile.Mapping `yaml:"email"`
	Alertmanager yamlfile.Mapping `yaml:"alertmanager"`
	Webhook      yamlfile.Mapping `yaml:"webhook"`
	SCC          yamlfile.Mapping `yaml:"scc"`
	OCSF         yamlfile.Mapping `yaml:"ocsf"`
	CA           yamlfile.Scalar  `yaml:"ca"`
	Private      yamlfile.Scalar  `yaml:"private"`
	Limit        yamlfile.Mapping `yaml:"limit"`
}

func (l *loader) readChannels(m yamlfile.Mapping) named[Channel] {
	reserved := append([]string{alerting.Responder, ofEnvironment}, builtin...)
	return define(l, m, "channel", reserved, func(m yamlfile.Mapping, name string) Channel {
		var s channelSpec
		sec := l.section(m, &s)
		c := Channel{Name: name, Limit: l.limit(s.Limit), Roots: l.roots(s.CA, "ca"), Private: l.truth(s.Private, "private")}
		for _, kind := range []struct {
			given yamlfile.Mapping
			read  func(m yamlfile.Mapping, private bool) Settings
		}{
			{s.Slack, l.slack}, {s.Chat, l.chat}, {s.PagerDuty, l.pagerDuty}, {s.Email, l.email},
			{s.Alertmanager, l.alertmanager}, {s.Webhook, l.webhook}, {s.SCC, l.scc}, {s.OCSF, l.ocsf},
		} {
			switch {
			case !kind.given.Given():
				continue
			case c.Settings != nil:
				l.Problem(kind.given.At(), "channel %s is a %s already: make another channel of this", name, c.Settings.Kind())
			}
			c.Settings = kind.read(kind.given, c.Private)
		}
		if c.Settings == nil && sec.whole {
			l.Problem(sec.at, "channel %.64q has no kind: give slack, chat, pagerduty, email, alertmanager, webhook, scc or ocsf with its settings", name)
		}
		return c
	})
}

func (l *loader) limit(m yamlfile.Mapping) alerting.Limit {
	if !m.Given() {
		return alerting.Limit{}
	}
	var s struct {
		PerHour yamlfile.Scalar `yaml:"per-hour"`
		Burst   yamlfile.Scalar `yaml:"burst"`
		Digest  yamlfile.Scalar `yaml:"digest"`
		Always  yamlfile.Scalar `yaml:"always"`
	}
	sec := l.section(m, &s)
	sec.has(s.PerHour, "per-hour")
	return alerting.Limit{
		PerHour: l.number(s.PerHour, "per-hour", 100_000), Burst: l.number(s.Burst, "burst", 100_000),
		Digest: l.duration(s.Digest, "digest", time.Minute, day), Always: l.severity(s.Always, "always", severities[1:]),
	}
}
