package alertfile

import (
	"crypto/x509"
	"encoding/pem"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"

	"example.com/keyturn/shared/lazyregexp"
	"example.com/keyturn/shared/loopback"
	"example.com/keyturn/shared/yamlfile"
)

var secretVersion = lazyregexp.New(`^projects/[a-z0-9][a-z0-9:.-]{0,61}/secrets/[A-Za-z0-9_-]{1,255}/versions/([1-9][0-9]{0,18}|[A-Za-z][A-Za-z0-9_-]{0,62})$`)

// secret reads the name of a version. What is none is not repeated: it may be the
// secret itself.
func (s section) secret(v yamlfile.Scalar, key string) SecretVersion {
	if !v.Given() {
		return ""
	}
	switch {
	case secretVersion.MatchString(v.Text):
	case secretVersion.MatchString(strings.TrimSuffix(v.Text, "/versions") + "/versions/latest"):
		s.Problem(v.At(), "%s names a secret without its version: add /versions/latest, or the number of one", key)
	default:
		s.Problem(v.At(), "%s is no reference to a secret, and is not repeated here in case it is the secret: put that into Secret Manager, and here projects/PROJECT/secrets/SECRET/versions/latest", key)
	}
	return SecretVersion(v.Text)
}

// login reads who logs in, if anybody does.
func (s section) login(user, password yamlfile.Scalar) (string, SecretVersion) {
	if user.Given() != password.Given() && s.whole {
		s.Problem(s.at, "user and password go together: give both or none")
	}
	return user.Text, s.secret(password, "password")
}

// url reads one that holds no secret. It is encrypted, or leads to this machine.
func (s section) url(v yamlfile.Scalar, private bool) string {
	if !v.Given() {
		return ""
	}
	u, err := url.Parse(v.Text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		s.Problem(v.At(), "url is no https URL, and is not repeated here in case it is a secret")
	case inPath(u.Hostname()) != "":
		s.Problem(v.At(), "url is a secret, as whoever knows its path may post there, and is not repeated here: put it into Secret Manager, and its reference, projects/PROJECT/secrets/SECRET/versions/latest, %s", inPath(u.Hostname()))
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		s.Problem(v.At(), "url has a user, a query or a fragment, which may be secret: put it into Secret Manager, and leave here what is before it, or a reference where a secret is taken")
	case u.Scheme == "http" && !loopback.Host(u.Hostname()):
		s.Problem(v.At(), "url is not encrypted: want https, or http to this machine alone")
	default:
		s.reachable(v, u.Hostname(), private)
	}
	return v.Text
}

// page reads the URL of a page, which people open.
func (l *loader) page(v yamlfile.Scalar, key string) string {
	if !v.Given() {
		return ""
	}
	u, err := url.Parse(v.Text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		l.Problem(v.At(), "%s is no https URL of a page, such as https://git.example.com/keyturn/docs/detectors.md: to it # and the detector are added", key)
	}
	return v.Text
}

// roots reads certificates in PEM; nil when there are none.
func (l *loader) roots(v yamlfile.Scalar, key string) *x509.CertPool {
	if !v.Given() {
		return nil
	}
	pool := x509.NewCertPool()
	for rest := []byte(strings.TrimSpace(v.Text)); ; {
		block, after := pem.Decode(rest)
		if block == nil || block.Type != "CERTIFICATE" {
			l.Problem(v.At(), "%s is no certificate in PEM, and is not repeated here in case it is a key: put after 'ca: |' the lines from BEGIN CERTIFICATE to END CERTIFICATE, and nothing else", key)
			return nil
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			l.Problem(v.At(), "%s: a certificate cannot be read: %v", key, err)
			return nil
		}
		pool.AddCert(c)
		if rest = after; len(rest) == 0 {
			return pool
		}
	}
}

// incomings are domains whose URLs are secret by their paths, and where the
// reference to such a URL stands.
var incomings = []struct{ domain, stands string }{
	{"hooks.slack.com", "into slack: {webhook: …}"},
	{"hooks.slack-gov.com", "into slack: {webhook: …}"},
	{"chat.googleapis.com", "into chat: {webhook: …}"},
	{"discord.com", "into webhook: {url: …}"},
	{"discordapp.com", "into webhook: {url: …}"},
	{"webhook.office.com", "into webhook: {url: …}"},
	{"outlook.office.com", "into webhook: {url: …}"},
	{"logic.azure.com", "into webhook: {url: …}"},
	{"api.powerplatform.com", "into webhook: {url: …}"},
	{"api.telegram.org", "into webhook: {url: …}"},
	{"hooks.zapier.com", "into webhook: {url: …}"},
}

// inPath is where the reference to a URL of a host stands that is secret by its
// path; "" where it need not be.
func inPath(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, in := range incomings {
		if host == in.domain || strings.HasSuffix(host, "."+in.domain) {
			return in.stands
		}
	}
	return ""
}

// reachable has a private address called so, lest a mistake or another's name
// server leads alerts, and what signs them, to a machine that nobody meant.
func (s section) reachable(v yamlfile.Scalar, host string, private bool) {
	addr, err := netip.ParseAddr(host)
	if !private && (loopback.Host(host) || err == nil && (addr.IsPrivate() || addr.IsLinkLocalUnicast())) {
		s.Problem(v.At(), "this leads to a private network or to this machine: if that is meant, add 'private: true' to the channel")
	}
}

var hostname = lazyregexp.New(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// host reads a host's name or address.
func (s section) host(v yamlfile.Scalar, private bool) string {
	if !s.has(v, "host") {
		return ""
	}
	if _, err := netip.ParseAddr(v.Text); err != nil && !hostname.MatchString(v.Text) {
		s.Problem(v.At(), "host is no name of a mail server, such as smtp.example.com")
	}
	s.reachable(v, v.Text, private)
	return v.Text
}

// address reads an e-mail address.
func (s section) address(v yamlfile.Scalar, key string) string {
	if !s.has(v, key) {
		return ""
	}
	if _, err := mail.ParseAddress(v.Text); err != nil {
		s.Problem(v.At(), "%s is no e-mail address, such as alerts@example.com", key)
	}
	return v.Text
}
