package alertfile

import (
	"strings"

	"example.com/keyturn/shared/lazyregexp"
	"example.com/keyturn/shared/yamlfile"
)

func (l *loader) slack(m yamlfile.Mapping, _ bool) Settings { return Slack{l.incoming(m)} }

func (l *loader) chat(m yamlfile.Mapping, _ bool) Settings { return Chat{l.incoming(m)} }

// incoming reads the settings of an incoming webhook, whose URL is all one needs to
// post there.
func (l *loader) incoming(m yamlfile.Mapping) SecretVersion {
	var s struct {
		Webhook yamlfile.Scalar `yaml:"webhook"`
	}
	sec := l.section(m, &s)
	sec.has(s.Webhook, "webhook")
	return sec.secret(s.Webhook, "webhook")
}

func (l *loader) pagerDuty(m yamlfile.Mapping, _ bool) Settings {
	var s struct {
		RoutingKey yamlfile.Scalar `yaml:"routing-key"`
		Region     yamlfile.Scalar `yaml:"region"`
	}
	sec := l.section(m, &s)
	sec.has(s.RoutingKey, "routing-key")
	return PagerDuty{sec.secret(s.RoutingKey, "routing-key"), l.choice(s.Region, "region", "us", "eu")}
}

func (l *loader) email(m yamlfile.Mapping, private bool) Settings {
	var s struct {
		Host     yamlfile.Scalar  `yaml:"host"`
		Port     yamlfile.Scalar  `yaml:"port"`
		TLS      yamlfile.Scalar  `yaml:"tls"`
		From     yamlfile.Scalar  `yaml:"from"`
		To       yamlfile.Scalars `yaml:"to"`
		User     yamlfile.Scalar  `yaml:"user"`
		Password yamlfile.Scalar  `yaml:"password"`
	}
	sec := l.section(m, &s)
	e := Email{Host: sec.host(s.Host, private), Port: l.number(s.Port, "port", 65535), Implicit: l.choice(s.TLS, "tls", "starttls", "implicit"), From: sec.address(s.From, "from")}
	if len(s.To) == 0 && sec.whole {
		l.Problem(sec.at, "to is missing: name the addresses that mail goes to")
	}
	for _, v := range s.To {
		e.To = append(e.To, sec.address(v, "to"))
	}
	e.User, e.Password = sec.login(s.User, s.Password)
	return e
}

func (l *loader) alertmanager(m yamlfile.Mapping, private bool) Settings {
	var s struct {
		URL      yamlfile.Scalar `yaml:"url"`
		User     yamlfile.Scalar `yaml:"user"`
		Password yamlfile.Scalar `yaml:"password"`
		Token    yamlfile.Scalar `yaml:"token"`
	}
	sec := l.section(m, &s)
	if s.Password.Given() && s.Token.Given() {
		l.Problem(s.Token.At(), "password and token exclude each other: give one of them")
	}
	sec.has(s.URL, "url")
	a := Alertmanager{URL: sec.url(s.URL, private), Token: sec.secret(s.Token, "token")}
	a.User, a.Password = sec.login(s.User, s.Password)
	return a
}

func (l *loader) webhook(m yamlfile.Mapping, private bool) Settings {
	var s struct {
		URL yamlfile.Scalar `yaml:"url"`
		Key yamlfile.Scalar `yaml:"key"`
	}
	sec := l.section(m, &s)
	w := Webhook{Key: sec.secret(s.Key, "key")}
	switch {
	case !sec.has(s.URL, "url"):
	case strings.HasPrefix(s.URL.Text, "projects/"):
		w.SecretURL = sec.secret(s.URL, "url")
	default:
		w.URL = sec.url(s.URL, private)
	}
	return w
}

var source = lazyregexp.New(`^(organizations|folders|projects)/[a-z0-9:.-]+/sources/[A-Za-z0-9-]+$`)

func (l *loader) scc(m yamlfile.Mapping, _ bool) Settings {
	var s struct {
		Source yamlfile.Scalar `yaml:"source"`
	}
	sec := l.section(m, &s)
	if sec.has(s.Source, "source") && !source.MatchString(s.Source.Text) {
		l.Problem(s.Source.At(), "source: want one such as organizations/123/sources/456, which 'gcloud scc sources describe' tells")
	}
	return SCC{s.Source.Text}
}

func (l *loader) ocsf(m yamlfile.Mapping, private bool) Settings {
	var s struct {
		URL   yamlfile.Scalar `yaml:"url"`
		Token yamlfile.Scalar `yaml:"token"`
	}
	sec := l.section(m, &s)
	sec.has(s.URL, "url")
	return OCSF{URL: sec.url(s.URL, private), Token: sec.secret(s.Token, "token")}
}
